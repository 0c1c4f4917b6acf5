import t from 'tap';
import { boundErrors } from '../../../hub/admission/limit-bounds.ts';
import { podTotals } from '../../../hub/resources/pod-totals.ts';
import * as table from '../../../hub/resources/table-of-resources.ts';
import type { PodObject } from '../../../hub/resources/typed.ts';
import { podOf, refusalOf, withPolicies } from './policies.ts';

const rangeOf = (...limits: object[]) => ({ metadata: { name: 'limits' }, spec: { limits } });

t.test('bounds, in the words of Kubernetes', async (t) => {
  const amounts = (requests: Record<string, string>, limits: Record<string, string>) => ({
    requests,
    limits,
  });
  const rows: [object, ReturnType<typeof amounts>, string[]][] = [
    [
      { min: { cpu: '100m' } },
      amounts({}, {}),
      ['minimum cpu usage per Container is 100m.  No request is specified'],
    ],
    [
      { min: { cpu: '100m' } },
      amounts({ cpu: '50m' }, {}),
      ['minimum cpu usage per Container is 100m, but request is 50m'],
    ],
    [
      { max: { memory: '1Gi' } },
      amounts({}, {}),
      ['maximum memory usage per Container is 1Gi.  No limit is specified'],
    ],
    [
      { max: { memory: '1Gi' } },
      amounts({}, { memory: '1025Mi' }),
      ['maximum memory usage per Container is 1Gi, but limit is 1025Mi'],
    ],
    [
      { maxLimitRequestRatio: { cpu: '2' } },
      amounts({ cpu: '100m' }, { cpu: '300m' }),
      ['cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000'],
    ],
    [
      { maxLimitRequestRatio: { cpu: '2' } },
      amounts({}, { cpu: '1' }),
      ['cpu max limit to request ratio per Container is 2, but no request is specified or request is 0'],
    ],
    [
      { min: { cpu: '100m' }, max: { cpu: '1' }, maxLimitRequestRatio: { cpu: '2' } },
      amounts({ cpu: '500m' }, { cpu: '1000m' }),
      [],
    ],
  ];
  for (const [item, given, errors] of rows)
    t.same(boundErrors({ type: 'Container', ...item }, given), errors, JSON.stringify([item, given]));
});

t.test('what a pod needs at once', async (t) => {
  const asking = (name: string, cpu: string, more: object = {}) => ({
    name,
    resources: { requests: { cpu } },
    ...more,
  });
  const sidecar = { restartPolicy: 'Always' };
  const spec = {
    containers: [asking('a', '100m'), asking('b', '200m')],
    initContainers: [asking('first', '700m'), asking('side', '50m', sidecar), asking('last', '600m')],
  };
  t.same(podTotals({ spec } as unknown as PodObject).requests, { cpu: '700m' });
  t.same(podTotals({ spec: { ...spec, overhead: { cpu: '10m' } } } as unknown as PodObject).requests, {
    cpu: '710m',
  });
  const alone = { containers: spec.containers, initContainers: [asking('side', '50m', sidecar)] };
  t.same(podTotals({ spec: alone } as unknown as PodObject).requests, { cpu: '350m' });
});

t.test('containers get the defaults, and the pod tells so', async (t) => {
  const { create, pod } = await withPolicies(t);
  const item = { type: 'Container', default: { cpu: '500m' }, defaultRequest: { cpu: '100m' } };
  await create(table.limitRanges, rangeOf(item));
  const made = (await pod('a')) as PodObject;
  t.same(made.spec.containers[0]?.resources, { requests: { cpu: '100m' }, limits: { cpu: '500m' } });
  t.match(made.metadata.annotations, {
    'kubernetes.io/limit-ranger':
      'LimitRanger plugin set: cpu request for container a; cpu limit for container a',
  });
  const own = (await pod('b', {}, { resources: { limits: { cpu: '2' } } })) as PodObject;
  t.same(own.spec.containers[0]?.resources, { requests: { cpu: '2' }, limits: { cpu: '2' } });
});

t.test('what lies outside is refused, all of it at once', async (t) => {
  const { create, pod } = await withPolicies(t);
  await create(
    table.limitRanges,
    rangeOf(
      { type: 'Container', max: { cpu: '1', memory: '1Gi' } },
      { type: 'Pod', max: { cpu: '1500m' } },
      { type: 'PersistentVolumeClaim', max: { storage: '10Gi' } },
    ),
  );
  const big = { resources: { limits: { cpu: '2', memory: '2Gi' } } };
  t.equal(
    await refusalOf(pod('big', {}, big)),
    'pods "big" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, ' +
      'maximum memory usage per Container is 1Gi, but limit is 2Gi, ' +
      'maximum cpu usage per Pod is 1500m, but limit is 2]',
  );
  const claim = {
    metadata: { name: 'c' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '11Gi' } } },
  };
  t.match(
    await refusalOf(create(table.persistentVolumeClaims, claim)),
    /maximum storage usage per PersistentVolumeClaim is 10Gi, but request is 11Gi/,
  );
});

t.test('a dry run is refused as well', async (t) => {
  const { create } = await withPolicies(t);
  await create(table.limitRanges, rangeOf({ type: 'Container', min: { cpu: '100m' }, max: { cpu: '1' } }));
  const tiny = podOf('tiny', {}, { resources: { requests: { cpu: '1m' } } });
  t.match(await refusalOf(create(table.pods, tiny, { dryRun: true })), /minimum cpu usage/);
});
