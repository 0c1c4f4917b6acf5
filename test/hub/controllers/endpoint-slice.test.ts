import t from 'tap';
import { endpointGroups, planSlices } from '../../../hub/controllers/endpoint-slice/endpoint-slice-plan.ts';
import { endpointsOf } from '../../../hub/controllers/endpoint-slice/endpoints-plan.ts';
import { endpointSlices, endpoints, pods, services } from '../../../hub/resources/table-of-resources.ts';
import type {
  EndpointSliceObject,
  EndpointsObject,
  PodObject,
  ServiceObject,
} from '../../../hub/resources/typed.ts';
import { barePod, Cluster } from './cluster.ts';

const serviceOf = (spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default', uid: 'service', ...metadata },
  spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }], ...spec },
});
const podAt = (index: number, more: { spec?: object; status?: object; metadata?: object } = {}): PodObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `web-${index}`, namespace: 'default', uid: `uid-${index}`, ...more.metadata },
    spec: {
      nodeName: 'node',
      containers: [{ name: 'main', ports: [{ name: 'http', containerPort: 8080 }] }],
      ...more.spec,
    },
    status: {
      phase: 'Running',
      podIP: `172.17.${index >> 8}.${index & 255}`,
      conditions: [{ type: 'Ready', status: 'True' }],
      ...more.status,
    },
  }) as PodObject;
const groupsOf = (pods: readonly PodObject[], service: object = serviceOf()) =>
  endpointGroups(service as ServiceObject, pods, (node) => (node === 'node' ? 'west' : undefined));
const plan = (
  pods: readonly PodObject[],
  slices: readonly EndpointSliceObject[] = [],
  service: object = serviceOf(),
) => planSlices(service as ServiceObject, groupsOf(pods, service), slices);
const sliceOf = (name: string, content: object) =>
  ({
    metadata: {
      name,
      labels: {
        'kubernetes.io/service-name': 'web',
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      },
    },
    ...content,
  }) as unknown as EndpointSliceObject;
const many = (count: number) => Array.from({ length: count }, (_, index) => podAt(index));

t.test('an endpoint says all about its pod', async (t) => {
  t.same(plan([podAt(1)]).create, [
    {
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: [
        {
          addresses: ['172.17.0.1'],
          conditions: { ready: true, serving: true, terminating: false },
          nodeName: 'node',
          targetRef: { kind: 'Pod', namespace: 'default', name: 'web-1', uid: 'uid-1' },
          zone: 'west',
        },
      ],
    },
  ]);
  const conditionsOf = (pod: PodObject, spec: object = {}) =>
    plan([pod], [], serviceOf(spec)).create[0]?.endpoints[0]?.conditions;
  const ending = { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } };
  t.same(conditionsOf(podAt(1, ending)), { ready: false, serving: true, terminating: true });
  const unready = podAt(1, { status: { conditions: [] } });
  t.same(conditionsOf(unready), { ready: false, serving: false, terminating: false });
  t.same(conditionsOf(unready, { publishNotReadyAddresses: true }), {
    ready: true,
    serving: false,
    terminating: false,
  });
  const named = podAt(1, { spec: { hostname: 'first', subdomain: 'web' } });
  t.equal(plan([named]).create[0]?.endpoints[0]?.hostname, 'first');
});

t.test(
  'who has ended or has no address is none; a Service without any has a slice that says so',
  async (t) => {
    const ended = podAt(1, { status: { phase: 'Succeeded' } });
    const waiting = podAt(2, { status: { podIP: undefined } });
    t.same(plan([ended, waiting]).create, [{ addressType: 'IPv4', ports: [], endpoints: [] }]);
    const both = plan([podAt(1)], [], serviceOf({ ipFamilies: ['IPv4', 'IPv6'] })).create;
    t.same(
      both.map(({ addressType, endpoints }) => [addressType, endpoints.length]),
      [
        ['IPv4', 1],
        ['IPv6', 0],
      ],
    );
  },
);

t.test('pods with other ports are told apart', async (t) => {
  const other = podAt(2, {
    spec: { containers: [{ name: 'main', ports: [{ name: 'http', containerPort: 9090 }] }] },
  });
  t.same(
    plan([podAt(1), other]).create.map(({ ports }) => ports[0]?.port),
    [8080, 9090],
  );
});

