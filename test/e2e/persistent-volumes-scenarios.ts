import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PersistentVolume, PersistentVolumeClaim } from 'kubernetes-types/core/v1.d.ts';
import type { Test } from 'tap';
import type { Engine } from '../support/engine.ts';
import { makeAppImages } from '../support/images.ts';
import { listOf, podOf, SeenPods } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* Volumes that outlive pods: directories of one device that the hub makes volumes of, and host paths that it is told of. */

const claim = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: 'default' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
});
const user = (name: string, claimName: string, spec: object = {}) =>
  podOf(
    name,
    { main: { volumeMounts: [{ name: 'data', mountPath: '/data' }] } },
    {
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
      terminationGracePeriodSeconds: 0,
      ...spec,
    },
  );

export async function persistentVolumes(t: Test, engine: Engine): Promise<void> {
  const stand = new Stand(engine, 'mqtt', 'device-claims');
  const other = `${stand.node}-other`;
  const pods = new SeenPods(stand);
  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  await stand.start();
  await stand.addDevice(other);
  const claimOf = async (name: string) =>
    (await stand.api.call(
      'GET',
      `/api/v1/namespaces/default/persistentvolumeclaims/${name}`,
    )) as PersistentVolumeClaim;
  const volumeOf = async (name: string) =>
    (await stand.api.call('GET', `/api/v1/persistentvolumes/${name}`)) as PersistentVolume;
  const bound = (name: string) =>
    until(`claim ${name} is bound`, async () => {
      const found = await claimOf(name);
      return found.status?.phase === 'Bound' ? found : undefined;
    });
  const sh = (pod: string, script: string) => pods.exec(pod, 'main', 'sh', '-c', script);

  await t.test('a claim gets a directory on the device of its first pod', async (t) => {
    await stand.apply(listOf(claim('data')));
    await until('it waits', async () => (await pods.events('data')).includes('WaitForFirstConsumer'));
    t.match(await claimOf('data'), {
      spec: { storageClassName: 'local-path' },
      status: { phase: 'Pending' },
    });
    await stand.apply(user('first', 'data', { nodeSelector: { 'kubernetes.io/hostname': stand.node } }));
    await pods.ready('first');
    const { spec, metadata } = await bound('data');
    const volume = await volumeOf(spec?.volumeName ?? '');
    t.match(volume, {
      metadata: { name: `pvc-${metadata?.uid}` },
      spec: {
        capacity: { storage: '1Gi' },
        persistentVolumeReclaimPolicy: 'Delete',
        storageClassName: 'local-path',
      },
    });
    t.equal(metadata?.annotations?.['volume.kubernetes.io/selected-node'], stand.node);
    await sh('first', 'echo kept > /data/x');
    const directory = join(stand.agentDir, 'volumes', spec?.volumeName ?? '');
    t.equal(readFileSync(join(directory, 'x'), 'utf8'), 'kept\n');
    t.equal(statSync(directory).mode & 0o777, 0o777);
    t.match(
      await stand.kubectl('get', 'pvc', 'data', '--no-headers'),
      /Bound +pvc-\S+ +1Gi +RWO +local-path/,
    );
  });

  await t.test('what it holds outlives pods, and later pods go where it is', async (t) => {
    await stand.kubectl('delete', 'pod', 'first', '--wait', '--timeout=60s');
    await stand.apply(listOf(user('second', 'data'), user('third', 'data')));
    for (const name of ['second', 'third']) {
      await pods.ready(name);
      t.equal((await pods.get(name)).spec?.nodeName, stand.node);
      t.equal(await sh(name, 'cat /data/x'), 'kept');
    }
    const elsewhere = user('elsewhere', 'data', { nodeSelector: { 'kubernetes.io/hostname': other } });
    await stand.apply(elsewhere);
    const condition = await until('it fits nowhere', async () =>
      (await pods.get('elsewhere')).status?.conditions?.find(({ reason }) => reason === 'Unschedulable'),
    );
    t.match(condition.message, /didn't match PersistentVolume's node affinity/);
    await stand.kubectl('delete', 'pod', 'elsewhere', 'third', '--wait', '--timeout=60s');
  });

  await t.test('two pods that share a new claim come to one device', async (t) => {
    await stand.apply(listOf(claim('shared'), user('left', 'shared'), user('right', 'shared')));
    for (const name of ['left', 'right']) await pods.ready(name);
    t.equal((await pods.get('left')).spec?.nodeName, (await pods.get('right')).spec?.nodeName);
    await stand.kubectl('delete', 'pod', 'left', 'right', '--wait', '--timeout=60s');
  });

  await t.test(
    'a claim that is used is not removed, and one that is removed takes its directory along',
    async (t) => {
      const { spec } = await claimOf('data');
      const directory = join(stand.agentDir, 'volumes', spec?.volumeName ?? '');
      await stand.kubectl('delete', 'pv', spec?.volumeName ?? '', '--wait=false');
      await stand.kubectl('delete', 'pvc', 'data', '--wait=false');
      t.match(await stand.kubectl('get', 'pvc', 'data', '--no-headers'), /Terminating/);
      t.equal(await sh('second', 'cat /data/x'), 'kept');
      await stand.cutLink();
      await stand.kubectl('delete', 'pod', 'second', '--wait=false');
      t.ok(existsSync(directory));
      await stand.restoreLink();
      await until('the directory is gone', () => !existsSync(directory));
      await until(
        'and so is the volume',
        async () => !(await stand.kubectl('get', 'pv', '--no-headers')).includes('default/data '),
      );
      await t.rejects(claimOf('data'));
    },
  );

  await t.test('host paths that an administrator has made volumes of', async (t) => {
    const path = join(stand.dir, 'srv');
    mkdirSync(path);
    writeFileSync(join(path, 'x'), 'of the host');
    const volume = (name: string, storage: string, rest: object = {}) => ({
      ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name } },
      spec: {
        ...{ capacity: { storage }, accessModes: ['ReadWriteOnce'], hostPath: { path, type: 'Directory' } },
        ...rest,
      },
    });
    const own = { storageClassName: '' };
    await stand.apply(
      listOf(
        volume('large', '10Gi'),
        volume('small', '2Gi'),
        volume('tiny', '1Mi'),
        claim('srv', own),
        user('reader', 'srv'),
      ),
    );
    await pods.ready('reader');
    t.equal((await bound('srv')).spec?.volumeName, 'small', 'the smallest that will do');
    t.equal(await sh('reader', 'cat /data/x'), 'of the host');
    await stand.kubectl('delete', 'pod', 'reader', '--wait', '--timeout=60s');
    await stand.kubectl('delete', 'pvc', 'srv', '--wait', '--timeout=60s');
    await until('it is released', async () => (await volumeOf('small')).status?.phase === 'Released');
    t.equal(readFileSync(join(path, 'x'), 'utf8'), 'of the host', 'and kept');
  });

  await t.test('what can not be is told', async (t) => {
    await stand.apply(
      listOf(
        claim('many', { accessModes: ['ReadWriteMany'] }),
        claim('nobody', { storageClassName: 'none' }),
        user('lost', 'never-made'),
        user('unbound', 'nobody'),
      ),
    );
    const refusal = async (name: string) =>
      until(
        `${name} can go nowhere`,
        async () =>
          (await pods.get(name)).status?.conditions?.find(({ reason }) => reason === 'Unschedulable')
            ?.message,
      );
    t.match(await refusal('lost'), /persistentvolumeclaim "never-made" not found/);
    t.match(await refusal('unbound'), /pod has unbound immediate PersistentVolumeClaims/);
    for (const name of ['many', 'nobody'])
      await until(`${name} has an event`, async () =>
        (await pods.events(name)).includes('ProvisioningFailed'),
      );
    await stand.apply(claim('never-made'));
    await pods.ready('lost');
  });
}
