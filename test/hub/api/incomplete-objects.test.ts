import t from 'tap';
import { startHub } from './test-hub.ts';

/* Whatever part of an object is missing or empty, the answer is a verdict on the object and never a failure. */

const hub = await startHub(t);
type Tree = { [key: string]: unknown } | unknown[];

const podSpec = {
  containers: [
    {
      name: 'a',
      image: 'b:1',
      ports: [{ name: 'http', containerPort: 80, hostPort: 80, hostIP: '127.0.0.1', protocol: 'TCP' }],
      env: [
        { name: 'A', value: 'b' },
        { name: 'B', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        { name: 'C', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
        { name: 'D', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', containerName: 'i' } } },
      ],
      envFrom: [{ configMapRef: { name: 'c' } }, { secretRef: { name: 's' } }],
      volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'x', mountPropagation: 'None' }],
      resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }],
      resources: { limits: { cpu: '1' }, requests: { cpu: '1' } },
      livenessProbe: { httpGet: { port: 80, path: '/', httpHeaders: [{ name: 'a', value: 'b' }] } },
      readinessProbe: { tcpSocket: { port: 'http' } },
      startupProbe: { exec: { command: ['x'] } },
      lifecycle: {
        preStop: { httpGet: { port: 1 } },
        postStart: { sleep: { seconds: 1 } },
        stopSignal: 'SIGINT',
      },
      securityContext: {
        capabilities: { add: ['A'] },
        seccompProfile: { type: 'Localhost', localhostProfile: 'x' },
        appArmorProfile: { type: 'Localhost', localhostProfile: 'x' },
      },
    },
  ],
  initContainers: [{ name: 'i', image: 'b', restartPolicy: 'Always', resources: { limits: { cpu: '1' } } }],
  volumes: [
    { name: 'v', configMap: { name: 'c', items: [{ key: 'k', path: 'p' }] } },
    { name: 'w', secret: { secretName: 's', items: [{ key: 'k', path: 'p' }] } },
    { name: 'x', hostPath: { path: '/x' } },
    { name: 'y', downwardAPI: { items: [{ path: 'p', fieldRef: { fieldPath: 'metadata.name' } }] } },
    {
      name: 'z',
      projected: {
        sources: [
          { secret: { name: 's' } },
          { configMap: { name: 'c', items: [{ key: 'k', path: 'q' }] } },
          {
            downwardAPI: {
              items: [{ path: 'p', resourceFieldRef: { resource: 'limits.cpu', containerName: 'a' } }],
            },
          },
          { serviceAccountToken: { path: 't' } },
        ],
      },
    },
    { name: 'u', persistentVolumeClaim: { claimName: 'c' } },
  ],
  tolerations: [{ key: 'a', operator: 'Equal', value: 'b', effect: 'NoExecute', tolerationSeconds: 5 }],
  os: { name: 'linux' },
  hostAliases: [{ ip: '192.0.2.1', hostnames: ['x'] }],
  dnsConfig: { nameservers: ['192.0.2.2'] },
  imagePullSecrets: [{ name: 's' }],
  readinessGates: [{ conditionType: 'a' }],
  nodeSelector: { a: 'b' },
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }],
      },
    },
  },
};
const metadata = {
  name: 'x',
  labels: { app: 'x' },
  annotations: { a: 'b' },
  finalizers: ['a.b/c'],
  ownerReferences: [{ apiVersion: 'v1', kind: 'A', name: 'b', uid: 'c', controller: true }],
};
const template = { metadata: { labels: { app: 'x' }, annotations: { a: 'b' } }, spec: podSpec };
const selector = {
  matchLabels: { app: 'x' },
  matchExpressions: [{ key: 'app', operator: 'In', values: ['x'] }],
};
const core = '/api/v1/namespaces/default';
const apps = '/apis/apps/v1/namespaces/default';
const rollingUpdate = { maxSurge: 1, maxUnavailable: 0 };

const objects: [string, { [key: string]: unknown }][] = [
  [`${core}/pods`, { metadata, spec: podSpec }],
  [
    `${apps}/deployments`,
    { metadata, spec: { selector, template, strategy: { type: 'RollingUpdate', rollingUpdate } } },
  ],
  [`${apps}/replicasets`, { metadata, spec: { selector, template } }],
  [
    `${apps}/daemonsets`,
    { metadata, spec: { selector, template, updateStrategy: { type: 'RollingUpdate', rollingUpdate } } },
  ],
  [`${apps}/controllerrevisions`, { metadata, data: { a: 1 }, revision: 1 }],
  [`${core}/configmaps`, { metadata, data: { a: 'b' }, binaryData: { c: 'eA==' }, immutable: false }],
  [`${core}/secrets`, { metadata, type: 'Opaque', data: { a: 'eA==' }, stringData: { b: 'x' } }],
  [`${core}/serviceaccounts`, { metadata, secrets: [{ name: 'a' }] }],
  [
    `${core}/events`,
    {
      metadata,
      involvedObject: { namespace: 'default', kind: 'Pod' },
      series: { count: 1 },
      source: { component: 'a' },
    },
  ],
  [
    '/apis/coordination.k8s.io/v1/namespaces/default/leases',
    { metadata, spec: { holderIdentity: 'a', leaseDurationSeconds: 1 } },
  ],
  ['/api/v1/nodes', { metadata, spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }],
  ['/api/v1/namespaces', { metadata, spec: { finalizers: ['kubernetes'] } }],
];

/** Every copy of a tree that lacks one part, has it empty, or has it null. */
function* damaged(tree: Tree): Generator<Tree> {
  for (const [key, part] of Object.entries(tree)) {
    const isTree = typeof part === 'object' && part !== null;
    const values = isTree
      ? [undefined, null, Array.isArray(part) ? [] : {}]
      : [undefined, null, typeof part === 'string' ? '' : 0];
    for (const value of values) yield withPart(tree, key, value);
    if (isTree) for (const each of damaged(part as Tree)) yield withPart(tree, key, each);
  }
}

function withPart(tree: Tree, key: string, value: unknown): Tree {
  const copy: Tree = Array.isArray(tree) ? [...tree] : { ...tree };
  Object.assign(copy, { [key]: value });
  return Array.isArray(copy) && value === undefined ? copy.filter((_, index) => String(index) !== key) : copy;
}

for (const [path, object] of objects) {
  t.test(path, async (t) => {
    t.equal(
      (await hub.post(`${path}?fieldValidation=Strict`, object)).code,
      201,
      'the whole object is accepted',
    );
    const table = { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } };
    const failures: unknown[] = [];
    let tried = 0;
    for (const body of damaged(object)) {
      for (const answer of [
        await hub.post(
          `${path}?dryRun=All`,
          { ...body, metadata: (body as { metadata?: object }).metadata },
          table,
        ),
        await hub.put(`${path}/x?dryRun=All`, body, table),
      ]) {
        tried++;
        if (answer.code >= 500) failures.push([body, hub.errors.pop()]);
      }
    }
    t.ok(tried > 20, `${tried} requests`);
    t.same(failures, []);
  });
}
