import t from 'tap';
import { enrol } from '../../../agent/link/enrol.ts';
import { parseJoinToken } from '../../../proto/join-token.ts';
import { startHubInProcess } from '../../support/hub-in-process.ts';

const DEVICES = 64;

t.test(
  'a fleet may join with one token at the same time, and with no more devices than it is good for',
  async (t) => {
    const hub = await startHubInProcess();
    t.teardown(() => hub.close());
    const token = parseJoinToken(await hub.token(DEVICES - 1));
    const all = Array.from({ length: DEVICES }, (_, index) =>
      enrol({ host: '127.0.0.1', port: hub.ports.grpc, node: `device-${index}`, token }),
    );
    const ends = await Promise.allSettled(all);
    const refused = ends.filter((end) => end.status === 'rejected');
    t.equal(refused.length, 1);
    t.match(refused[0]?.reason, { message: /has been used as often as it may be/ });
    const { items } = await hub.api.call('GET', '/api/v1/nodes');
    t.equal((items as object[]).length, DEVICES - 1);
  },
);
