import { createHash } from 'node:crypto';
import type { ThirdParty } from './third-party.ts';

interface Subject {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** RFC 3339: of the commit, so that the same commit gives the same bytes. */
  readonly timestamp: string;
}

/** What is in a package, for whoever must know: CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/). Pure. */
export function sbomOf(
  { name, version, arch, timestamp }: Subject,
  runtimeVersion: string,
  parties: readonly ThirdParty[],
): object {
  const components = [
    {
      type: 'platform',
      name: 'node',
      version: runtimeVersion,
      licenses: [{ license: { id: 'MIT' } }],
      purl: `pkg:generic/node@${runtimeVersion}?arch=${arch}`,
    },
    ...parties.map(componentOf),
  ];
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([name, version, arch, components]))}`,
    version: 1,
    metadata: {
      timestamp,
      component: {
        type: 'application',
        'bom-ref': `${name}@${version}`,
        name,
        version,
        licenses: [{ license: { id: 'Apache-2.0' } }],
      },
    },
    components,
  };
}

function componentOf({ name, version, licence, sha512 }: ThirdParty): object {
  const [scope, rest] = name.startsWith('@') ? name.split('/') : [undefined, name];
  const isExpression = / (OR|AND|WITH) /.test(licence);
  return {
    type: 'library',
    ...(scope && { group: scope }),
    name: rest,
    version,
    ...(sha512 && { hashes: [{ alg: 'SHA-512', content: sha512 }] }),
    licenses: [isExpression ? { expression: licence } : { license: { id: licence } }],
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
  };
}

/** A UUID (version 8: of one's own making, RFC 9562) that follows from the content. */
function uuidOf(content: string): string {
  const hex = createHash('sha256').update(content).digest('hex');
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
