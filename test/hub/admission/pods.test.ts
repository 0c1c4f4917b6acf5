import t from 'tap';
import * as table from '../../../hub/resources/table-of-resources.ts';
import type { PodObject } from '../../../hub/resources/typed.ts';
import { refusalOf, withPolicies } from './policies.ts';

t.test('priority', async (t) => {
  const { create, pod } = await withPolicies(t);
  const specOf = async (name: string, spec: object = {}) => ((await pod(name, spec)) as PodObject).spec;
  t.match(await specOf('plain'), { priority: 0, preemptionPolicy: 'PreemptLowerPriority' });
  await create(table.priorityClasses, { metadata: { name: 'high' }, value: 100, preemptionPolicy: 'Never' });
  t.match(await specOf('high', { priorityClassName: 'high' }), { priority: 100, preemptionPolicy: 'Never' });
  t.match(
    await refusalOf(pod('none', { priorityClassName: 'nope' })),
    'pods "none" is forbidden: no PriorityClass with name nope was found',
  );
  t.match(
    await refusalOf(pod('own', { priority: 7 })),
    /integer value of priority \(7\) must not be provided/,
  );
  await create(table.priorityClasses, { metadata: { name: 'usual' }, value: 5, globalDefault: true });
  t.match(await specOf('usual'), { priority: 5, priorityClassName: 'usual' });
});

t.test('service accounts', async (t) => {
  const { create, pod } = await withPolicies(t);
  t.match((await pod('plain')).spec, { serviceAccountName: 'default', serviceAccount: 'default' });
  t.equal(
    await refusalOf(pod('lost', { serviceAccountName: 'robot' })),
    'pods "lost" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found',
  );
  await create(table.serviceAccounts, { metadata: { name: 'robot' }, imagePullSecrets: [{ name: 'pull' }] });
  t.match((await pod('found', { serviceAccountName: 'robot' })).spec, {
    imagePullSecrets: [{ name: 'pull' }],
  });
  const own = { serviceAccountName: 'robot', imagePullSecrets: [{ name: 'own' }] };
  t.match((await pod('own', own)).spec, { imagePullSecrets: [{ name: 'own' }] });
});

t.test('tokens of service accounts', async (t) => {
  const { create, pod } = await withPolicies(t);
  const path = '/var/run/secrets/kubernetes.io/serviceaccount';
  const container = (name: string, rest: object = {}) => ({ name, image: 'x', ...rest });
  const own = { volumeMounts: [{ name: 'mine', mountPath: path }] };
  const mine = { name: 'mine', emptyDir: {} };
  const specOf = async (name: string, spec: object) => ((await pod(name, spec)) as PodObject).spec;

  const plain = await specOf('plain', {
    initContainers: [container('first')],
    containers: [container('main'), container('other', own)],
    volumes: [mine],
  });
  const [, volume] = plain.volumes ?? [];
  t.match(volume?.name, /^kube-api-access-[a-z0-9]{5}$/);
  t.same(volume?.projected, {
    defaultMode: 0o644,
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
  });
  const mount = { name: volume?.name, readOnly: true, mountPath: path };
  t.same(plain.initContainers?.[0]?.volumeMounts, [mount]);
  t.same(plain.containers[0]?.volumeMounts, [mount]);
  t.same(plain.containers[1]?.volumeMounts, own.volumeMounts, 'who mounts something else there has that');

  t.same((await specOf('without', { automountServiceAccountToken: false })).volumes ?? [], []);
  t.same((await specOf('none', { containers: [container('x', own)], volumes: [mine] })).volumes, [mine]);
  await create(table.serviceAccounts, { metadata: { name: 'robot' }, automountServiceAccountToken: false });
  t.same((await specOf('robot', { serviceAccountName: 'robot' })).volumes ?? [], []);
  const both = { serviceAccountName: 'robot', automountServiceAccountToken: true };
  t.equal((await specOf('asked', both)).volumes?.length, 1, 'the pod has the last word');
});

t.test('runtime classes', async (t) => {
  const { create, pod } = await withPolicies(t);
  const boxed = { runtimeClassName: 'boxed' };
  t.equal(
    await refusalOf(pod('early', boxed)),
    'pods "early" is forbidden: pod rejected: RuntimeClass "boxed" not found',
  );
  await create(table.runtimeClasses, {
    metadata: { name: 'boxed' },
    handler: 'vm',
    overhead: { podFixed: { memory: '64Mi' } },
    scheduling: { nodeSelector: { vm: 'yes' }, tolerations: [{ key: 'vm', operator: 'Exists' }] },
  });
  const { spec } = (await pod('in-time', { ...boxed, nodeSelector: { a: 'b' } })) as PodObject;
  t.match(spec, { overhead: { memory: '64Mi' }, nodeSelector: { a: 'b', vm: 'yes' } });
  t.same(
    spec.tolerations?.filter(({ key }) => key === 'vm'),
    [{ key: 'vm', operator: 'Exists' }],
  );
  t.match(
    await refusalOf(pod('elsewhere', { ...boxed, nodeSelector: { vm: 'no' } })),
    /conflict: runtimeClass.scheduling.nodeSelector\[vm\] = yes; pod.spec.nodeSelector\[vm\] = no/,
  );
  const overhead = { memory: '1Mi' };
  t.match(await refusalOf(pod('light', { ...boxed, overhead })), /Pod's Overhead doesn't match/);
  t.match(await refusalOf(pod('heavy', { overhead })), /Overhead set without corresponding RuntimeClass/);
});

t.test('the default storage class', async (t) => {
  const { create } = await withPolicies(t);
  const claim = async (name: string, spec: object = {}) => {
    const resources = { requests: { storage: '1Gi' } };
    const object = { metadata: { name }, spec: { accessModes: ['ReadWriteOnce'], resources, ...spec } };
    return ((await create(table.persistentVolumeClaims, object)).spec as { storageClassName?: string })
      .storageClassName;
  };
  t.equal(await claim('before'), undefined);
  const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  await create(table.storageClasses, { metadata: { name: 'card', annotations }, provisioner: 'x' });
  t.equal(await claim('after'), 'card');
  t.equal(await claim('none', { storageClassName: '' }), '');
  t.equal(await claim('named', { storageClassName: 'disk' }), 'disk');
});

t.test('who creates what is only stored is told so', async (t) => {
  const { registry } = await withPolicies(t);
  const warnings: string[] = [];
  const spec = { type: 'ExternalName', externalName: 'example.com' };
  const options = { fieldManager: 'test', warn: (text: string) => void warnings.push(text) };
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 's', namespace: 'default' }, spec };
  await registry.create(table.services, service, options);
  t.match(warnings, [/^Service s: no device routes its address: its name leads to its pods/]);
});