t.test('a hundred a slice; a change touches one of them', async (t) => {
  const { create } = plan(many(250));
  t.same(
    create.map(({ endpoints }) => endpoints.length),
    [100, 100, 50],
  );
  const slices = create.map((content, index) => sliceOf(`s${index}`, content));
  t.same(plan(many(250), slices), { create: [], update: [], remove: [] }, 'nothing to do');
  const one = plan(
    many(250).map((pod, index) => (index === 120 ? podAt(120, { status: { conditions: [] } }) : pod)),
    slices,
  );
  t.same(
    [one.create.length, one.update.map(({ slice }) => slice.metadata.name), one.remove.length],
    [0, ['s1'], 0],
  );
  const grown = plan(many(320), slices);
  t.same(
    grown.update.map(({ slice, content }) => [slice.metadata.name, content.endpoints.length]),
    [['s2', 100]],
  );
  t.same(
    grown.create.map(({ endpoints }) => endpoints.length),
    [20],
  );
  const shrunk = plan(many(150), slices);
  t.same(
    shrunk.remove.map(({ metadata }) => metadata.name),
    ['s2'],
  );
  const none = plan([], slices);
  t.same([none.create.length, none.remove.length], [1, 3]);
});

t.test('the older kind: one object, of one family', async (t) => {
  const unready = podAt(2, { status: { conditions: [] } });
  const ending = podAt(3, { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } });
  const address = (index: number) => ({
    ip: `172.17.0.${index}`,
    nodeName: 'node',
    targetRef: { kind: 'Pod', namespace: 'default', name: `web-${index}`, uid: `uid-${index}` },
  });
  t.same(endpointsOf(groupsOf([podAt(1), unready, ending]), 'IPv4'), {
    subsets: [
      {
        addresses: [address(1)],
        notReadyAddresses: [address(2)],
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      },
    ],
    annotations: {},
  });
  t.same(endpointsOf(groupsOf([]), 'IPv4').subsets, []);
  const full = endpointsOf(groupsOf(many(1200)), 'IPv4');
  t.equal(full.subsets[0]?.addresses?.length, 1000);
  t.same(full.annotations, { 'endpoints.kubernetes.io/over-capacity': 'truncated' });
});

t.test('follows pods and Services', async (t) => {
  const cluster = await Cluster.start(t);
  await cluster.addNode('node', { labels: { 'topology.kubernetes.io/zone': 'west' } });
  await cluster.create(services, serviceOf({}, { labels: { of: 'shop' } }));
  const slices = () => cluster.list<EndpointSliceObject>(endpointSlices);
  const addresses = () => slices().flatMap(({ endpoints }) => endpoints.flatMap((each) => each.addresses));
  await cluster.until('there is a slice', () => slices().length === 1);
  t.match(slices()[0]?.metadata, {
    generateName: 'web-',
    labels: { of: 'shop', 'kubernetes.io/service-name': 'web' },
    ownerReferences: [{ kind: 'Service', name: 'web' }],
  });
  const container = { name: 'main', image: 'busybox:1', ports: [{ name: 'http', containerPort: 8080 }] };
  await cluster.create(pods, barePod('a', { containers: [container] }, { app: 'web' }));
  await cluster.create(pods, barePod('b', { containers: [container] }, { app: 'else' }));
  const report = (name: string, podIP: string) =>
    cluster.change(
      pods,
      name,
      (pod) => {
        pod.status = { ...(pod as PodObject).status, phase: 'Running', podIP, podIPs: [{ ip: podIP }] };
      },
      'status',
    );
  await report('a', '172.17.0.2');
  await report('b', '172.17.0.3');
  await cluster.until('the pod is told', () => addresses().join() === '172.17.0.2');
  const older = () => cluster.find<EndpointsObject>(endpoints, 'web')?.subsets?.[0]?.notReadyAddresses ?? [];
  await cluster.until('the older kind tells it too', () => older()[0]?.ip === '172.17.0.2');
  await cluster.registry.delete(endpoints, 'default', 'web', {});
  await cluster.until('and comes back', () => older().length === 1);
  await cluster.change(pods, 'b', (pod) => Object.assign(pod.metadata, { labels: { app: 'web' } }));
  await cluster.until('both are', () => addresses().length === 2);
  await cluster.change(pods, 'a', (pod) => Object.assign(pod.metadata, { labels: {} }));
  await cluster.until('one went', () => addresses().join() === '172.17.0.3');
  await cluster.registry.delete(pods, 'default', 'b', { gracePeriodSeconds: 0 });
  await cluster.until('none is left', () => addresses().length === 0 && slices().length === 1);
  await cluster.registry.delete(services, 'default', 'web', {});
  await cluster.until('nor a slice', () => slices().length === 0 && !cluster.find(endpoints, 'web'));
});
