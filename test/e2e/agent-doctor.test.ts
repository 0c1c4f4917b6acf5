import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Finding } from '../../proto/diagnosis.ts';
import { Engine } from '../support/engine.ts';
import { Stand } from '../support/stand.ts';

/* `holdfast-agent doctor` on a device as it is: joined, cut off, with a file of settings that is wrong. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');

t.test('the doctor sees what is, and names what is wrong', async (t) => {
  const stand = new Stand(engine, 'mqtt', 'agent-doctor');
  t.teardown(() => stand.close());
  await stand.start();
  const examine = async (...args: string[]) => {
    const program = stand.runAgent('doctor', '--output', 'json', ...args);
    const code = await program.exit();
    const findings = JSON.parse(program.lines.join('\n')) as Finding[];
    return { code, of: (check: string) => findings.find((each) => each.check === check) };
  };
  const well = await examine();
  t.equal(well.code, 0);
  for (const check of ['settings', 'data', 'engine', 'identity', 'MQTT', 'gRPC', 'agent'])
    t.match(well.of(check), { level: 'ok' }, check);
  t.match(well.of('agent'), { found: /connected over mqtt/ });

  await stand.cutLink();
  const cut = await examine();
  t.equal(cut.code, 1);
  t.match(cut.of('MQTT'), { level: 'problem', advice: /firewalls/ });
  t.match(cut.of('agent'), { level: 'warning', found: /not connected/ });

  const file = join(stand.dir, 'agent.yaml');
  writeFileSync(file, 'nodename: x\n');
  const wrong = await examine('--config', file);
  t.equal(wrong.code, 1);
  t.match(wrong.of('settings'), { level: 'problem', found: /is nodeName meant/ });
});
