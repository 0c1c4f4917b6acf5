import t from 'tap';
import {
  limitRanges,
  persistentVolumeClaims,
  persistentVolumes,
  resourceQuotas,
  storageClasses,
} from '../../../hub/resources/table-of-resources.ts';
import type { PersistentVolumeClaimObject } from '../../../hub/resources/typed.ts';
import {
  cells,
  columnNames,
  created,
  errorsOf,
  type Loose,
  refuses,
  refusesUpdates,
  sample,
} from './rule-rows.ts';

const spec = (fields: Loose) => ({ spec: fields });
const MODES = 'supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"';

t.test('StorageClass', async (t) => {
  t.match(sample(storageClasses), { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' });
  const topology = (fields: Loose) => ({ allowedTopologies: [{ matchLabelExpressions: [fields] }] });
  refuses(t, storageClasses, [
    [{ provisioner: undefined }, 'provisioner: Required value'],
    [
      { reclaimPolicy: 'Recycle' },
      'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"',
    ],
    [
      { volumeBindingMode: 'x' },
      'volumeBindingMode: Unsupported value: "x": supported values: "Immediate", "WaitForFirstConsumer"',
    ],
    [{ parameters: { '': 'x' } }, 'parameters: Invalid value: "": field can not be empty.'],
    [
      { parameters: Object.fromEntries(Array.from({ length: 513 }, (_, at) => [`k${at}`, ''])) },
      'parameters: Too long: may not be more than 512 bytes',
    ],
    [{ parameters: { a: 'x'.repeat(262_144) } }, 'parameters: Too long: may not be more than 262144 bytes'],
    [
      topology({ key: 'zone', values: [] }),
      'allowedTopologies[0].matchLabelExpressions[0].values: Required value',
    ],
  ]);
  refusesUpdates(t, storageClasses, {}, [
    [{ parameters: { a: 'b' } }, 'parameters: Forbidden: updates to parameters are forbidden.'],
    [{ provisioner: 'a/b' }, 'provisioner: Forbidden: updates to provisioner are forbidden.'],
    [{ reclaimPolicy: 'Retain' }, 'reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.'],
    [
      { volumeBindingMode: 'WaitForFirstConsumer' },
      'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable',
    ],
    [{ allowVolumeExpansion: true }],
  ]);
  t.equal(
    columnNames(storageClasses),
    'Name, Provisioner, ReclaimPolicy, VolumeBindingMode, AllowVolumeExpansion, Age',
  );
  t.same(cells(storageClasses), ['sample', 'example.com/disks', 'Delete', 'Immediate', 'false', '60m']);
  const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  t.equal(cells(storageClasses, { metadata: { annotations } })[0], 'sample (default)');
});

t.test('PersistentVolume', async (t) => {
  const volume = created(persistentVolumes);
  t.match(volume, {
    spec: { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem', hostPath: { type: '' } },
    status: { phase: 'Pending' },
  });
  const source = (fields: Loose) => spec({ hostPath: undefined, ...fields });
  refuses(t, persistentVolumes, [
    [spec({ accessModes: [] }), 'spec.accessModes: Required value'],
    [spec({ accessModes: ['x'] }), `spec.accessModes: Unsupported value: "x": ${MODES}`],
    [
      spec({ accessModes: ['ReadWriteOnce', 'ReadWriteOncePod'] }),
      'spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes',
    ],
    [spec({ capacity: undefined }), 'spec.capacity: Required value'],
    [
      spec({ capacity: { cpu: '1' } }),
      'spec.capacity: Unsupported value: {"storage":"1Gi","cpu":"1"}: supported values: "storage"',
    ],
    [
      spec({ capacity: { storage: '0' } }),
      'spec.capacity[storage]: Invalid value: "0": must be greater than zero',
    ],
    [
      spec({ persistentVolumeReclaimPolicy: 'x' }),
      'spec.persistentVolumeReclaimPolicy: Unsupported value: "x": supported values: "Delete", "Recycle", "Retain"',
    ],
    [
      spec({ persistentVolumeReclaimPolicy: 'Recycle', hostPath: { path: '/' } }),
      "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
    ],
    [source({}), 'spec: Required value: must specify a volume type'],
    [
      spec({ nfs: { server: 'a', path: '/b' } }),
      'spec.nfs: Forbidden: may not specify more than 1 volume type',
    ],
    [
      source({ local: { path: '/a' } }),
      'spec.nodeAffinity: Required value: Local volume requires node affinity',
    ],
    [
      spec({ nodeAffinity: {} }),
      'spec.nodeAffinity.required: Required value: must specify required node constraints',
    ],
    [
      spec({ nodeAffinity: { required: { nodeSelectorTerms: [] } } }),
      'spec.nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node selector term',
    ],
    [spec({ hostPath: { path: '' } }), 'spec.hostPath.path: Required value'],
    [
      spec({ hostPath: { path: '/a/../b' } }),
      `spec.hostPath.path: Invalid value: "/a/../b": must not contain '..'`,
    ],
    [
      source({ nfs: { server: '', path: 'a' } }),
      'spec.nfs.server: Required value',
      'spec.nfs.path: Invalid value: "a": must be an absolute path',
    ],
    [source({ csi: {} }), 'spec.csi.driver: Required value', 'spec.csi.volumeHandle: Required value'],
    [
      spec({ volumeMode: 'x' }),
      'spec.volumeMode: Unsupported value: "x": supported values: "Block", "Filesystem"',
    ],
  ]);
  refusesUpdates(t, persistentVolumes, {}, [
    [
      spec({ hostPath: { path: '/other' } }),
      'spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation',
    ],
    [spec({ volumeMode: 'Block' }), 'spec.volumeMode: Invalid value: "Block": field is immutable'],
    [spec({ claimRef: { namespace: 'n', name: 'c' }, persistentVolumeReclaimPolicy: 'Delete' })],
  ]);
  const nodeAffinity = (name: string) => ({
    required: {
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }] }],
    },
  });
  refusesUpdates(t, persistentVolumes, spec({ nodeAffinity: nodeAffinity('a') }), [
    [spec({ nodeAffinity: undefined }), 'spec.nodeAffinity: Invalid value: null: field is immutable'],
  ]);
  t.equal(
    columnNames(persistentVolumes),
    'Name, Capacity, Access Modes, Reclaim Policy, Status, Claim, StorageClass, VolumeAttributesClass, Reason, Age, VolumeMode*',
  );
  const change = {
    metadata: { annotations: { 'volume.beta.kubernetes.io/storage-class': 'fast' } },
    spec: { claimRef: { namespace: 'n', name: 'c' }, accessModes: ['ReadWriteMany', 'ReadWriteOnce'] },
    status: { phase: 'Bound', reason: 'why' },
  };
  t.same(cells(persistentVolumes, change), [
    'sample',
    '1Gi',
    'RWO,RWX',
    'Retain',
    'Bound',
    'n/c',
    'fast',
    '<unset>',
    'why',
    '60m',
    'Filesystem',
  ]);
  t.equal(cells(persistentVolumes, { metadata: { deletionTimestamp: 'x' } })[4], 'Terminating');
});

