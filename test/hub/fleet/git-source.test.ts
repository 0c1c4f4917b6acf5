import t from 'tap';
import { type GitSourceObject, gitSources } from '../../../hub/fleet/git-source.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';

const URL = 'https://git.example.com/fleet.git';

function sourceOf(spec: object): GitSourceObject {
  const object = {
    apiVersion: 'fleet.holdfast.dev/v1',
    kind: 'GitSource',
    metadata: { name: 's', namespace: 'default' },
    spec: { url: URL, ...spec },
  };
  const copy = structuredClone(object) as unknown as KubeObject;
  gitSources.setDefaults?.(copy);
  return copy as GitSourceObject;
}

const errorsOf = (spec: object) =>
  (gitSources.validate?.(sourceOf(spec), undefined) ?? []).map(
    ({ field, message }) => `${field}: ${message}`,
  );

t.test('defaults: as little as can be', async (t) => {
  t.same(sourceOf({}).spec, {
    url: URL,
    path: '.',
    interval: '5m',
    timeout: '1m',
    prune: false,
    suspend: false,
    serviceAccountName: 'default',
    drift: 'correct',
  });
});

const secretRef = { name: 'keys' };
for (const spec of [
  {},
  { url: 'ssh://git@[::1]:2222/~a/b.git', secretRef },
  { url: 'https://10.0.0.1:8443/a%20b' },
  { ref: { branch: 'feature/a_b.c' } },
  { ref: { tag: 'v1.2.3' } },
  { ref: { commit: 'a'.repeat(40) } },
  { path: './deploy/a b/' },
  { interval: '10s', timeout: '10m', targetNamespace: 'shop', serviceAccountName: 'a.b' },
  { drift: 'report', webhook: { secretRef } },
])
  t.test(`${JSON.stringify(spec)} is right`, async (t) => {
    t.same(errorsOf(spec), []);
  });

for (const [what, spec, error] of [
  ['http', { url: 'http://git.example.com/a' }, /^spec\.url: .*http is not accepted/],
  ['a file', { url: 'file:///etc' }, /^spec\.url: .*must begin with https:\/\/ or ssh:\/\//],
  ['a path', { url: '/srv/git' }, /^spec\.url: .*must be https/],
  ['a helper', { url: 'ext::sh -c x' }, /^spec\.url: /],
  ['scp', { url: 'git@example.com:a/b.git' }, /^spec\.url: .*ssh:\/\/user@host/],
  ['an option for a host', { url: 'ssh://-oProxyCommand=x/y', secretRef }, /^spec\.url: /],
  ['a token', { url: 'https://ghp_abc@github.com/a' }, /^spec\.url: .*…@github.*no password or token/],
  ['a query', { url: `${URL}?a=b` }, /^spec\.url: .*query/],
  ['a line', { url: `${URL}\n--upload-pack=x` }, /^spec\.url: /],
  ['ssh without a Secret', { url: 'ssh://git@example.com/a' }, /^spec\.secretRef: Required value/],
  ['two refs', { ref: { branch: 'a', tag: 'b' } }, /^spec\.ref: Too many: 2/],
  ['an option for a branch', { ref: { branch: '-x' } }, /^spec\.ref\.branch: .*no name that Git allows/],
  ['a pattern', { ref: { branch: 'a*' } }, /^spec\.ref\.branch: /],
  ['a refspec', { ref: { tag: 'a:refs/heads/b' } }, /^spec\.ref\.tag: /],
  ['two dots', { ref: { branch: 'a..b' } }, /^spec\.ref\.branch: /],
  ['half a commit', { ref: { commit: 'abc' } }, /^spec\.ref\.commit: /],
  ['an absolute path', { path: '/a' }, /^spec\.path: .*relative/],
  ['a way out', { path: 'a/../../b' }, /^spec\.path: .*lead out/],
  ['too often', { interval: '9s' }, /^spec\.interval: .*at least 10s/],
  ['no time', { timeout: '0s' }, /^spec\.timeout: /],
  ['no word', { interval: 'often' }, /^spec\.interval: /],
  ['no name', { targetNamespace: 'A b' }, /^spec\.targetNamespace: /],
  ['another account', { serviceAccountName: 'a/b' }, /^spec\.serviceAccountName: /],
  ['another way', { drift: 'ignore' }, /^spec\.drift: Unsupported value/],
] as const)
  t.test(`${what} is refused`, async (t) => {
    t.match(errorsOf(spec), [error]);
  });
