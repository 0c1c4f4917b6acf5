import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { AuditLog } from '../../../hub/telemetry/audit-log.ts';
import { HubMetrics } from '../../../hub/telemetry/metrics.ts';
import { startHub } from '../api/test-hub.ts';
import { openRegistry } from '../controllers/cluster.ts';

const metrics = new HubMetrics({
  registry: await openRegistry(t),
  connections: () => new Map([['mqtt', 3]]),
  version: 'v0',
});
const directory = mkdtempSync(join(tmpdir(), 'hf-audit-'));
const file = join(directory, 'audit.log');
const audit = new AuditLog(file, (error) => t.fail(String(error)));
let isWell = true;
const hub = await startHub(t, {
  metrics,
  observers: [metrics.requests, audit],
  health: { store: () => isWell },
});
t.teardown(() => {
  audit.close();
  rmSync(directory, { recursive: true });
});

const configMaps = '/api/v1/namespaces/default/configmaps';
const events = () =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

t.test('the audit log has a line for each request, refused or not, and no secrets', async (t) => {
  await hub.post(configMaps, { metadata: { name: 'a' }, data: { password: 'hidden-value' } });
  await hub.get(`${configMaps}/none?pretty=true`);
  const nobody = new Agent({ ca: hub.authority.certificate, servername: 'localhost' });
  await hub.get('/api/v1/nodes', { agent: nobody });
  const [created, missing, anonymous] = events().slice(-3);
  t.match(created, {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    stage: 'ResponseComplete',
    verb: 'create',
    requestURI: configMaps,
    user: { username: 'admin', groups: ['system:masters', 'system:authenticated'] },
    objectRef: { resource: 'configmaps', namespace: 'default' },
    responseStatus: { code: 201 },
    requestReceivedTimestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
  });
  t.match(missing, { verb: 'get', objectRef: { name: 'none' }, responseStatus: { code: 404 } });
  t.match(anonymous, { user: { username: 'system:anonymous' }, responseStatus: { code: 403 } });
  t.notMatch(readFileSync(file, 'utf8'), 'hidden-value');
  t.equal(statSync(file).mode & 0o777, 0o600);
});

t.test('who acts as somebody else is told with both names', async (t) => {
  await hub.get(configMaps, { headers: { 'impersonate-user': 'somebody' } });
  t.match(events().at(-1), {
    user: { username: 'admin' },
    impersonatedUser: { username: 'somebody', groups: ['system:authenticated'] },
    responseStatus: { code: 403 },
  });
});

t.test('metrics', async (t) => {
  await hub.get(`${configMaps}/a`);
  const { code, text, headers } = await hub.get('/metrics');
  t.equal(code, 200);
  t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const line = (pattern: RegExp) => t.match(text, pattern);
  line(
    /^apiserver_request_total\{verb="POST",.*resource="configmaps",.*scope="namespace",.*code="201"\} 1$/m,
  );
  line(/^apiserver_request_duration_seconds_bucket\{le="60",verb="GET",.*resource="configmaps",.*\} \d+$/m);
  line(/^apiserver_current_inflight_requests\{request_kind="readOnly"\} 1$/m); // this one
  line(/^apiserver_storage_objects\{resource="namespaces"\} 1$/m);
  line(/^holdfast_connected_nodes\{transport="mqtt"\} 3$/m);
  line(/^process_resident_memory_bytes \d+/m);
});

t.test('a watch counts as long as it lasts, and paths that clients make up are no metrics', async (t) => {
  const controller = new AbortController();
  const watch = hub.get(`${configMaps}?watch=true&timeoutSeconds=1`);
  await hub.get('/api/v1/no-such-kind');
  await hub.get('/made/up');
  const during = (await hub.get('/metrics')).text;
  t.match(during, /^apiserver_longrunning_requests\{verb="WATCH",.*resource="configmaps".*\} 1$/m);
  t.notMatch(during, /no-such-kind|made/);
  await watch;
  controller.abort();
  t.match((await hub.get('/metrics')).text, /^apiserver_longrunning_requests\{verb="WATCH",.*\} 0$/m);
});

t.test('health', async (t) => {
  for (const path of ['/healthz', '/livez', '/readyz', '/readyz/store', '/livez/ping'])
    t.match(await hub.get(path), { code: 200, text: 'ok' }, path);
  t.match((await hub.get('/readyz?verbose')).text, '[+]ping ok\n[+]store ok\nreadyz check passed\n');
  isWell = false;
  t.match(await hub.get('/readyz'), {
    code: 500,
    text: '[+]ping ok\n[-]store failed: reason withheld\nreadyz check failed\n',
  });
  t.equal((await hub.get('/livez')).code, 200, 'a restart would not mend it');
  t.equal((await hub.get('/readyz?exclude=store')).code, 200);
  t.equal((await hub.get('/readyz/ping')).code, 200);
  t.equal((await hub.get('/readyz/nothing')).code, 404);
});
