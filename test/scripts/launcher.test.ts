import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AGENT_LAUNCHER } from '../../scripts/package/launcher.ts';
import { until } from '../support/until.ts';

/* Which version the launcher takes, in every shell that a device may have: a script stands for Node.js and says what it was given. */

const RUNTIME = '#!/bin/sh\necho "$HOLDFAST_AGENT_SLOT $HOLDFAST_AGENT_HOME $HOLDFAST_AGENT_SLOTS"\n';
const SHELLS = [['dash'], ['busybox', 'ash'], ['bash', '--posix']] as const;

interface Place {
  readonly base: string;
  readonly data: string;
  readonly slots: string;
}

function place(t: Test): Place {
  const dir = t.testdir({ data: { slots: {} } });
  const base = join(dir, 'base');
  fill(base, '1.0.0');
  const data = join(dir, 'data');
  return { base, data, slots: join(data, 'slots') };
}

function fill(home: string, version: string): void {
  for (const folder of ['bin', 'lib/agent']) mkdirSync(join(home, folder), { recursive: true });
  const program = (path: string, text: string) => {
    writeFileSync(join(home, path), text);
    chmodSync(join(home, path), 0o755);
  };
  program('bin/holdfast-agent', AGENT_LAUNCHER);
  program('lib/node', RUNTIME);
  writeFileSync(join(home, 'lib/agent/agent.mjs'), 'x');
  writeFileSync(
    join(home, 'package.json'),
    `${JSON.stringify({ name: 'holdfast-agent', version }, undefined, 2)}\n`,
  );
}

function tryVersion({ slots }: Place, slot: string, seconds = 60): void {
  rmSync(join(slots, 'trial'), { recursive: true, force: true });
  mkdirSync(join(slots, 'trial'));
  writeFileSync(join(slots, 'trial/slot'), `${slot}\n`);
  writeFileSync(join(slots, 'trial/seconds'), `${seconds}\n`);
}

for (const [program, ...args] of SHELLS)
  t.test([program, ...args].join(' '), async (t) => {
    const run = ({ base, data }: Place, ...words: string[]) => {
      const command = [...args, join(base, 'bin/holdfast-agent'), ...words, '--data-dir', data];
      const { stdout, stderr } = spawnSync(program, command, {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'] },
      });
      if (stderr) t.fail(stderr);
      return stdout.split(' ')[0];
    };

    t.test('what was installed, until there is another', async (t) => {
      const here = place(t);
      t.equal(run(here, 'run'), 'base');
      fill(join(here.slots, 'a'), '2.0.0');
      writeFileSync(join(here.slots, 'current'), 'a 1.0.0\n');
      t.equal(run(here, 'run'), 'a');
      t.equal(run(here, 'status'), 'a', 'its commands as well');
      rmSync(join(here.slots, 'a/lib/node'));
      t.equal(run(here, 'run'), 'base', 'one that is not whole is none');
    });

    t.test('somebody who installs another package gets that', async (t) => {
      const here = place(t);
      fill(join(here.slots, 'b'), '2.0.0');
      writeFileSync(join(here.slots, 'current'), 'b 1.0.0\n');
      t.equal(run(here, 'run'), 'b');
      fill(here.base, '3.0.0');
      t.equal(run(here, 'run'), 'base');
    });

    t.test('one on trial is begun three times', async (t) => {
      const here = place(t);
      cpSync(here.base, join(here.slots, 'a'), { recursive: true });
      tryVersion(here, 'a');
      t.equal(run(here, 'status'), 'base', 'only to run');
      t.same(
        [1, 2, 3, 4].map(() => run(here, 'run')),
        ['a', 'a', 'a', 'base'],
      );
      tryVersion(here, 'a');
      writeFileSync(join(here.slots, 'trial/failed'), 'Hung\n');
      t.equal(run(here, 'run'), 'base', 'and not once it has failed');
      tryVersion(here, '../../evil');
      t.equal(run(here, 'run'), 'base', 'nothing but slots');
      tryVersion(here, 'base');
      writeFileSync(join(here.slots, 'current'), 'a 1.0.0\n');
      t.equal(run(here, 'run'), 'base', 'back to what was installed is tried as well');
    });

    t.test('one that never gets to work gives way for a while', async (t) => {
      const here = place(t);
      fill(join(here.slots, 'a'), '2.0.0');
      writeFileSync(join(here.slots, 'current'), 'a 1.0.0\n');
      t.same(
        [1, 2, 3, 4, 5, 6].map(() => run(here, 'run')),
        ['a', 'a', 'a', 'a', 'a', 'base'],
      );
      rmSync(join(here.slots, 'starts'));
      t.equal(run(here, 'run'), 'a');
    });

    t.test('one that hangs is ended from outside', async (t) => {
      const here = place(t);
      fill(join(here.slots, 'a'), '2.0.0');
      writeFileSync(join(here.slots, 'a/lib/node'), '#!/bin/sh\nwhile :; do :; done\n');
      tryVersion(here, 'a', 1);
      const command = [...args, join(here.base, 'bin/holdfast-agent'), 'run', '--data-dir', here.data];
      const { signal } = spawnSync(program, command, { timeout: 20_000, killSignal: 'SIGTERM' });
      t.equal(signal, 'SIGKILL');
      const failed = join(here.slots, 'trial/failed');
      await until('it is noted', () => existsSync(failed) && readFileSync(failed, 'utf8') === 'Hung\n');
    });

    t.test('where the data is', async (t) => {
      const { base, data, slots } = place(t);
      const settings = join(data, 'agent.yaml');
      const found = (words: readonly string[], env: Record<string, string> = {}) => {
        const command = [...args, join(base, 'bin/holdfast-agent'), 'run', ...words];
        const options = { encoding: 'utf8', env: { PATH: process.env['PATH'], ...env } } as const;
        return spawnSync(program, command, options).stdout.trim().split(' ')[2];
      };
      t.equal(found([`--data-dir=${data}`]), slots);
      t.equal(found(['--data-dir', data], { HOLDFAST_AGENT_DATA_DIR: '/elsewhere' }), slots, 'flags win');
      t.equal(found([], { HOLDFAST_AGENT_DATA_DIR: data }), slots);
      for (const text of [
        `dataDir: ${data}`,
        `logLevel: info\ndataDir: "${data}"  # here`,
        `dataDir: '${data}'`,
      ]) {
        writeFileSync(settings, `${text}\n`);
        t.equal(found(['--config', settings]), slots, text);
        t.equal(found([], { HOLDFAST_AGENT_CONFIG: settings }), slots);
      }
      writeFileSync(settings, 'logLevel: info\n');
      t.equal(found([`--config=${settings}`]), '/var/lib/holdfast/agent/slots');
    });
  });

t.test('nobody who reads shell scripts finds fault with it', async (t) => {
  const file = join(t.testdir(), 'launcher');
  writeFileSync(file, AGENT_LAUNCHER);
  const { stdout, error } = spawnSync('shellcheck', ['--shell=sh', file], { encoding: 'utf8' });
  if (!error) t.equal(stdout, '');
  t.equal(execFileSync('dash', ['-n', file]).toString(), '');
});