t.test('PersistentVolumeClaim', async (t) => {
  t.match(created(persistentVolumeClaims), {
    spec: { volumeMode: 'Filesystem' },
    status: { phase: 'Pending' },
  });
  refuses(t, persistentVolumeClaims, [
    [spec({ accessModes: [] }), 'spec.accessModes: Required value: at least 1 access mode is required'],
    [spec({ accessModes: ['x'] }), `spec.accessModes: Unsupported value: "x": ${MODES}`],
    [spec({ resources: { requests: undefined } }), 'spec.resources[storage]: Required value'],
    [
      spec({ resources: { requests: { storage: '-1' } } }),
      'spec.resources[storage]: Invalid value: "-1": must be greater than zero',
    ],
    [
      spec({ volumeMode: 'x' }),
      'spec.volumeMode: Unsupported value: "x": supported values: "Block", "Filesystem"',
    ],
    [spec({ dataSource: { kind: 'a' } }), 'spec.dataSource.name: Required value'],
    [spec({ storageClassName: '' })],
  ]);
  const fixed =
    'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
  refusesUpdates(t, persistentVolumeClaims, {}, [
    [spec({ volumeName: 'v' })],
    [spec({ storageClassName: 'x' }), fixed],
    [spec({ resources: { requests: { storage: '2Gi' } } }), fixed],
    [spec({ volumeMode: 'Block' }), fixed, 'spec.volumeMode: Invalid value: "Block": field is immutable'],
  ]);
  const bound = created(persistentVolumeClaims, spec({ volumeName: 'v' }));
  bound.status = { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] };
  const resized = (storage: string) => {
    const claim = structuredClone(bound) as PersistentVolumeClaimObject;
    claim.spec.resources = { requests: { storage } };
    return errorsOf(persistentVolumeClaims, claim, bound);
  };
  t.same(resized('2Gi'), [], 'a bound claim can grow');
  t.same(resized('1Mi'), [
    'spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
  ]);
  const { spec: boundSpec, status } = bound;
  t.same(cells(persistentVolumeClaims, { spec: boundSpec, status }), [
    'sample',
    'Bound',
    'v',
    '1Gi',
    'RWO',
    '',
    '<unset>',
    '60m',
    'Filesystem',
  ]);
  t.same(cells(persistentVolumeClaims).slice(1, 5), ['Pending', '', '', '']);
});

