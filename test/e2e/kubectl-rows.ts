/** What a line of kubectl must print: all of it, or what is to be found in it. */
export type Expected = string | RegExp;

/**
 * A line of kubectl and its result. Here and in the manifests, `{v}` stands for the version under test, which is also the
 * name of its namespace, and `{dir}` for the directory of the manifests. With `fails`, the line ends with that code and the result is what
 * it prints as its error.
 */
export interface Row {
  readonly line: string;
  readonly prints: Expected;
  readonly fails?: number;
  readonly env?: Readonly<Record<string, string>>;
}

const row = (line: string, prints: Expected, more: Omit<Row, 'line' | 'prints'> = {}): Row => ({
  line,
  prints,
  ...more,
});
const refused = (line: string, prints: Expected, fails = 1): Row => ({ line, prints, fails });

const template = (app: string, image = 'busybox:1') => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'main', image, ports: [{ containerPort: 80 }] }] },
});
const deployment = (name: string, spec: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: { selector: { matchLabels: { app: name } }, template: template(name), ...spec },
});
const map = (name: string, data: object, labels?: object) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...(labels && { labels }) },
  data,
});
const list = (...items: object[]) => ({ apiVersion: 'v1', kind: 'List', items });

/** By the name of the file. */
export const MANIFESTS: Readonly<Record<string, object>> = {
  'maps.json': list(
    map('get-a', { a: '1' }, { in: 'get', tier: 'one' }),
    map('get-b', { a: '2', b: '2' }, { in: 'get', tier: 'two' }),
    map('get-c', {}, { in: 'get' }),
  ),
  'create.json': map('created', { a: 'b' }),
  'unknown.json': { ...map('unknown', {}), unheard: 1 },
  'apply.json': deployment('applied', { replicas: 1 }),
  'apply-2.json': deployment('applied', { replicas: 2 }),
  'server.json': deployment('server', { replicas: 1 }),
  'moved.json': deployment('moved', { replicas: 1 }),
  'prune-both.json': list(map('pruned-a', {}, { in: 'prune' }), map('pruned-b', {}, { in: 'prune' })),
  'prune-one.json': map('pruned-a', {}, { in: 'prune' }),
  'replace.json': map('edited', { a: 'replaced' }),
  'history.json': deployment('history', { replicas: 1 }),
  'stateful.json': {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'everywhere' },
    spec: { selector: { matchLabels: { app: 'everywhere' } }, template: template('everywhere') },
  },
  'kustomization.json': {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namePrefix: 'made-',
    resources: ['base.json'],
    configMapGenerator: [{ name: 'generated', literals: ['a=b'], options: { disableNameSuffixHash: true } }],
  },
  'base.json': map('base', { from: 'base' }),
  'roles.json': {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'reconciled', namespace: '{v}' },
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
  },
  'budget.json': {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'guard' },
    spec: { minAvailable: 1, selector: { matchLabels: { run: 'guarded' } } },
  },
};

const APPLIED = '-o jsonpath={.spec.replicas}';
const SELF = 'get cm edited -o jsonpath={.data}';

