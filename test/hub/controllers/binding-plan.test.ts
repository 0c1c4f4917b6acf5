import t from 'tap';
import { phaseOfVolume, planClaim } from '../../../hub/controllers/volume-binding/binding-plan.ts';
import { isAbandoned } from '../../../hub/resources/local-path.ts';
import type {
  PersistentVolumeClaimObject,
  PersistentVolumeObject,
  StorageClassObject,
} from '../../../hub/resources/typed.ts';

/* Which volume a claim gets. */

const claim = (spec: object = {}, metadata: object = {}) =>
  ({
    ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
    metadata: { namespace: 'default', name: 'data', uid: 'u1', ...metadata },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  }) as PersistentVolumeClaimObject;
const volume = (name: string, spec: object = {}, metadata: object = {}) =>
  ({
    ...{ apiVersion: 'v1', kind: 'PersistentVolume' },
    metadata: { name, ...metadata },
    spec: { accessModes: ['ReadWriteOnce', 'ReadOnlyMany'], capacity: { storage: '2Gi' }, ...spec },
  }) as PersistentVolumeObject;
const local = {
  metadata: { name: 'local-path' },
  provisioner: 'holdfast.dev/local-path',
} as StorageClassObject;
const refTo = (name: string, uid?: string) => ({ namespace: 'default', name, ...(uid && { uid }) });

/** In short: what is done, and with which volume. */
const plan = (
  wanted: PersistentVolumeClaimObject,
  volumes: PersistentVolumeObject[],
  { storageClass, node }: { storageClass?: StorageClassObject; node?: string } = {},
) => {
  const made = planClaim({ claim: wanted, volumes, storageClass, node });
  if (made.type === 'wait') return `${made.reason}: ${made.message}`;
  return made.type === 'lost' ? 'lost' : `${made.type} ${made.volume.metadata.name}`;
};

t.test('volumes that are there', async (t) => {
  const large = volume('large', { capacity: { storage: '10Gi' } });
  t.equal(plan(claim(), [large, volume('small')]), 'bind small', 'the smallest that will do');
  const none = 'FailedBinding: no persistent volumes available for this claim and no storage class is set';
  for (const [why, unsuitable] of [
    ['too small', volume('v', { capacity: { storage: '1Mi' } })],
    ['of a class', volume('v', { storageClassName: 'fast' })],
    ['for many readers only', volume('v', { accessModes: ['ReadOnlyMany'] })],
    ['a block device', volume('v', { volumeMode: 'Block' })],
    ['of another claim', volume('v', { claimRef: refTo('other') })],
    ['of a claim of that name that is gone', volume('v', { claimRef: refTo('data', 'u0') })],
    ['being deleted', volume('v', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
  ] as const)
    t.equal(plan(claim(), [unsuitable]), none, why);
  const selector = { matchLabels: { disk: 'ssd' } };
  t.equal(plan(claim({ selector }), [volume('v')]), none);
  t.equal(plan(claim({ selector }), [volume('v', {}, { labels: { disk: 'ssd' } })]), 'bind v');
  t.equal(plan(claim(), [volume('meant', { claimRef: refTo('data') }), volume('free')]), 'bind meant');
});

t.test('a volume that the claim names', async (t) => {
  t.equal(plan(claim({ volumeName: 'v' }), [volume('v')]), 'bind v');
  t.equal(plan(claim({ volumeName: 'v' }), []), 'lost');
  t.match(
    plan(claim({ volumeName: 'v' }), [volume('v', { claimRef: refTo('other') })]),
    /already bound to a different/,
  );
});

t.test('directories of devices', async (t) => {
  const wanted = claim({ storageClassName: 'local-path' });
  t.match(plan(wanted, [], { storageClass: local }), /^WaitForFirstConsumer: /);
  t.equal(plan(wanted, [], { storageClass: local, node: 'edge' }), 'provision pvc-u1');
  const made = planClaim({ claim: wanted, volumes: [], storageClass: local, node: 'edge' });
  t.match(made, {
    volume: {
      spec: {
        claimRef: { namespace: 'default', name: 'data', uid: 'u1' },
        persistentVolumeReclaimPolicy: 'Delete',
        nodeAffinity: {
          required: { nodeSelectorTerms: [{ matchExpressions: [{ operator: 'In', values: ['edge'] }] }] },
        },
      },
    },
  });
  for (const [spec, why] of [
    [{ accessModes: ['ReadWriteMany'] }, /only ReadWriteOnce and ReadWriteOncePod are possible/],
    [{ volumeMode: 'Block' }, /it is a directory, and no block device/],
    [{ selector: {} }, /claim.spec.selector is not supported/],
  ] as const)
    t.match(
      plan(claim({ storageClassName: 'local-path', ...spec }), [], { storageClass: local, node: 'edge' }),
      why,
    );
});

t.test('classes of others', async (t) => {
  const wanted = claim({ storageClassName: 'fast' });
  t.equal(plan(wanted, []), 'ProvisioningFailed: storageclass.storage.k8s.io "fast" not found');
  const fast = { metadata: { name: 'fast' }, provisioner: 'example.com/fast' } as StorageClassObject;
  t.match(plan(wanted, [], { storageClass: fast }), /^ExternalProvisioning: .*'example.com\/fast'/);
});

t.test('what a volume is', async (t) => {
  const own = volume('v', { claimRef: refTo('data', 'u1') });
  t.equal(phaseOfVolume(volume('v'), undefined), 'Available');
  t.equal(phaseOfVolume(own, claim({ volumeName: 'v' })), 'Bound');
  t.equal(phaseOfVolume(own, claim()), 'Available', 'not yet');
  t.equal(phaseOfVolume(own, undefined), 'Released');
  t.equal(phaseOfVolume(own, claim({}, { uid: 'u2' })), 'Released', 'another claim of that name');
  t.equal(
    phaseOfVolume(volume('v', { claimRef: refTo('data') }), undefined),
    'Available',
    'kept for a claim to come',
  );
});

t.test('whose directory is removed', async (t) => {
  const spec = { claimRef: refTo('data', 'u1'), persistentVolumeReclaimPolicy: 'Delete' };
  const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  t.ok(isAbandoned(volume('v', spec, deleted), undefined));
  t.ok(isAbandoned(volume('v', spec, deleted), claim({}, { uid: 'u2' })));
  t.notOk(isAbandoned(volume('v', spec, deleted), claim()), 'somebody has a claim to it');
  t.notOk(isAbandoned(volume('v', spec), undefined), 'nobody has deleted it');
  t.notOk(isAbandoned(volume('v', { ...spec, persistentVolumeReclaimPolicy: 'Retain' }, deleted), undefined));
});
