import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { askOutside } from '../../../../hub/controllers/rollout/gate-measurements/outside-request.ts';
import { GateServer, json } from './gate-server.ts';

t.test('authorities that this machine trusts are trusted by gates, and no others', async (t) => {
  const [known, unknown] = [await GateServer.start(t, json(1)), await GateServer.start(t, json(2))];
  const file = join(t.testdir({}), 'ca.pem');
  writeFileSync(file, known.ca);
  process.env['SSL_CERT_FILE'] = file; // in the place of the machine's
  const ask = ({ url }: GateServer) =>
    askOutside({
      url: new URL(url),
      method: 'GET',
      headers: {},
      timeoutMs: 5_000,
      signal: new AbortController().signal,
    });
  t.same(await ask(known), { status: 200, body: '1' });
  await t.rejects(ask(unknown), /self.signed/);
  t.equal(unknown.seen.length, 0);
});
