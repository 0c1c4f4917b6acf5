import t from 'tap';
import { podToken } from '../../../hub/authentication/pod-tokens.ts';
import * as table from '../../../hub/resources/table-of-resources.ts';
import { withPolicies } from '../admission/policies.ts';

/* What a device is given for its pods, and what not. */

t.test('a token for a pod', async (t) => {
  const { create, pod, registry } = await withPolicies(t);
  const asked: object[] = [];
  const tokens = {
    audiences: ['the-api'],
    issue: async (request: object) => {
      asked.push(request);
      return { token: 'a token', expiresMs: 0 };
    },
  };
  const account = await create(table.serviceAccounts, { metadata: { name: 'robot' } });
  const node = await create(table.nodes, { metadata: { name: 'edge' } });
  const projection = { serviceAccountToken: { path: 't', audience: 'vault', expirationSeconds: 600 } };
  const volumes = [{ name: 'vault', projected: { sources: [projection] } }];
  const spec = { nodeName: 'edge', serviceAccountName: 'robot', volumes };
  const made = await pod('worker', spec);
  const uid = made.metadata.uid ?? '';
  const give = (rest: object, name = 'edge') =>
    podToken(registry, tokens, name, { podUid: uid, audience: '', expirationSeconds: 3607, ...rest });

  const bound = {
    namespace: 'default',
    serviceaccount: { name: 'robot', uid: account.metadata.uid },
    pod: { name: 'worker', uid },
    node: { name: 'edge', uid: node.metadata.uid },
  };
  t.same(await give({}), { token: 'a token' });
  t.same(await give({ audience: 'vault', expirationSeconds: 600 }), { token: 'a token' });
  t.same(asked, [
    { audiences: ['the-api'], lifeSeconds: 3607, bound },
    { audiences: ['vault'], lifeSeconds: 600, bound },
  ]);

  const never = { refusal: 'the pod does not ask for such a token' };
  t.same(await give({ audience: 'bank' }), never);
  t.same(await give({ expirationSeconds: 2 ** 31 }), never);
  t.same(await give({}, 'other'), { refusal: 'the pod is not on this node' });
  t.same(await give({ podUid: 'none' }), { refusal: 'the pod is not on this node' });
  const orphan = await pod('orphan', { nodeName: 'edge' });
  t.same(await give({ podUid: orphan.metadata.uid }), { refusal: 'serviceaccounts "default" not found' });
});
