import t from 'tap';
import { endpointAddressErrors, isStrictSubrange, rangeErrors } from '../../../hub/resources/addresses.ts';
import {
  endpointSlices,
  endpoints,
  ingressClasses,
  ingresses,
  networkPolicies,
  services,
} from '../../../hub/resources/table-of-resources.ts';
import type { ServiceObject } from '../../../hub/resources/typed.ts';
import { cells, columnNames, created, type Loose, refuses, refusesUpdates, sample } from './rule-rows.ts';

const spec = (fields: Loose) => ({ spec: fields });
const ADDRESS = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const RANGE = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';
const PORT = 'must be between 1 and 65535, inclusive';

t.test('addresses', async (t) => {
  t.same(endpointAddressErrors('10.0.0.1'), []);
  for (const special of [
    '0.0.0.0',
    '::',
    '127.0.0.1',
    '::1',
    '169.254.1.1',
    'fe80::1',
    '224.0.0.5',
    'ff02::1',
  ])
    t.equal(endpointAddressErrors(special).length, 1, special);
  t.same(endpointAddressErrors('10.0.0'), [ADDRESS]);
  t.same(rangeErrors('10.0.0.0/8'), []);
  for (const wrong of ['10.0.0.0', '10.0.0.0/33', '::/129', 'x/8'])
    t.same(rangeErrors(wrong), [RANGE], wrong);
  t.equal(isStrictSubrange('10.1.0.0/16', '10.0.0.0/8'), true);
  t.equal(isStrictSubrange('10.0.0.0/8', '10.0.0.0/8'), false);
  t.equal(isStrictSubrange('11.0.0.0/16', '10.0.0.0/8'), false);
  t.equal(isStrictSubrange('::/64', '10.0.0.0/8'), false);
});

t.test('Service: defaults', async (t) => {
  t.same(created(services).spec, {
    selector: { app: 'sample' },
    ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    type: 'ClusterIP',
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
  });
  t.same(created(services).status, { loadBalancer: {} });
  t.match(sample(services, spec({ type: 'LoadBalancer', sessionAffinity: 'ClientIP' })).spec, {
    externalTrafficPolicy: 'Cluster',
    allocateLoadBalancerNodePorts: true,
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
  });
  t.match(sample(services, spec({ clusterIP: 'fd00::1' })).spec, {
    clusterIPs: ['fd00::1'],
    ipFamilies: ['IPv6'],
  });
  t.match(sample(services, spec({ clusterIP: 'None', selector: undefined })).spec, {
    clusterIPs: ['None'],
    ipFamilies: ['IPv4', 'IPv6'],
    ipFamilyPolicy: 'RequireDualStack',
  });
  const external = sample(
    services,
    spec({ type: 'ExternalName', externalName: 'a.example.com' }),
  ) as ServiceObject;
  t.equal(external.spec.ipFamilies, undefined);
});

