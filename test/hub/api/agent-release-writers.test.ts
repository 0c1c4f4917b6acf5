import t from 'tap';
import { grants } from './grants.ts';
import { startHub, TestHub } from './test-hub.ts';

/* Who may say which version devices run: not everybody who may write in some namespace. */

const PATH = '/apis/fleet.holdfast.dev/v1/namespaces/default/agentreleases';
const hub = await startHub(t);
const { roles, may } = grants(hub);
const ann = await TestHub.agentFor(hub.authority, 'ann', []);
t.teardown(() => ann.destroy());
const body = { metadata: { name: 'fleet' }, spec: { version: '1.0.0', policy: 'careful' } };

t.test('an AgentRelease takes who may change Nodes', async (t) => {
  await roles('team', [{ apiGroups: ['fleet.holdfast.dev'], resources: ['*'], verbs: ['*'] }]);
  await may('team', 'User', 'ann', 'default');
  const refused = await hub.post(PATH, body, { agent: ann });
  t.equal(refused.code, 403);
  t.match(refused.body.message, /for devices of all namespaces: its writer must be allowed to update nodes$/);
  await roles('devices', [{ apiGroups: [''], resources: ['nodes'], verbs: ['update'] }]);
  await may('devices', 'User', 'ann');
  t.equal((await hub.post(PATH, body, { agent: ann })).code, 201);
  t.equal((await hub.delete(`${PATH}/fleet`, { agent: ann })).code, 200);
});
