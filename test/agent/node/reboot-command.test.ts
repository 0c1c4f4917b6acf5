import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readConfig } from '../../../agent/config.ts';
import { runRebootCommand } from '../../../agent/node/reboot-command.ts';

t.test('the command of the owner is an array of words', async (t) => {
  const rows: [string, RegExp | undefined][] = [
    ['["sh", "-c", "sync; reboot -f"]', undefined],
    ['systemctl reboot', /must be a JSON array of texts/],
    ['[]', /must be a JSON array of texts/],
    ['[""]', /must begin with a program/],
  ];
  for (const [text, problem] of rows) {
    const read = readConfig(['--reboot-command', text], {});
    if (problem) await t.rejects(read, { message: problem }, text);
    else t.equal((await read).rebootCommand, text);
  }
  t.equal((await readConfig([], {})).rebootCommand, undefined);
});

t.test('how it ends', async (t) => {
  const sh = (script: string) => runRebootCommand(['sh', '-c', script, 'reboot']);
  t.equal(await sh('exit 0'), undefined);
  t.equal(
    await sh('echo; echo " no power " >&2; echo more >&2; exit 3'),
    'the command "sh" ended with exit code 3: no power',
  );
  t.equal(await sh('exit 4'), 'the command "sh" ended with exit code 4');
  t.equal(await sh('kill -TERM $$'), undefined, 'as all else on a device that goes down');
  t.equal(await sh('kill -ABRT $$'), 'the command "sh" ended with SIGABRT');
  const long = (await sh('yes x | head -c 100000 | tr -d "\\n" >&2; exit 1')) ?? '';
  t.ok(long.length < 400, 'it is bounded');
  t.match(await runRebootCommand(['x', '\0']), /"x" cannot be run: /);
  t.match(await runRebootCommand(['/no/such/program']), /"\/no\/such\/program" cannot be run: .*ENOENT/);
  t.equal(
    await sh('sleep 20 & exit 5'),
    'the command "sh" ended with exit code 5',
    'whoever goes on writing',
  );
});

t.test('no shell sees its words', async (t) => {
  const dir = t.testdir();
  const script = join(dir, 'with space');
  writeFileSync(script, `#!/bin/sh\nprintf '%s|' "$@" > "${join(dir, 'seen')}"\n`);
  chmodSync(script, 0o755);
  t.equal(await runRebootCommand([script, 'a b', '$HOME', '*']), undefined);
  t.equal(readFileSync(join(dir, 'seen'), 'utf8'), 'a b|$HOME|*|');
});