t.test('Service: what is wrong', async (t) => {
  const port = (fields: Loose) => spec({ ports: [{ port: 80, ...fields }] });
  const balancer = (fields: Loose) => spec({ type: 'LoadBalancer', ...fields });
  refuses(t, services, [
    [
      spec({ type: 'x' }),
      'spec.type: Unsupported value: "x": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
    [spec({ ports: [] }), 'spec.ports: Required value'],
    [spec({ ports: [], clusterIP: 'None' })],
    [
      spec({ type: 'NodePort', clusterIP: 'None' }),
      `spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services`,
    ],
    [
      balancer({ clusterIP: 'None' }),
      `spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for LoadBalancer services`,
    ],
    [
      balancer({ ports: [{ port: 10_250 }] }),
      'spec.ports[0]: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet',
    ],
    [spec({ type: 'ExternalName' }), 'spec.externalName: Required value'],
    [
      spec({ type: 'ExternalName', externalName: 'a.b', clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'] }),
      'spec.clusterIPs: Forbidden: may not be set for ExternalName services',
    ],
    [
      port({ port: 0 }),
      `spec.ports[0].port: Invalid value: 0: ${PORT}`,
      `spec.ports[0].targetPort: Invalid value: 0: ${PORT}`,
    ],
    [port({ targetPort: 70_000 }), `spec.ports[0].targetPort: Invalid value: 70000: ${PORT}`],
    [
      port({ targetPort: '123' }),
      'spec.ports[0].targetPort: Invalid value: "123": must contain at least one letter (a-z)',
    ],
    [
      port({ protocol: 'x' }),
      'spec.ports[0].protocol: Unsupported value: "x": supported values: "SCTP", "TCP", "UDP"',
    ],
    [
      port({ nodePort: 30_000 }),
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ],
    [
      spec({ ports: [{ port: 80 }, { port: 81 }] }),
      'spec.ports[0].name: Required value',
      'spec.ports[1].name: Required value',
    ],
    [
      spec({
        ports: [
          { name: 'a', port: 80 },
          { name: 'a', port: 80 },
        ],
      }),
      'spec.ports[1].name: Duplicate value: "a"',
      'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}',
    ],
    [
      spec({
        type: 'NodePort',
        ports: [
          { name: 'a', port: 80, nodePort: 30_000 },
          { name: 'b', port: 81, nodePort: 30_000 },
        ],
      }),
      'spec.ports[1].nodePort: Duplicate value: 30000',
    ],
    [
      spec({ sessionAffinity: 'x' }),
      'spec.sessionAffinity: Unsupported value: "x": supported values: "ClientIP", "None"',
    ],
    [
      spec({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 90_000 } } }),
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and less than 86400',
    ],
    [spec({ externalIPs: ['x'] }), `spec.externalIPs[0]: Invalid value: "x": ${ADDRESS}`],
    [
      spec({ externalIPs: ['127.0.0.1'] }),
      'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ],
    [
      spec({ loadBalancerSourceRanges: ['10.0.0.0/8'] }),
      "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      balancer({ loadBalancerSourceRanges: ['x'] }),
      `spec.LoadBalancerSourceRanges[0]: Invalid value: "x": ${RANGE}`,
    ],
    [
      spec({ allocateLoadBalancerNodePorts: true }),
      "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      spec({ loadBalancerClass: 'a/b' }),
      "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      spec({ externalTrafficPolicy: 'Local' }),
      'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
    ],
    [
      spec({ type: 'NodePort', externalTrafficPolicy: 'x' }),
      'spec.externalTrafficPolicy: Unsupported value: "x": supported values: "Cluster", "Local"',
    ],
    [
      balancer({ healthCheckNodePort: 30_000 }),
      "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    ],
    [
      spec({ internalTrafficPolicy: 'x' }),
      'spec.internalTrafficPolicy: Unsupported value: "x": supported values: "Cluster", "Local"',
    ],
    [
      spec({ trafficDistribution: 'x' }),
      'spec.trafficDistribution: Unsupported value: "x": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"',
    ],
    [
      spec({ clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.2'] }),
      'spec.clusterIPs: Invalid value: ["10.0.0.2"]: first value must match `clusterIP`',
    ],
    [spec({ clusterIP: 'x', ipFamilies: ['IPv4'] }), `spec.clusterIPs[0]: Invalid value: "x": ${ADDRESS}`],
    [
      spec({ clusterIP: 'fd00::1', ipFamilies: ['IPv4'] }),
      'spec.clusterIPs[0]: Invalid value: "fd00::1": expected an IPv4 value as indicated by `ipFamilies[0]`',
    ],
    [
      spec({
        clusterIP: '10.0.0.1',
        clusterIPs: ['10.0.0.1', '10.0.0.2'],
        ipFamilyPolicy: 'PreferDualStack',
        ipFamilies: ['IPv4'],
      }),
      'spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2"]: may specify no more than one IP for each IP family',
    ],
    [
      spec({ ipFamilyPolicy: 'x' }),
      'spec.ipFamilyPolicy: Unsupported value: "x": supported values: "SingleStack", "PreferDualStack", "RequireDualStack"',
    ],
    [
      spec({ ipFamilies: ['x'] }),
      'spec.ipFamilies[0]: Unsupported value: "x": supported values: "IPv4", "IPv6"',
    ],
    [
      spec({ ipFamilies: ['IPv4', 'IPv4'], ipFamilyPolicy: 'PreferDualStack' }),
      'spec.ipFamilies[1]: Duplicate value: "IPv4"',
    ],
    [
      spec({ ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'SingleStack' }),
      'spec.ipFamilyPolicy: Invalid value: "SingleStack": must be RequireDualStack or PreferDualStack when multiple ipFamilies are specified',
    ],
  ]);
});

t.test('Service: what may change', async (t) => {
  const addressed = spec({ clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'] });
  refusesUpdates(t, services, addressed, [
    [spec({ clusterIP: undefined, clusterIPs: undefined })],
    [
      spec({ clusterIP: '10.0.0.2', clusterIPs: ['10.0.0.2'] }),
      'spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set',
    ],
    [spec({ type: 'ExternalName', externalName: 'a.example.com' })],
  ]);
  refusesUpdates(t, services, spec({ type: 'LoadBalancer', loadBalancerClass: 'a/b' }), [
    [
      spec({ loadBalancerClass: 'a/c' }),
      'spec.loadBalancerClass: Invalid value: "a/c": may not change once set',
    ],
    [spec({ type: 'ClusterIP' })],
  ]);
  const old = created(services, spec({ type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] }));
  const replaced = sample(services, spec({ type: 'NodePort' })) as ServiceObject;
  services.prepareForUpdate?.(replaced, old);
  t.equal(replaced.spec.ports?.[0]?.nodePort, 30_080, 'what was allocated stays');
  const inward = structuredClone(old) as ServiceObject;
  inward.spec.type = 'ClusterIP';
  services.prepareForUpdate?.(inward, old);
  t.match(inward.spec.ports, [{ nodePort: undefined }], 'and goes when nobody needs it');
  t.equal(inward.spec.externalTrafficPolicy, undefined);
});

t.test('Service: columns', async (t) => {
  t.equal(columnNames(services), 'Name, Type, Cluster-IP, External-IP, Port(s), Age, Selector*');
  t.same(cells(services), ['sample', 'ClusterIP', '<none>', '<none>', '80/TCP', '60m', 'app=sample']);
  t.same(cells(services, spec({ clusterIP: '10.0.0.1', externalIPs: ['1.2.3.4', '5.6.7.8'] })).slice(2, 4), [
    '10.0.0.1',
    '1.2.3.4,5.6.7.8',
  ]);
  const ports = [
    { port: 80, nodePort: 30_080 },
    { port: 53, protocol: 'UDP' },
  ];
  t.same(cells(services, spec({ type: 'NodePort', ports }))[4], '80:30080/TCP,53/UDP');
  t.equal(cells(services, spec({ type: 'LoadBalancer' }))[3], '<pending>');
  const status = { loadBalancer: { ingress: [{ hostname: 'lb.example.com' }, { ip: '9.9.9.9' }] } };
  t.equal(
    cells(services, { spec: { type: 'LoadBalancer', externalIPs: ['1.2.3.4'] }, status })[3],
    '9.9.9.9,lb.example.com,1.2.3.4',
  );
  t.same(
    cells(
      services,
      spec({ type: 'ExternalName', externalName: 'a.b', ports: [], selector: undefined }),
    ).slice(1),
    ['ExternalName', '<none>', 'a.b', '<none>', '60m', '<none>'],
  );
  t.equal(services.fieldSelectors?.['spec.type']?.(sample(services)), 'ClusterIP');
  t.equal(
    services.fieldSelectors?.['spec.clusterIP']?.(sample(services, spec({ clusterIP: 'None' }))),
    'None',
  );
});

t.test('Endpoints', async (t) => {
  const subset = (fields: Loose) => ({ subsets: [fields] });
  const addresses = [{ ip: '10.1.2.3' }];
  refuses(t, endpoints, [
    [
      subset({ ports: [{ port: 80 }] }),
      'subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`',
    ],
    [subset({ addresses: [{ ip: 'x' }] }), `subsets[0].addresses[0].ip: Invalid value: "x": ${ADDRESS}`],
    [
      subset({ notReadyAddresses: [{ ip: '127.0.0.1' }] }),
      'subsets[0].notReadyAddresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ],
    [subset({ addresses, ports: [{ port: 0 }] }), `subsets[0].ports[0].port: Invalid value: 0: ${PORT}`],
    [
      subset({ addresses, ports: [{ port: 1, protocol: 'x' }] }),
      'subsets[0].ports[0].protocol: Unsupported value: "x": supported values: "SCTP", "TCP", "UDP"',
    ],
    [
      subset({ addresses, ports: [{ port: 1 }, { name: 'a', port: 2 }] }),
      'subsets[0].ports[0].name: Required value',
    ],
  ]);
  t.same(cells(endpoints), ['sample', '10.1.2.3:80', '60m']);
  t.equal(cells(endpoints, { subsets: [] })[1], '<none>');
  const many = [1, 2, 3, 4, 5].map((last) => ({ ip: `10.0.0.${last}` }));
  t.equal(
    cells(endpoints, subset({ addresses: many, ports: [{ port: 80 }] }))[1],
    '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...',
  );
  t.equal(
    cells(endpoints, subset({ addresses: [{ ip: 'fd00::1' }], ports: [{ port: 80 }] }))[1],
    '[fd00::1]:80',
  );
  t.equal(cells(endpoints, subset({ addresses }))[1], '10.1.2.3');
});

t.test('EndpointSlice', async (t) => {
  const endpoint = (...addresses: string[]) => ({ endpoints: [{ addresses }] });
  refuses(t, endpointSlices, [
    [{ addressType: 'x' }, 'addressType: Unsupported value: "x": supported values: "FQDN", "IPv4", "IPv6"'],
    [endpoint(), 'endpoints[0].addresses: Required value: must contain at least 1 address'],
    [endpoint('fd00::1'), 'endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address'],
    [
      endpoint('0.0.0.0'),
      'endpoints[0].addresses[0]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0 or ::)',
    ],
    [
      endpoint(...Array.from({ length: 101 }, (_, at) => `10.0.1.${at}`)),
      'endpoints[0].addresses: Too many: 101: must have at most 100 items',
    ],
    [
      { endpoints: Array.from({ length: 1001 }, () => ({ addresses: ['10.0.0.1'] })) },
      'endpoints: Too many: 1001: must have at most 1000 items',
    ],
    [{ ports: [{ port: 80 }, { port: 81 }] }, 'ports[1].name: Duplicate value: ""'],
    [{ ports: [{ port: 0 }] }, `ports[0].port: Invalid value: 0: ${PORT}`],
    [
      { ports: [{ protocol: 'x' }] },
      'ports[0].protocol: Unsupported value: "x": supported values: "SCTP", "TCP", "UDP"',
    ],
  ]);
  refusesUpdates(t, endpointSlices, {}, [
    [{ addressType: 'FQDN', ...endpoint('a.b') }, 'addressType: Invalid value: "FQDN": field is immutable'],
    [endpoint('10.0.0.9')],
  ]);
  t.same(cells(endpointSlices), ['sample', 'IPv4', '80', '10.1.2.3', '60m']);
  t.same(cells(endpointSlices, { ports: [], endpoints: [] }).slice(2, 4), ['<unset>', '<unset>']);
  t.equal(
    cells(endpointSlices, { ports: [{ name: 'a' }, { name: 'b', port: 1 }, {}, {}] })[2],
    'a,1,* + 1 more...',
  );
  const [before, after] = [sample(endpointSlices), sample(endpointSlices)];
  after.metadata.annotations = { a: 'b' };
  t.equal(endpointSlices.bumpsGeneration?.(after, before), false);
  after.metadata.labels = { a: 'b' };
  t.equal(endpointSlices.bumpsGeneration?.(after, before), true);
});

t.test('Ingress', async (t) => {
  const service = { name: 'web', port: { number: 80 } };
  const backend = { service };
  const rule = (fields: Loose) =>
    spec({ rules: [{ http: { paths: [{ path: '/', pathType: 'Prefix', backend, ...fields }] } }] });
  const at = 'spec.rules[0].http.paths[0]';
  refuses(t, ingresses, [
    [
      spec({ defaultBackend: undefined }),
      'spec: Invalid value: []: either `defaultBackend` or `rules` must be specified',
    ],
    [
      spec({ defaultBackend: { service: undefined } }),
      'spec.defaultBackend: Required value: resource or service backend is required',
    ],
    [
      spec({ defaultBackend: { resource: { kind: 'a', name: 'b' } } }),
      'spec.defaultBackend: Invalid value: "": cannot set both resource and service backends',
    ],
    [
      spec({ defaultBackend: { service: undefined, resource: { name: 'b' } } }),
      'spec.defaultBackend.resource.kind: Required value: kind is required',
    ],
    [spec({ defaultBackend: { service: { name: '' } } }), 'spec.defaultBackend.service.name: Required value'],
    [
      spec({ defaultBackend: { service: { port: { name: 'http' } } } }),
      'spec.defaultBackend: Invalid value: "": cannot set both port name & port number',
    ],
    [
      spec({ defaultBackend: { service: { port: { number: undefined } } } }),
      'spec.defaultBackend: Required value: port name or number is required',
    ],
    [
      spec({ rules: [{ host: '1.2.3.4' }] }),
      'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
    ],
    [spec({ rules: [{ http: { paths: [] } }] }), 'spec.rules[0].http.paths: Required value'],
    [rule({ pathType: undefined }), `${at}.pathType: Required value: pathType must be specified`],
    [
      rule({ pathType: 'x' }),
      `${at}.pathType: Unsupported value: "x": supported values: "Exact", "ImplementationSpecific", "Prefix"`,
    ],
    [rule({ path: 'a' }), `${at}.path: Invalid value: "a": must be an absolute path`],
    [rule({ path: '/a//b' }), `${at}.path: Invalid value: "/a//b": must not contain '//'`],
    [rule({ path: '/a/..' }), `${at}.path: Invalid value: "/a/..": cannot end with '/..'`],
    [rule({ path: undefined, pathType: 'ImplementationSpecific' })],
    [rule({ backend: {} }), `${at}.backend: Required value: resource or service backend is required`],
    [
      { metadata: { annotations: { 'kubernetes.io/ingress.class': 'a' } }, spec: { ingressClassName: 'b' } },
      'annotations.kubernetes.io/ingress.class: Invalid value: "a": can not be set when the class field is also set',
    ],
    [spec({ rules: [{ host: '*.example.com' }], tls: [{ hosts: ['*.example.com'] }] })],
  ]);
  t.equal(columnNames(ingresses), 'Name, Class, Hosts, Address, Ports, Age');
  t.same(cells(ingresses), ['sample', '<none>', '*', '', '80', '60m']);
  const rules = ['a', 'b', 'c', 'd'].map((host) => ({ host }));
  const status = { loadBalancer: { ingress: [{ ip: '9.9.9.9' }, { hostname: 'a.b' }] } };
  t.same(cells(ingresses, { spec: { rules, tls: [{}], ingressClassName: 'nginx' }, status }).slice(1, 5), [
    'nginx',
    'a,b,c + 1 more...',
    '9.9.9.9,a.b',
    '80, 443',
  ]);
});

t.test('IngressClass', async (t) => {
  const parameters = { kind: 'Config', name: 'a' };
  t.match(sample(ingressClasses, spec({ parameters })), { spec: { parameters: { scope: 'Cluster' } } });
  refuses(t, ingressClasses, [
    [
      spec({ controller: 'x' }),
      'spec.controller: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")',
    ],
    [
      spec({ controller: `a.io/${'x'.repeat(250)}` }),
      'spec.controller: Too long: may not be more than 250 bytes',
    ],
    [spec({ parameters: { name: 'a' } }), 'spec.parameters.kind: Required value: kind is required'],
    [spec({ parameters: { kind: 'a' } }), 'spec.parameters.name: Required value: name is required'],
    [
      spec({ parameters: { ...parameters, scope: 'x' } }),
      'spec.parameters.scope: Unsupported value: "x": supported values: "Cluster", "Namespace"',
    ],
    [
      spec({ parameters: { ...parameters, namespace: 'n' } }),
      "spec.parameters.namespace: Forbidden: parameters.scope is set to 'Cluster'",
    ],
    [
      spec({ parameters: { ...parameters, scope: 'Namespace' } }),
      "spec.parameters.namespace: Required value: parameters.scope is set to 'Namespace'",
    ],
  ]);
  refusesUpdates(t, ingressClasses, {}, [
    [spec({ controller: 'a.io/b' }), 'spec.controller: Invalid value: "a.io/b": field is immutable'],
  ]);
  t.same(cells(ingressClasses), ['sample', 'example.com/ingress', '<none>', '60m']);
  t.equal(
    cells(ingressClasses, spec({ parameters: { ...parameters, apiGroup: 'a.io' } }))[2],
    'Config.a.io/a',
  );
  t.equal(
    ingressClasses.bumpsGeneration?.(
      sample(ingressClasses),
      sample(ingressClasses, spec({ controller: 'a/b' })),
    ),
    true,
  );
});

t.test('NetworkPolicy', async (t) => {
  t.match(sample(networkPolicies), { spec: { policyTypes: ['Ingress'] } });
  t.match(sample(networkPolicies, spec({ egress: [{ ports: [{ port: 53 }] }] })).spec, {
    policyTypes: ['Ingress', 'Egress'],
    egress: [{ ports: [{ protocol: 'TCP' }] }],
  });
  const port = (fields: Loose) => spec({ ingress: [{ ports: [fields] }] });
  const peer = (fields: Loose) => spec({ ingress: [{ from: [fields] }] });
  const at = 'spec.ingress[0].ports[0]';
  refuses(t, networkPolicies, [
    [
      spec({ policyTypes: ['x'] }),
      'spec.policyTypes[0]: Unsupported value: "x": supported values: "Egress", "Ingress"',
    ],
    [
      spec({ policyTypes: ['Ingress', 'Egress', 'x'] }),
      'spec.policyTypes: Invalid value: ["Ingress","Egress","x"]: may not specify more than two policyTypes',
    ],
    [
      port({ protocol: 'x' }),
      `${at}.protocol: Unsupported value: "x": supported values: "SCTP", "TCP", "UDP"`,
    ],
    [port({ port: 0 }), `${at}.port: Invalid value: 0: ${PORT}`],
    [port({ endPort: 5 }), `${at}.port: Required value: must be specified when \`endPort\` is specified`],
    [
      port({ port: 'http', endPort: 5 }),
      `${at}.endPort: Invalid value: 5: may not be specified when \`port\` is non-numeric`,
    ],
    [
      port({ port: 10, endPort: 5 }),
      `${at}.endPort: Invalid value: 5: must be greater than or equal to \`port\``,
    ],
    [port({ port: 10, endPort: 70_000 }), `${at}.endPort: Invalid value: 70000: ${PORT}`],
    [peer({}), 'spec.ingress[0].from[0]: Required value: must specify a peer'],
    [
      peer({ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }),
      'spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer',
    ],
    [peer({ ipBlock: { cidr: '' } }), 'spec.ingress[0].from[0].ipBlock.cidr: Required value'],
    [peer({ ipBlock: { cidr: 'x' } }), `spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "x": ${RANGE}`],
    [
      peer({ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }),
      'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
    ],
    [peer({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } })],
  ]);
  t.same(cells(networkPolicies), ['sample', '<none>', '60m']);
  t.equal(cells(networkPolicies, spec({ podSelector: { matchLabels: { a: 'b' } } }))[1], 'a=b');
});
