import t from 'tap';
import {
  podTemplates,
  replicationControllers,
  statefulSets,
} from '../../../hub/resources/table-of-resources.ts';
import { cells, columnNames, created, refuses, refusesUpdates, sample } from './rule-rows.ts';

const NOT_NEGATIVE = 'must be greater than or equal to 0';

t.test('StatefulSet: defaults', async (t) => {
  const set = sample(statefulSets, {
    spec: { volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] },
  });
  t.match(set.spec, {
    replicas: 1,
    revisionHistoryLimit: 10,
    podManagementPolicy: 'OrderedReady',
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
    persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
    template: { spec: { restartPolicy: 'Always' } },
    volumeClaimTemplates: [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        spec: { volumeMode: 'Filesystem' },
        status: { phase: 'Pending' },
      },
    ],
  });
  t.same(created(statefulSets).status, { replicas: 0, availableReplicas: 0 });
});

t.test('StatefulSet: what is wrong', async (t) => {
  refuses(t, statefulSets, [
    [
      { spec: { podManagementPolicy: 'x' } },
      `spec.podManagementPolicy: Invalid value: "x": must be 'OrderedReady' or 'Parallel'`,
    ],
    [
      { spec: { updateStrategy: { type: 'x' } } },
      `spec.updateStrategy: Invalid value: {"type":"x"}: must be 'RollingUpdate' or 'OnDelete'`,
    ],
    [
      { spec: { updateStrategy: { type: 'OnDelete', rollingUpdate: { partition: 1 } } } },
      `spec.updateStrategy.rollingUpdate: Invalid value: {"partition":1}: only allowed for updateStrategy 'RollingUpdate'`,
    ],
    [
      { spec: { updateStrategy: { rollingUpdate: { partition: -1 } } } },
      `spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: ${NOT_NEGATIVE}`,
    ],
    [
      { spec: { updateStrategy: { rollingUpdate: { maxUnavailable: 0 } } } },
      'spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0',
    ],
    [
      { spec: { persistentVolumeClaimRetentionPolicy: { whenScaled: 'x' } } },
      'spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "x": supported values: "Retain", "Delete"',
    ],
    [{ spec: { replicas: -1 } }, `spec.replicas: Invalid value: -1: ${NOT_NEGATIVE}`],
    [{ spec: { minReadySeconds: -1 } }, `spec.minReadySeconds: Invalid value: -1: ${NOT_NEGATIVE}`],
    [{ spec: { ordinals: { start: -1 } } }, `spec.ordinals.start: Invalid value: -1: ${NOT_NEGATIVE}`],
    [{ spec: { revisionHistoryLimit: -1 } }, `spec.revisionHistoryLimit: Invalid value: -1: ${NOT_NEGATIVE}`],
    [{ spec: { selector: undefined } }, 'spec.selector: Required value'],
    [
      { spec: { selector: { matchLabels: undefined } } },
      'spec.selector: Invalid value: {}: empty selector is invalid for statefulset',
    ],
    [
      { spec: { template: { metadata: { labels: { app: 'x' } } } } },
      'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`',
    ],
    [
      { spec: { template: { spec: { restartPolicy: 'Never', activeDeadlineSeconds: 1 } } } },
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
      'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not Supported',
    ],
  ]);
  t.equal(statefulSets.nameRule, 'label', 'its pods have its name and a number');
});

t.test('StatefulSet: what may change', async (t) => {
  const fixed =
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', " +
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
  refusesUpdates(t, statefulSets, {}, [
    [{ spec: { serviceName: 'other' } }, fixed],
    [{ spec: { podManagementPolicy: 'Parallel' } }, fixed],
    [{ spec: { replicas: 3, minReadySeconds: 1, revisionHistoryLimit: 1, ordinals: { start: 1 } } }],
    [{ spec: { template: { spec: { containers: [{ name: 'main', image: 'nginx:2' }] } } } }],
    [{ spec: { updateStrategy: { type: 'OnDelete', rollingUpdate: undefined } } }],
  ]);
});

t.test('StatefulSet: columns and scale', async (t) => {
  t.equal(columnNames(statefulSets), 'Name, Ready, Age, Containers*, Images*');
  const change = { spec: { replicas: 3 }, status: { readyReplicas: 2, replicas: 4 } };
  t.same(cells(statefulSets, change), ['sample', '2/3', '60m', 'main', 'nginx:1.27']);
  const set = { ...sample(statefulSets, change), status: { replicas: 4 } };
  const { scale } = statefulSets;
  t.same([scale?.replicas(set), scale?.statusReplicas(set), scale?.selector(set)], [3, 4, 'app=sample']);
  t.match(scale?.withReplicas(set, 5), { spec: { replicas: 5 } });
});

t.test('ReplicationController', async (t) => {
  const controller = created(replicationControllers);
  t.match(controller, {
    metadata: { labels: { app: 'sample' } },
    spec: { replicas: 1, selector: { app: 'sample' } },
    status: { replicas: 0 },
  });
  refuses(t, replicationControllers, [
    [{ spec: { replicas: -1 } }, `spec.replicas: Invalid value: -1: ${NOT_NEGATIVE}`],
    [{ spec: { minReadySeconds: -1 } }, `spec.minReadySeconds: Invalid value: -1: ${NOT_NEGATIVE}`],
    [{ spec: { template: undefined } }, 'spec.selector: Required value', 'spec.template: Required value'],
    [
      { spec: { selector: { app: 'x' } } },
      'spec.template.metadata.labels: Invalid value: {"app":"sample"}: `selector` does not match template `labels`',
    ],
    [
      { spec: { template: { spec: { restartPolicy: 'Never' } } } },
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
    [{ spec: { template: { spec: { containers: [] } } } }, 'spec.template.spec.containers: Required value'],
  ]);
  t.equal(
    columnNames(replicationControllers),
    'Name, Desired#, Current#, Ready#, Age, Containers*, Images*, Selector*',
  );
  const change = { spec: { replicas: 3 }, status: { replicas: 2, readyReplicas: 1 } };
  t.same(cells(replicationControllers, change), [
    'sample',
    3,
    2,
    1,
    '60m',
    'main',
    'nginx:1.27',
    'app=sample',
  ]);
  t.equal(replicationControllers.scale?.selector(controller), 'app=sample');
  t.equal(
    replicationControllers.scale?.replicas(replicationControllers.scale.withReplicas(controller, 9)),
    9,
  );
  t.equal(replicationControllers.fieldSelectors?.['status.replicas']?.(controller), '0');
});

t.test('PodTemplate', async (t) => {
  t.match(sample(podTemplates), { template: { spec: { restartPolicy: 'Always' } } });
  refuses(t, podTemplates, [
    [{ template: { spec: { containers: [] } } }, 'template.spec.containers: Required value'],
    [{ template: undefined }, 'template.spec.containers: Required value'],
  ]);
  t.equal(columnNames(podTemplates), 'Name, Containers, Images, Pod Labels');
  t.same(cells(podTemplates), ['sample', 'main', 'nginx:1.27', 'app=sample']);
  const [before, after] = [sample(podTemplates), sample(podTemplates)];
  t.equal(podTemplates.bumpsGeneration?.(after, before), false);
  after['template'] = {};
  t.equal(podTemplates.bumpsGeneration?.(after, before), true);
});
