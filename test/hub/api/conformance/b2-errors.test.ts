import t from 'tap';
import { TestHub } from '../test-hub.ts';
import { DEPLOYMENTS, deployment, MAPS, map } from './objects.ts';
import { startWholeHub } from './whole-hub.ts';

const { hub } = await startWholeHub(t);
const failure = (code: number, reason: string, message: string | RegExp, details?: object) => ({
  code,
  body: {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    code,
    reason,
    message,
    ...(details && { details }),
  },
});
await hub.post(MAPS, map('one'));
await hub.post(DEPLOYMENTS, deployment('web'));

t.test('B.2 400 BadRequest', async (t) => {
  t.match(await hub.post(MAPS, '{'), failure(400, 'BadRequest', /./));
  t.match(
    await hub.get('/api/v1/pods?fieldSelector=spec.x%3Dy'),
    failure(400, 'BadRequest', /field label not supported: spec\.x$/),
  );
});

t.test('B.2 401 Unauthorized', async (t) => {
  t.match(await hub.get(MAPS, hub.bearer('nonsense')), failure(401, 'Unauthorized', 'Unauthorized'));
});

t.test('B.2 403 Forbidden', async (t) => {
  const agent = await TestHub.agentFor(hub.authority, 'ann', []);
  t.teardown(() => agent.destroy());
  t.match(
    await hub.call('DELETE', '/apis/apps/v1/namespaces/default/deployments/web', { agent }),
    failure(
      403,
      'Forbidden',
      'deployments.apps "web" is forbidden: User "ann" cannot delete resource "deployments" in API group "apps" in the namespace "default"',
      { name: 'web', group: 'apps', kind: 'deployments' },
    ),
  );
});

t.test('B.2 404 NotFound', async (t) => {
  t.match(
    await hub.get(`${DEPLOYMENTS}/none`),
    failure(404, 'NotFound', 'deployments.apps "none" not found', {
      name: 'none',
      group: 'apps',
      kind: 'deployments',
    }),
  );
  for (const path of ['/apis/apps/v1/gadgets', '/apis/none/v1', '/api/v2/pods', '/nowhere'])
    t.match(
      await hub.get(path),
      failure(404, 'NotFound', 'the server could not find the requested resource'),
      path,
    );
});

t.test('B.2 405 MethodNotAllowed', async (t) => {
  for (const [method, path] of [
    ['POST', `${MAPS}/one`],
    ['PUT', MAPS],
    ['PATCH', MAPS],
    ['PUT', `/api/v1/namespaces/default/pods/x/log`],
  ] as const)
    t.match(
      await hub.call(method, path, { body: {} }),
      failure(405, 'MethodNotAllowed', /does not allow this method/),
    );
});

t.test('B.2 409 AlreadyExists and Conflict', async (t) => {
  t.match(
    await hub.post(MAPS, map('one')),
    failure(409, 'AlreadyExists', 'configmaps "one" already exists', { name: 'one', kind: 'configmaps' }),
  );
  t.match(
    await hub.put(`${DEPLOYMENTS}/web`, {
      ...deployment('web'),
      metadata: { name: 'web', resourceVersion: '1' },
    }),
    failure(
      409,
      'Conflict',
      'Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your changes to the latest version and try again',
      { name: 'web', group: 'apps', kind: 'deployments' },
    ),
  );
});

t.test('B.2 413 RequestEntityTooLarge', async (t) => {
  t.match(
    await hub.post(MAPS, map('big', { a: 'x'.repeat(3 * 1024 * 1024) })),
    failure(413, 'RequestEntityTooLarge', /limit is 3145728/),
  );
});

t.test('B.2 422 Invalid', async (t) => {
  t.match(
    await hub.post(DEPLOYMENTS, deployment('bad', { replicas: -1 })),
    failure(
      422,
      'Invalid',
      'Deployment.apps "bad" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
      {
        name: 'bad',
        group: 'apps',
        kind: 'Deployment',
        causes: [{ reason: 'FieldValueInvalid', message: /^Invalid value: -1/, field: 'spec.replicas' }],
      },
    ),
  );
  const two = await hub.post(DEPLOYMENTS, deployment('bad', { replicas: -1, minReadySeconds: -1 }));
  t.match(two.body.message, /^Deployment\.apps "bad" is invalid: \[spec\.\S+: .*, spec\.\S+: .*\]$/);
  t.equal(two.body.details.causes.length, 2);
});

t.test('B.2 504 Timeout', async (t) => {
  t.match(
    await hub.get(`${MAPS}?resourceVersion=99999999`),
    failure(504, 'Timeout', /^Too large resource version: 99999999, current: \d+$/, {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    }),
  );
});

t.test('B.2 the Success of DELETE names what is gone', async (t) => {
  const { body } = await hub.post(MAPS, map('gone'));
  t.same((await hub.delete(`${MAPS}/gone`)).body, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name: 'gone', kind: 'configmaps', uid: body.metadata.uid },
  });
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