/** Rows of a group follow each other; groups have nothing to do with each other. */
export const GROUPS: Readonly<Record<string, readonly Row[]>> = {
  'about the cluster': [
    row('version', /Server Version: v1\.34\.\d+\+holdfast/),
    row('version -o json', /"gitVersion": "v1\.34\.\d+\+holdfast/),
    row(
      'api-resources --api-group=apps -o name',
      'controllerrevisions.apps\ndaemonsets.apps\ndeployments.apps\nreplicasets.apps\nstatefulsets.apps\n',
    ),
    row(
      'api-resources --namespaced=false -o wide',
      /^nodes +no +v1 +false +Node +create,delete,deletecollection,get,list,patch,update,watch *$/m,
    ),
    row('api-resources --categories=all -o name', /^pods$[\s\S]*^deployments\.apps$/m),
    row('api-versions', /^apps\/v1$[\s\S]*^autoscaling\/v1$[\s\S]*^v1$/m),
    row('cluster-info', /control plane.* is running at .*https:\/\/127\.0\.0\.1:\d+/),
    row(
      'cluster-info dump --namespaces=kube-public -o json',
      /"kind": "NodeList"[\s\S]*"kind": "ServiceList"/,
    ),
    row('config view --minify -o jsonpath={.contexts[0].name}', 'test'),
    row('config current-context', 'test\n'),
    row('get --raw /readyz', 'ok'),
    row('get --raw /livez?verbose', /livez check passed/),
    row('get --raw /api/v1/namespaces/{v}', /^\{"kind":"Namespace"|"kind":"Namespace"/),
    refused('get gadgets', 'error: the server doesn\'t have a resource type "gadgets"\n'),
    refused('get --raw /nowhere', /the server could not find the requested resource/),
    {
      ...refused('plugin list', /unable to find any kubectl plugins in your PATH/),
      env: { PATH: '/nowhere' },
    },
  ],
  get: [
    row(
      'create -f {dir}/maps.json',
      'configmap/get-a created\nconfigmap/get-b created\nconfigmap/get-c created\n',
    ),
    row('get cm -l in=get', /^NAME +DATA +AGE\nget-a +1 +\d+s\nget-b +2 +\d+s\nget-c +0 +\d+s\n$/),
    row('get cm -l in=get --chunk-size=1 -o name', 'configmap/get-a\nconfigmap/get-b\nconfigmap/get-c\n'),
    row('get cm -l in=get,tier!=one -o name', 'configmap/get-b\nconfigmap/get-c\n'),
    row(
      "get cm -l 'tier in (one,two)' --show-labels --no-headers",
      /^get-a .* in=get,tier=one\nget-b .* in=get,tier=two\n$/,
    ),
    row('get cm -l in=get -L tier', /^NAME +DATA +AGE +TIER\nget-a +1 +\d+s +one\n/),
    row('get cm -l in=get --sort-by=.data.a --no-headers', /^get-c .*\nget-a .*\nget-b .*\n$/),
    row('get cm --field-selector metadata.name=get-b -o name', 'configmap/get-b\n'),
    row('get cm -l in=get -o jsonpath={.items[*].metadata.name}', 'get-a get-b get-c'),
    row(
      'get cm -l in=get -o custom-columns=N:.metadata.name,A:.data.a',
      'N       A\nget-a   1\nget-b   2\nget-c   <none>\n',
    ),
    row("get cm get-a -o 'go-template={{.data.a}}'", '1'),
    row('get cm get-a -o yaml', /^apiVersion: v1\ndata:\n {2}a: "1"\nkind: ConfigMap\nmetadata:\n/),
    row('get cm get-a -o json', /^\{\n {4}"apiVersion": "v1",\n {4}"data": \{\n {8}"a": "1"/),
    row('get cm get-a get-b -o name', 'configmap/get-a\nconfigmap/get-b\n'),
    row('get cm/get-a sa/default --no-headers', /^configmap\/get-a +1 .*\n+serviceaccount\/default .*\n$/),
    row(
      'get cm -A --field-selector metadata.name=get-a,metadata.namespace={v} --no-headers',
      /^\{v\} +get-a +1 +\d+s\n$/,
    ),
    row('get cm get-a --show-kind --no-headers', /^configmap\/get-a +1/),
    row('get cm none --ignore-not-found', ''),
    row('get cm -l in=none', ''),
    refused('get cm none', 'Error from server (NotFound): configmaps "none" not found\n'),
    refused("get cm -l 'a in'", /unable to parse requirement/),
    refused('get cm --field-selector data.a=1', /field label not supported: data\.a/),
    row(
      'describe cm get-b',
      /^Name: +get-b\nNamespace: +\{v\}\nLabels: +in=get\n +tier=two\n[\s\S]*Data\n====\na:\n----\n2\n/,
    ),
  ],
  explain: [
    row(
      'explain deployment.spec.replicas',
      /FIELD: replicas <integer>\n\n*DESCRIPTION:\n +Number of desired pods/,
    ),
    row(
      'explain pod.spec.containers --recursive',
      /livenessProbe\t<Probe>[\s\S]*\n {6}command\t<\[\]string>/,
    ),
    row('explain hpa.spec.metrics --api-version=autoscaling/v2', /FIELD: metrics <\[\]MetricSpec>/),
    row('explain hpa.spec --api-version=autoscaling/v1', /targetCPUUtilizationPercentage\t<integer>/),
    row(
      'explain cm --output=plaintext-openapiv2',
      /KIND: +ConfigMap\nVERSION: +v1\n\nDESCRIPTION:[\s\S]*binaryData\t<map\[string\]string>[\s\S]*metadata\t<Object>/,
    ),
    row(
      'explain deploy.spec.strategy.rollingUpdate.maxSurge --output=plaintext-openapiv2',
      /KIND: +Deployment\nVERSION: +apps\/v1\n\nFIELD: +maxSurge <string>/,
    ),
    refused('explain pod.spec.nothing', /field "nothing" does not exist/),
  ],
  create: [
    row('create -f {dir}/create.json', 'configmap/created created\n'),
    refused('create -f {dir}/create.json', /AlreadyExists.*configmaps "created" already exists/),
    refused('create -f {dir}/unknown.json', /strict decoding error: unknown field "unheard"/),
    row(
      'create -f {dir}/unknown.json --validate=false --dry-run=server',
      'configmap/unknown created (server dry run)\n',
    ),
    row("create cm literal --from-literal='a=b c'", 'configmap/literal created\n'),
    row('get cm literal -o jsonpath={.data.a}', 'b c'),
    row('create secret generic hidden --from-literal=a=b', 'secret/hidden created\n'),
    row('get secret hidden -o jsonpath={.data.a}/{.type}', 'Yg==/Opaque'),
    row('create cronjob often --image=busybox:1 --schedule=@daily -- date', 'cronjob.batch/often created\n'),
    row('create job now --from=cronjob/often', 'job.batch/now created\n'),
    row('get job now -o jsonpath={.metadata.ownerReferences[0].name}', 'often'),
    row('create deployment dry --image=a --dry-run=client -o name', 'deployment.apps/dry\n'),
    row(
      'create deployment dry --image=a --dry-run=server -o jsonpath={.spec.progressDeadlineSeconds}',
      '600',
    ),
    row('create quota few --hard=configmaps=100', 'resourcequota/few created\n'),
    row('create sa robot', 'serviceaccount/robot created\n'),
    row('create token robot', /^[\w-]+\.[\w-]+\.[\w-]+\s*$/),
    row('create role reader --verb=get --resource=pods', 'role.rbac.authorization.k8s.io/reader created\n'),
    row('create rolebinding readers --role=reader --serviceaccount={v}:robot', /readers created/),
    row('get rolebinding readers -o wide --no-headers', /^readers +Role\/reader +\d+s +\{v\}\/robot *\n$/),
    row('create ingress web --rule=example.com/=web:80', 'ingress.networking.k8s.io/web created\n'),
    row('create ns {v}-made', 'namespace/{v}-made created\n'),
    row('delete ns {v}-made', 'namespace "{v}-made" deleted\n'),
  ],
  'run and expose': [
    row(
      'run ran --image=busybox:1 --port=80 --labels=app=ran --env=A=b --restart=Never',
      'pod/ran created\n',
    ),
    row('wait pod/ran --for=condition=Ready --timeout=60s', 'pod/ran condition met\n'),
    row(
      'get pod ran -o jsonpath={.spec.containers[0].env[0].value}/{.spec.containers[0].ports[0].containerPort}/{.spec.restartPolicy}/{.status.phase}',
      'b/80/Never/Running',
    ),
    row('run dry --image=busybox:1 --dry-run=client -o jsonpath={.metadata.labels.run}', 'dry'),
    row('expose pod ran --port=8080 --target-port=80 --name=ran-service', 'service/ran-service exposed\n'),
    row(
      'get svc ran-service -o jsonpath={.spec.selector.app}:{.spec.ports[0].port}:{.spec.ports[0].targetPort}:{.spec.type}',
      'ran:8080:80:ClusterIP',
    ),
    row('expose svc ran-service --name=outside --type=NodePort --port=80', 'service/outside exposed\n'),
    row('get svc -o name', 'service/outside\nservice/ran-service\n'),
    refused('logs ran', /containers can not be reached/),
    refused('top pod', 'error: metrics not available yet\n'),
    refused('top node', 'error: metrics not available yet\n'),
    row('get pods.metrics.k8s.io', /^No resources found in \{v\} namespace\.\n$/),
    refused(
      'get pods.metrics.k8s.io ran',
      'Error from server (NotFound): podmetrics.metrics.k8s.io "{v}/ran" not found\n',
    ),
    refused('delete nodes.metrics.k8s.io device', /MethodNotAllowed/),
    row(
      'explain nodes --api-version=metrics.k8s.io/v1beta1',
      /KIND: +NodeMetrics[\s\S]*VERSION: +v1beta1[\s\S]*usage\t<map/,
    ),
    row('explain pods.containers.usage --api-version=metrics.k8s.io/v1beta1', /FIELD: usage/),
    row(
      'api-resources --api-group=metrics.k8s.io --no-headers',
      /nodes +metrics.k8s.io\/v1beta1 +false +NodeMetrics/,
    ),
    row('debug ran --image=busybox:1 -c looker --target=ran --profile=general', /Targeting container "ran"/),
    row(
      'get pod ran -o jsonpath={.spec.ephemeralContainers[0].name}:{.spec.ephemeralContainers[0].targetContainerName}:{.spec.ephemeralContainers[0].securityContext}',
      'looker:ran:{"capabilities":{"add":["SYS_PTRACE"]}}',
    ),
    refused(
      'debug ran --image=busybox:1 -c ran --profile=general',
      /spec.ephemeralContainers\[\d\].name: Duplicate value: "ran"|already exists/,
    ),
    row('debug ran --copy-to=copy --image=busybox:1 -c looker --attach=false', ''),
    row('get pod copy -o jsonpath={.spec.containers[*].name}', 'ran looker'),
    row('events --for pod/ran', /Normal +Scheduled +Pod\/ran +Successfully assigned \{v\}\/ran to device/),
    row(
      'get events --field-selector involvedObject.name=ran,reason=Scheduled --no-headers',
      /Scheduled +pod\/ran/,
    ),
    row('describe pod ran', /Status: +Running[\s\S]*Events:[\s\S]*Scheduled/),
    row(
      'delete pod ran copy --now',
      'pod "ran" deleted from {v} namespace\npod "copy" deleted from {v} namespace\n',
    ),
  ],
  apply: [
    row('apply -f {dir}/apply.json', 'deployment.apps/applied created\n'),
    row('apply -f {dir}/apply.json', 'deployment.apps/applied unchanged\n'),
    refused('diff -f {dir}/apply-2.json', /-\s+replicas: 1\n\+\s+replicas: 2/),
    row(
      'apply -f {dir}/apply-2.json --dry-run=server',
      'deployment.apps/applied configured (server dry run)\n',
    ),
    row('apply -f {dir}/apply-2.json --dry-run=client', 'deployment.apps/applied configured (dry run)\n'),
    row(`get deploy applied ${APPLIED}`, '1'),
    row('apply -f {dir}/apply-2.json', 'deployment.apps/applied configured\n'),
    row(`get deploy applied ${APPLIED}`, '2'),
    row('diff -f {dir}/apply-2.json', ''),
    row('apply view-last-applied deploy/applied -o json', /"replicas": 2/),
    row('apply set-last-applied -f {dir}/apply.json', 'deployment.apps/applied configured\n'),
    row('apply view-last-applied deploy/applied -o json', /"replicas": 1/),
    row('apply edit-last-applied deploy/applied', 'deployment.apps/applied edited\n', {
      env: { KUBE_EDITOR: "sed -i 's/replicas: 1/replicas: 3/'" },
    }),
    row('apply view-last-applied deploy/applied -o json', /"replicas": 3/),
  ],
  'apply on the server': [
    row('apply --server-side -f {dir}/server.json', 'deployment.apps/server serverside-applied\n'),
    row('scale deploy/server --replicas=3', 'deployment.apps/server scaled\n'),
    refused(
      'apply --server-side -f {dir}/server.json',
      /conflict with "kubectl(-1\.35)?" with subresource "scale" using apps\/v1[\s\S]*\.spec\.replicas/,
    ),
    row(`get deploy server ${APPLIED}`, '3'),
    row(
      'apply --server-side --force-conflicts -f {dir}/server.json',
      'deployment.apps/server serverside-applied\n',
    ),
    row(`get deploy server ${APPLIED}`, '1'),
    row(
      'apply --server-side --dry-run=server -f {dir}/server.json',
      'deployment.apps/server serverside-applied (server dry run)\n',
    ),
    row('diff --server-side -f {dir}/server.json', ''),
    row('apply -f {dir}/moved.json', 'deployment.apps/moved created\n'),
    row('apply --server-side -f {dir}/moved.json', 'deployment.apps/moved serverside-applied\n'),
    row(
      'get deploy moved --show-managed-fields -o jsonpath={.metadata.managedFields[?(@.operation=="Apply")].manager}',
      /^(kubectl-last-applied )?kubectl( kubectl-last-applied)?$/,
    ),
    row(
      'get deploy moved --show-managed-fields -o jsonpath={.metadata.managedFields[?(@.manager=="kubectl-client-side-apply")].operation}',
      '',
    ),
  ],
  'apply --prune, kustomize': [
    row('apply -f {dir}/prune-both.json', 'configmap/pruned-a created\nconfigmap/pruned-b created\n'),
    row(
      'apply -f {dir}/prune-one.json --prune -l in=prune',
      'configmap/pruned-a unchanged\nconfigmap/pruned-b pruned\n',
    ),
    row('get cm -l in=prune -o name', 'configmap/pruned-a\n'),
    row('kustomize {dir}/kustomized', /name: made-base[\s\S]*name: made-generated/),
    row('apply -k {dir}/kustomized', 'configmap/made-base created\nconfigmap/made-generated created\n'),
    row('get cm made-generated -o jsonpath={.data}', '{"a":"b"}'),
    row('delete -k {dir}/kustomized', /made-base" deleted[\s\S]*made-generated" deleted/),
  ],
  'edit, replace, patch, label, annotate': [
    row('create cm edited --from-literal=a=one', 'configmap/edited created\n'),
    row('edit cm edited', 'configmap/edited edited\n', { env: { KUBE_EDITOR: 'sed -i s/one/two/' } }),
    row(SELF, '{"a":"two"}'),
    row('edit cm edited', /^Edit cancelled, no changes made\.\n$/, { env: { KUBE_EDITOR: 'true' } }),
    row('replace -f {dir}/replace.json', 'configmap/edited replaced\n'),
    row(SELF, '{"a":"replaced"}'),
    row(
      'replace --force -f {dir}/replace.json',
      'configmap "edited" deleted from {v} namespace\nconfigmap/edited replaced\n',
    ),
    row(`patch cm edited -p '{"data":{"b":"strategic"}}'`, 'configmap/edited patched\n'),
    row(`patch cm edited --type=merge -p '{"data":{"a":null}}'`, 'configmap/edited patched\n'),
    row(
      `patch cm edited --type=json -p '[{"op":"add","path":"/data/c","value":"json"}]'`,
      'configmap/edited patched\n',
    ),
    row(`patch cm edited --type=merge -p '{"data":{"c":"json"}}'`, 'configmap/edited patched (no change)\n'),
    row(SELF, '{"b":"strategic","c":"json"}'),
    refused(
      `patch cm edited --type=json -p '[{"op":"test","path":"/data/c","value":"x"}]'`,
      /^The request is invalid: .*\/data\/c/,
    ),
    row('label cm edited a=b', 'configmap/edited labeled\n'),
    refused('label cm edited a=c', /'a' already has a value \(b\), and --overwrite is false/),
    row('label cm edited a=c --overwrite', 'configmap/edited labeled\n'),
    row('label cm edited a-', 'configmap/edited unlabeled\n'),
    row('get cm edited -o jsonpath={.metadata.labels}', ''),
    row('annotate cm edited note=hello', 'configmap/edited annotated\n'),
    row('annotate cm edited --list', 'note=hello\n'),
    row('annotate cm edited note-', 'configmap/edited annotated\n'),
  ],
  subresources: [
    row('create deployment parts --image=busybox:1 --replicas=0', 'deployment.apps/parts created\n'),
    row(`patch deploy parts --subresource=scale --type=merge -p '{"spec":{"replicas":2}}'`, /parts patched/),
    row(
      'get deploy parts --subresource=scale -o jsonpath={.spec.replicas}/{.status.selector}',
      '2/app=parts',
    ),
    row('get deploy parts --subresource=scale --no-headers', /^parts +2 +\d +\d+s\n$/),
    row('rollout status deploy/parts --timeout=60s', /successfully rolled out/),
    row('get deploy parts --subresource=status -o jsonpath={.status.readyReplicas}', '2'),
    row('create cronjob sub --image=busybox:1 --schedule=@yearly', /created/),
    row(
      `patch cronjob sub --subresource=status --type=merge -p '{"status":{"lastScheduleTime":"2026-01-01T00:00:00Z"}}'`,
      /sub patched/,
    ),
    row('get cronjob sub -o jsonpath={.status.lastScheduleTime}', '2026-01-01T00:00:00Z'),
    row(`edit cronjob sub --subresource=status`, 'cronjob.batch/sub edited\n', {
      env: { KUBE_EDITOR: 'sed -i s/2026-01-01/2026-02-02/' },
    }),
    row('get cronjob sub -o jsonpath={.status.lastScheduleTime}', '2026-02-02T00:00:00Z'),
  ],
  'delete and wait': [
    row('create deployment owner --image=busybox:1 --replicas=1', /created/),
    row('rollout status deploy/owner --timeout=60s', /successfully rolled out/),
    row('delete deploy owner --cascade=orphan', 'deployment.apps "owner" deleted from {v} namespace\n'),
    row('get rs -l app=owner -o jsonpath={.items[*].metadata.ownerReferences}', ''),
    row(
      'delete rs -l app=owner --cascade=foreground',
      /^replicaset\.apps "owner-\w+" deleted from \{v\} namespace\n$/,
    ),
    row('get pod -l app=owner -o name', ''),
    row('run brief --image=busybox:1', 'pod/brief created\n'),
    row('wait pod/brief --for=jsonpath={.status.phase}=Running --timeout=60s', 'pod/brief condition met\n'),
    row('delete pod brief --grace-period=5 --wait=false', 'pod "brief" deleted from {v} namespace\n'),
    row('wait pod/brief --for=delete --timeout=60s', /^(pod\/brief condition met\n)?$/),
    row('run forced --image=busybox:1', 'pod/forced created\n'),
    row('delete pod forced --force --grace-period=0', 'pod "forced" force deleted from {v} namespace\n'),
    row('create cm gone-a', /created/),
    row('create cm gone-b', /created/),
    row('label cm gone-a gone-b in=gone', 'configmap/gone-a labeled\nconfigmap/gone-b labeled\n'),
    row('wait cm/gone-a --for=create --timeout=5s', 'configmap/gone-a condition met\n'),
    row(
      'delete cm gone-a --dry-run=server',
      'configmap "gone-a" deleted from {v} namespace (server dry run)\n',
    ),
    row('delete cm -l in=gone', /"gone-a" deleted[\s\S]*"gone-b" deleted/),
    row('delete statefulset --all', 'No resources found\n'),
    row('delete cm none --ignore-not-found', ''),
    refused('delete cm none', 'Error from server (NotFound): configmaps "none" not found\n'),
    refused('wait cm/none --for=condition=Ready --timeout=1s', /configmaps "none" not found/),
  ],
  rollout: [
    row('apply -f {dir}/history.json', /created/),
    row('rollout status deploy/history --timeout=60s', 'deployment "history" successfully rolled out\n', {}),
    row('set image deploy/history main=busybox:2', 'deployment.apps/history image updated\n'),
    row('rollout status deploy/history --timeout=60s', /successfully rolled out\n$/),
    row(
      'rollout history deploy/history',
      /^deployment\.apps\/history \nREVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>\n/,
    ),
    row('rollout history deploy/history --revision=1', /Image:\s+busybox:1/),
    row('rollout undo deploy/history', 'deployment.apps/history rolled back\n'),
    row('get deploy history -o jsonpath={.spec.template.spec.containers[0].image}', 'busybox:1'),
    row('rollout pause deploy/history', 'deployment.apps/history paused\n'),
    refused('rollout restart deploy/history', /can't restart paused deployment/),
    row('rollout resume deploy/history', 'deployment.apps/history resumed\n'),
    row('rollout restart deploy/history', 'deployment.apps/history restarted\n'),
    row(
      'get deploy history -o jsonpath={.spec.template.metadata.annotations}',
      /kubectl\.kubernetes\.io\/restartedAt/,
    ),
    row('apply -f {dir}/stateful.json', 'daemonset.apps/everywhere created\n'),
    row('rollout status ds/everywhere --timeout=60s', /daemon set "everywhere" successfully rolled out\n$/),
    row('set image ds/everywhere main=busybox:2', /image updated/),
    row('rollout status ds/everywhere --timeout=60s', /successfully rolled out\n$/),
    row('rollout history ds/everywhere', /1 +<none>\n2 +<none>\n/),
    row('rollout undo ds/everywhere --to-revision=1', 'daemonset.apps/everywhere rolled back\n'),
    row('get ds everywhere -o jsonpath={.spec.template.spec.containers[0].image}', 'busybox:1'),
    row('delete ds everywhere', /deleted/),
  ],
  'scale, autoscale, set': [
    row('create deployment set --image=busybox:1 --replicas=0', /created/),
    row('scale deploy/set --current-replicas=0 --replicas=2', 'deployment.apps/set scaled\n'),
    refused('scale deploy/set --current-replicas=7 --replicas=1', /Expected replicas to be 7, was 2/),
    row(
      'autoscale deploy/set --min=1 --max=4 --cpu-percent=50',
      /horizontalpodautoscaler\.autoscaling\/set autoscaled/,
    ),
    row(
      'get hpa set -o jsonpath={.spec.minReplicas}/{.spec.maxReplicas}/{.spec.metrics[0].resource.target.averageUtilization}',
      '1/4/50',
    ),
    row('set env deploy/set A=b C=d', 'deployment.apps/set env updated\n'),
    row('set env deploy/set --list', '# Deployment set, container busybox\nA=b\nC=d\n'),
    row('set env deploy/set C-', 'deployment.apps/set env updated\n'),
    row(
      'set resources deploy/set --limits=cpu=200m,memory=64Mi --requests=cpu=100m',
      /resource requirements updated/,
    ),
    row('create sa setter', /created/),
    row('set serviceaccount deploy/set setter', 'deployment.apps/set serviceaccount updated\n'),
    row(
      'get deploy set -o jsonpath={.spec.template.spec.containers[0].env}/{.spec.template.spec.containers[0].resources.limits.cpu}/{.spec.template.spec.serviceAccountName}',
      '[{"name":"A","value":"b"}]/200m/setter',
    ),
    row('create service clusterip selected --tcp=80', /created/),
    row('set selector svc selected app=set', 'service/selected selector updated\n'),
    row('get svc selected -o jsonpath={.spec.selector}', '{"app":"set"}'),
    row('create clusterrolebinding {v}-set --clusterrole=view --user=ann', /created/),
    row('set subject clusterrolebinding {v}-set --serviceaccount={v}:setter', /subjects updated/),
    row('get clusterrolebinding {v}-set -o jsonpath={.subjects[*].name}', 'ann setter'),
    row('delete clusterrolebinding {v}-set', /deleted/),
  ],
  nodes: [
    row('taint node {v}-node a=b:NoSchedule', 'node/{v}-node tainted\n'),
    row('get node {v}-node -o jsonpath={.spec.taints[0].key}', 'a'),
    row('taint node {v}-node a-', 'node/{v}-node untainted\n'),
    row('cordon {v}-node', 'node/{v}-node cordoned\n'),
    row('cordon {v}-node', 'node/{v}-node already cordoned\n'),
    row('get node {v}-node --no-headers', /^\{v\}-node +Ready,SchedulingDisabled /),
    row('uncordon {v}-node', 'node/{v}-node uncordoned\n'),
    row(
      `run guarded --image=busybox:1 --overrides='{"spec":{"nodeName":"{v}-node"}}'`,
      'pod/guarded created\n',
    ),
    row('wait pod/guarded --for=condition=Ready --timeout=60s', 'pod/guarded condition met\n'),
    row('apply -f {dir}/budget.json', /created/),
    row('wait pdb/guard --for=jsonpath={.status.currentHealthy}=1 --timeout=60s', /condition met/),
    row('describe node {v}-node', /Non-terminated Pods:[\s\S]*\{v\} +guarded/),
    refused(
      'drain {v}-node',
      /cannot delete .*Pods that declare no controller \(use --force to override\): \{v\}\/guarded/,
    ),
    refused(
      'drain {v}-node --force --timeout=1s',
      /Cannot evict pod as it would violate the pod's disruption budget\./,
    ),
    row('delete pdb guard', /deleted/),
    row(
      'drain {v}-node --force --timeout=60s',
      /evicting pod \{v\}\/guarded\npod\/guarded evicted\nnode\/\{v\}-node drained\n/,
    ),
    row(
      'run deleted --image=busybox:1 --overrides=\'{"spec":{"nodeName":"{v}-node"}}\'',
      'pod/deleted created\n',
    ),
    row(
      'drain {v}-node --force --disable-eviction --timeout=60s',
      /pod\/deleted deleted\nnode\/\{v\}-node drained\n/,
    ),
    row('uncordon {v}-node', 'node/{v}-node uncordoned\n'),
    row(
      'debug node/{v}-node --image=busybox:1 --attach=false',
      /Creating debugging pod node-debugger-\S+ with container debugger on node \{v\}-node\.\n/,
    ),
    row(
      'get pods -l app.kubernetes.io/managed-by=kubectl-debug -o jsonpath={.items[0].spec.nodeName}',
      '{v}-node',
    ),
    refused('get node none', 'Error from server (NotFound): nodes "none" not found\n'),
  ],
  auth: [
    row('auth can-i create deployments', 'yes\n'),
    refused('auth can-i create deployments --as=ann', ''),
    row('auth can-i --list --as=ann', /selfsubjectreviews\.authentication\.k8s\.io +\[\] +\[\] +\[create\]/),
    row('auth whoami', /Username +admin\nGroups +\[system:masters system:authenticated\]/),
    row(
      'auth whoami --as=ann --as-group=staff -o jsonpath={.status.userInfo.groups}',
      '["staff","system:authenticated"]',
    ),
    row('auth reconcile -f {dir}/roles.json', 'role.rbac.authorization.k8s.io/reconciled reconciled\n'),
    row('get role reconciled -o jsonpath={.rules[0].resources}', '["pods"]'),
    row('get role reconciled --no-headers', /^reconciled +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$/),
    refused(
      'get pods --as=ann',
      /pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "\{v\}"/,
    ),
  ],
};
