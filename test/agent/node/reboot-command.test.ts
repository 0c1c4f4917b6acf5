import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readCommand, readConfig } from '../../../agent/config.ts';
import { runRebootCommand } from '../../../agent/node/reboot-command.ts';

t.test('the command of the owner: words, or a JSON array of them', async (t) => {
  const rows: [string, readonly string[] | undefined][] = [
    ['systemctl reboot', ['systemctl', 'reboot']],
    ['  reboot ', ['reboot']],
    ['["sh", "-c", "sync; reboot -f"]', ['sh', '-c', 'sync; reboot -f']],
    ['reboot $(date); rm', ['reboot', '$(date);', 'rm']],
    [' ', undefined],
    ['[]', undefined],
    ['[""]', undefined],
    ['["reboot", 1]', undefined],
    ['["reboot"', undefined],
  ];
  for (const [text, words] of rows) {
    const read = () => readConfig(['--reboot-command', text], {}).rebootCommand ?? '';
    if (words) t.same(readCommand(read()), words, text);
    else t.throws(read, { message: /--reboot-command .*must be a program and its arguments.*is "/ }, text);
  }
  t.equal(readConfig([], {}).rebootCommand, undefined);
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
