/** What a package is, which its name says. */
export interface PackageName {
  readonly name: string;
  readonly program: 'holdfast-agent' | 'holdfast';
  readonly version: string;
  readonly arch: 'amd64' | 'arm64';
  /** `slim`: without Node.js. */
  readonly form: 'archive' | 'slim' | 'deb';
}

const VERSION = String.raw`(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)`;
const ARCHIVE = new RegExp(`^(holdfast-agent|holdfast)-${VERSION}-linux-(amd64|arm64)(-slim)?\\.tar\\.gz$`);
const DEB = new RegExp(`^(holdfast-agent|holdfast)_${VERSION}_(amd64|arm64)\\.deb$`);

/** Undefined for what is no package of ours. */
export function parsePackageName(name: string): PackageName | undefined {
  const [, program, version, arch, slim] = ARCHIVE.exec(name) ?? DEB.exec(name) ?? [];
  if (!program || !version || !arch) return undefined;
  const form = name.endsWith('.deb') ? 'deb' : slim ? 'slim' : 'archive';
  return { name, program, version, arch, form } as PackageName;
}

/** By program, then from the oldest to the newest version: whoever wants the newest takes the last. */
export function comparePackages(a: PackageName, b: PackageName): number {
  return (
    byText(a.program, b.program) || compareVersions(a.version, b.version) || byText(a.name, b.name) // one of each
  );
}

/** As SemVer orders them, but for the parts of pre-releases, which are compared as people would. */
export function compareVersions(a: string, b: string): number {
  const [coreA = '', ...beforeA] = a.split('-');
  const [coreB = '', ...beforeB] = b.split('-');
  const byNumber = new Intl.Collator('en', { numeric: true });
  const core = byNumber.compare(coreA, coreB);
  if (core !== 0 || beforeA.length !== beforeB.length) return core || beforeB.length - beforeA.length;
  return byNumber.compare(beforeA.join('-'), beforeB.join('-'));
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
