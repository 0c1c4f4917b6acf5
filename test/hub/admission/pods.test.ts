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
