import { chmodSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { Finding } from '../../proto/diagnosis.ts';
import { Program } from '../support/program.ts';

/* `holdfast doctor` beside a hub, without one, and where somebody else has its port. */

t.test('the doctor tells the hub from nobody and from strangers', async (t) => {
  const dir = t.testdir();
  const dataDir = join(dir, 'hub');
  const settings = ['--data-dir', dataDir, '--bind-address', '127.0.0.1'];
  const hub = new Program('hub/main.ts', [
    'hub',
    ...settings,
    ...['--api-port', '0', '--grpc-port', '0', '--mqtt-port', '0'],
  ]);
  t.teardown(() => hub.end('SIGKILL'));
  const ports = JSON.parse(await hub.line(/the hub is ready/)) as Record<'api' | 'grpc' | 'mqtt', number>;
  const flags = [
    '--api-port',
    `${ports.api}`,
    '--grpc-port',
    `${ports.grpc}`,
    '--mqtt-port',
    `${ports.mqtt}`,
  ];
  const examine = async (...more: string[]) => {
    const program = new Program('hub/main.ts', ['doctor', '-o', 'json', ...settings, ...flags, ...more]);
    const code = await program.exit();
    const findings = JSON.parse(program.lines.join('\n')) as Finding[];
    return { code, of: (check: string) => findings.find((each) => each.check === check) };
  };
  const well = await examine();
  t.equal(well.code, 0);
  for (const check of [
    `port ${ports.api}`,
    `port ${ports.grpc}`,
    `port ${ports.mqtt}`,
    'data',
    'CA',
    'names',
  ])
    t.match(well.of(check), { level: 'ok' }, check);
  t.match((await examine('--tls-san', 'hub.example')).of('names'), {
    level: 'warning',
    found: /lacks hub.example/,
  });

  await hub.end();
  chmodSync(join(dataDir, 'ca.json'), 0o644);
  const stranger = createServer((socket) => socket.end('HTTP/1.0 400\r\n\r\n'));
  t.teardown(() => stranger.close());
  await new Promise<void>((resolve) => stranger.listen(ports.grpc, '127.0.0.1', resolve));
  const other = await examine();
  t.equal(other.code, 1);
  t.match(other.of(`port ${ports.api}`), { level: 'warning', found: /nobody listens/ });
  t.match(other.of(`port ${ports.grpc}`), { level: 'problem', found: /another program has it/ });
  t.match(other.of('secrets'), { level: 'problem', found: /ca.json/ });
});
