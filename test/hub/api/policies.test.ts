import t from 'tap';
import { serviceUnavailable } from '../../../hub/resources/api-error.ts';
import { startWholeHub } from './conformance/whole-hub.ts';
import { grants } from './grants.ts';
import { TestHub } from './test-hub.ts';

/* ValidatingAdmissionPolicies as the API asks them: about connections, and with what the user may do. */

const away = async () => {
  throw serviceUnavailable('the device is away');
};
const { hub } = await startWholeHub(t, {
  streams: { exec: away, attach: away, log: away, connect: away, checkConnected: () => {} },
});
const GROUP = '/apis/admissionregistration.k8s.io/v1';
const PODS = '/api/v1/namespaces/default/pods';
const containers = [{ name: 'a', image: 'b' }];
await hub.post(PODS, { metadata: { name: 'p' }, spec: { nodeName: 'n', containers } });
await hub.patch(`${PODS}/p/status`, 'merge', { status: { phase: 'Running' } });
const ann = await TestHub.agentFor(hub.authority, 'ann', ['staff']);
t.teardown(() => ann.destroy());
const { roles, may } = grants(hub);
await roles('writer', [
  { apiGroups: ['', 'apps'], resources: ['*'], verbs: ['get', 'create', 'update', 'patch'] },
]);
await may('writer', 'User', 'ann');

/** Makes a policy that is bound everywhere, and goes with the test. */
async function withPolicy(
  t: { teardown(end: () => unknown): void },
  rule: object,
  validation: object,
): Promise<void> {
  const resourceRules = [{ apiGroups: ['*'], apiVersions: ['*'], ...rule }];
  const spec = { matchConstraints: { resourceRules }, validations: [validation] };
  const made = await hub.post(`${GROUP}/validatingadmissionpolicies`, { metadata: { name: 'rule' }, spec });
  t.teardown(async () => {
    await hub.delete(`${GROUP}/validatingadmissionpolicies/rule`);
    await hub.delete(`${GROUP}/validatingadmissionpolicybindings/rule`);
  });
  if (made.code !== 201) throw new Error(made.text);
  await hub.post(`${GROUP}/validatingadmissionpolicybindings`, {
    metadata: { name: 'rule' },
    spec: { policyName: 'rule', validationActions: ['Deny'] },
  });
}

const connects = (resource: string) => ({ operations: ['CONNECT'], resources: [resource] });
const message = /ValidatingAdmissionPolicy 'rule' with binding 'rule' denied request: not so/;

t.test('commands in containers', async (t) => {
  await withPolicy(t, connects('pods/exec'), {
    expression: `
      request.operation == 'CONNECT' && request.kind.kind == 'PodExecOptions' && object.kind == 'PodExecOptions' &&
      request.name == 'p' && request.namespace == 'default' && request.subResource == 'exec' &&
      oldObject == null && !has(object.tty) && object.stdout && object.command[0] != 'rm' &&
      (!has(object.container) || object.container == 'a')`,
    message: 'not so',
    reason: 'Forbidden',
  });
  const exec = (command: string) => hub.get(`${PODS}/p/exec?stdout=true&container=a&command=${command}`);
  t.match(await exec('rm'), { code: 403, body: { reason: 'Forbidden', message } });
  t.match(await exec('ls'), { code: 400, body: { message: /Upgrade request required/ } }, 'it goes on');
  t.match(await hub.get(`${PODS}/p/attach?stdout=true`), { body: { message: /Upgrade request/ } });
  t.match(await hub.get(`${PODS}/p/log`), { code: 503 }, 'a log is no connection');
});

t.test('attached processes and forwarded ports', async (t) => {
  await withPolicy(t, connects('pods/*'), {
    expression: "object.kind == 'PodAttachOptions' ? !has(object.stdin) : object.ports == [80]",
    message: 'not so',
  });
  t.match(await hub.get(`${PODS}/p/attach?stdin=true`), { code: 422, body: { message } });
  t.match(await hub.get(`${PODS}/p/attach?stdout=true`), { code: 400, body: { message: /Upgrade request/ } });
  t.match(await hub.get(`${PODS}/p/portforward?ports=81`), { code: 422, body: { message } });
  t.match(await hub.get(`${PODS}/p/portforward?ports=80`), { body: { message: /Upgrade request/ } });
});

t.test('what the user may do', async (t) => {
  const writes = { operations: ['CREATE'], resources: ['configmaps'] };
  const maps = '/api/v1/namespaces/default/configmaps';
  const rows: [expression: string, admin: boolean, ann: boolean][] = [
    ["authorizer.group('').resource('pods').namespace('default').check('delete').allowed()", true, false],
    ["authorizer.group('').resource('pods').namespace('x').name('y').check('get').allowed()", true, true],
    ["authorizer.group('').resource('pods').subresource('status').check('patch').allowed()", true, true],
    ["authorizer.group('batch').resource('jobs').fieldSelector('a=b').check('get').allowed()", true, false],
    ["authorizer.path('/metrics').check('get').allowed()", true, false],
    ["authorizer.path('/healthz').check('get').allowed()", true, true],
    ["authorizer.requestResource.check('create').allowed()", true, true],
    ["authorizer.requestResource.check('delete').allowed()", true, false],
    ["authorizer.requestResource.check('create').reason().contains('ann')", false, true],
    ["!authorizer.requestResource.check('create').errored()", true, true],
    ["authorizer.serviceAccount('default', 'robot').path('/metrics').check('get').allowed()", false, false],
  ];
  for (const [expression, admin, other] of rows)
    await t.test(expression, async (t) => {
      await withPolicy(t, writes, { expression, message: 'not so' });
      const create = (agent = hub.admin) =>
        hub.post(`${maps}?dryRun=All`, { metadata: { name: 'm' } }, { agent });
      t.equal((await create()).code, admin ? 201 : 422);
      t.equal((await create(ann)).code, other ? 201 : 422);
    });
});

t.test('who scales is told to policies too', async (t) => {
  const labels = { a: 'b' };
  const template = { metadata: { labels }, spec: { containers } };
  const web = '/apis/apps/v1/namespaces/default/deployments';
  await hub.post(web, {
    metadata: { name: 'web' },
    spec: { replicas: 0, selector: { matchLabels: labels }, template },
  });
  await withPolicy(
    t,
    { operations: ['UPDATE'], resources: ['deployments/scale'] },
    { expression: "request.userInfo.username != 'ann'", message: 'not so' },
  );
  const body = JSON.stringify({ spec: { replicas: 1 } });
  const headers = { 'content-type': 'application/merge-patch+json' };
  const scale = (agent = hub.admin) =>
    hub.call('PATCH', `${web}/web/scale?dryRun=All`, { body, headers, agent });
  t.match(await scale(ann), { code: 422, body: { message } });
  t.match(await scale(), { code: 200, body: { spec: { replicas: 1 } } });
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
