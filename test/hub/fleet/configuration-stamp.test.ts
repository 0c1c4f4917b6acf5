import type { PodSpec, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { copyName, stamped, stampOf, withStamp } from '../../../hub/fleet/configuration-stamp.ts';
import { subdomainNameErrors } from '../../../hub/resources/names.ts';
import { configurationOf } from '../../../hub/resources/pod-spec-references.ts';

const ID = 'bcdfghjklm';

/** Everything that can name one. */
const SPEC: PodSpec = {
  imagePullSecrets: [{ name: 'pull' }],
  volumes: [
    { name: 'a', configMap: { name: 'app', items: [{ key: 'k', path: 'p' }], optional: true } },
    { name: 'b', secret: { secretName: 'db', defaultMode: 256 } },
    {
      name: 'c',
      projected: {
        sources: [
          { configMap: { name: 'app' } },
          { secret: { name: 'db' } },
          { serviceAccountToken: { path: 'token' } },
        ],
      },
    },
    { name: 'd', emptyDir: {} },
  ],
  initContainers: [{ name: 'init', image: 'i', envFrom: [{ configMapRef: { name: 'first' } }] }],
  containers: [
    {
      name: 'main',
      image: 'i',
      envFrom: [{ prefix: 'P_', secretRef: { name: 'db' } }],
      env: [
        { name: 'A', value: 'app' },
        { name: 'B', valueFrom: { configMapKeyRef: { name: 'app', key: 'k' } } },
        { name: 'C', valueFrom: { secretKeyRef: { name: 'other', key: 'k', optional: true } } },
        { name: 'D', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      ],
    },
  ],
};

t.test('all that containers read, and nothing that images are pulled with', async (t) => {
  t.same(configurationOf(SPEC), ['ConfigMap/app', 'ConfigMap/first', 'Secret/db', 'Secret/other']);
  t.same(configurationOf(undefined), []);
});

t.test('pods read the copies that the stamp names; all else is as it was', async (t) => {
  const before = structuredClone(SPEC);
  const stamp = { 'ConfigMap/app': ID, 'ConfigMap/first': '', 'Secret/db': ID };
  const { spec } = stamped(withStamp({ spec: SPEC }, stamp));
  const expected = JSON.parse(
    JSON.stringify(SPEC)
      .replaceAll('"name":"app"', `"name":"app-${ID}"`)
      .replaceAll(/"(name|secretName)":"db"/g, `"$1":"db-${ID}"`),
  );
  t.same(spec, expected);
  t.same(SPEC, before, 'the template itself stays as it is');
  const without = { spec: SPEC } as PodTemplateSpec;
  t.equal(stamped(without), without, 'without a stamp there is nothing to do');
});

t.test('a ConfigMap that is called like something else', async (t) => {
  const spec: PodSpec = { containers: [{ name: 'm', envFrom: [{ configMapRef: { name: 'constructor' } }] }] };
  const { spec: read } = stamped(withStamp({ spec }, {}));
  t.same(read, spec);
});

for (const text of ['', 'null', '[]', '7', '{"ConfigMap/a":7}', '{"ConfigMap/a":"../b"}', '{"ConfigMap/a"'])
  t.test(`no stamp: ${text}`, async (t) => {
    const annotations = { 'fleet.holdfast.dev/configuration': text };
    t.equal(stampOf({ metadata: { annotations }, spec: SPEC }), undefined);
  });

t.test('a stamp is the same text for the same content, and leaves nothing behind', async (t) => {
  const template = { metadata: { annotations: { own: 'x' } }, spec: SPEC };
  const text = (stamp: Record<string, string>) => JSON.stringify(withStamp(template, stamp));
  t.equal(text({ 'ConfigMap/a': ID, 'ConfigMap/b': '' }), text({ 'ConfigMap/b': '', 'ConfigMap/a': ID }));
  t.same(withStamp(withStamp(template, { 'ConfigMap/a': ID }), undefined), template);
  t.same(withStamp(withStamp({ spec: SPEC }, {}), undefined), { metadata: {}, spec: SPEC });
});

t.test('names of copies are names, however long that of the original is', async (t) => {
  for (const name of ['app', 'a'.repeat(253), `${'a'.repeat(241)}.${'b'.repeat(11)}`, `${'a'.repeat(241)}-b`])
    t.same(subdomainNameErrors(copyName(name, ID)), [], `${name.length} ${copyName(name, ID).slice(-14)}`);
});