t.test('ResourceQuota', async (t) => {
  const hard = (name: string, amount: string) => spec({ hard: { [name]: amount } });
  const scopes = (...names: string[]) => spec({ scopes: names });
  const expression = (fields: Loose) => spec({ scopeSelector: { matchExpressions: [fields] } });
  const known =
    'supported values: "BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating", "VolumeAttributesClass"';
  const at = 'spec.scopeSelector.matchExpressions[0]';
  refuses(t, resourceQuotas, [
    [hard('beds', '1'), 'spec.hard[beds]: Invalid value: "beds": must be a standard resource for quotas'],
    [hard('pods', '-1'), 'spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0'],
    [hard('pods', '500m'), 'spec.hard[pods]: Invalid value: "500m": must be an integer'],
    [hard('requests.cpu', '500m')],
    [hard('count/jobs.batch', '5')],
    [scopes('x'), `spec.scopes: Unsupported value: "x": ${known}`],
    [
      scopes('BestEffort', 'NotBestEffort'),
      'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes',
    ],
    [expression({ scopeName: 'x', operator: 'Exists' }), `${at}.scopeName: Unsupported value: "x": ${known}`],
    [
      expression({ scopeName: 'Terminating', operator: 'x' }),
      `${at}.operator: Unsupported value: "x": supported values: "DoesNotExist", "Exists", "In", "NotIn"`,
    ],
    [
      expression({ scopeName: 'PriorityClass', operator: 'In' }),
      `${at}.values: Required value: must be at least one value when \`operator\` is 'In' or 'NotIn' for scope selector`,
    ],
    [
      expression({ scopeName: 'PriorityClass', operator: 'Exists', values: ['a'] }),
      `${at}.values: Forbidden: must be no value when \`operator\` is 'Exist' or 'DoesNotExist' for scope selector`,
    ],
  ]);
  refusesUpdates(t, resourceQuotas, {}, [
    [scopes('Terminating'), 'spec.scopes: Invalid value: ["Terminating"]: field is immutable'],
  ]);
  t.equal(columnNames(resourceQuotas), 'Name, Request, Limit, Age');
  const status = { hard: { pods: '10', 'limits.cpu': '2', 'requests.cpu': '1' }, used: { pods: '3' } };
  t.same(cells(resourceQuotas, { status }), [
    'sample',
    'pods: 3/10, requests.cpu: 0/1',
    'limits.cpu: 0/2',
    '60m',
  ]);
});

t.test('LimitRange', async (t) => {
  const limits = (...items: Loose[]) => spec({ limits: items });
  t.match(
    sample(limitRanges, limits({ type: 'Container', max: { cpu: '2' }, min: { memory: '1Mi' } })).spec,
    {
      limits: [{ default: { cpu: '2' }, defaultRequest: { cpu: '2', memory: '1Mi' } }],
    },
  );
  const at = 'spec.limits[0]';
  refuses(t, limitRanges, [
    [limits({}), `${at}.type: Required value`],
    [
      limits({ type: 'Node' }),
      `${at}.type: Invalid value: "Node": must be a standard limit type or fully qualified`,
    ],
    [limits({ type: 'Pod' }, { type: 'Pod' }), 'spec.limits[1].type: Duplicate value: "Pod"'],
    [
      limits({ type: 'Pod', default: { cpu: '1' } }),
      `${at}.default: Forbidden: may not be specified when \`type\` is 'Pod'`,
    ],
    [
      limits({ type: 'PersistentVolumeClaim' }),
      `${at}: Required value: either minimum or maximum storage value is required, but neither was provided`,
    ],
    [
      limits({ type: 'Pod', max: { cpu: '-1' } }),
      `${at}.max[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
    ],
    [
      limits({ type: 'Pod', min: { cpu: '2' }, max: { cpu: '1' } }),
      `${at}.min[cpu]: Invalid value: "2": min value 2 is greater than max value 1`,
    ],
    [
      limits({ type: 'Pod', maxLimitRequestRatio: { cpu: '500m' } }),
      `${at}.maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1`,
    ],
    [
      limits({ type: 'Container', default: { cpu: '1' }, defaultRequest: { cpu: '2' } }),
      `${at}.defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than default limit value 1`,
    ],
  ]);
  t.equal(columnNames(limitRanges), 'Name, Created At@');
  t.same(cells(limitRanges), ['sample', '2026-01-01T00:00:00Z']);
});
