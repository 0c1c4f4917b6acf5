import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MANUAL } from '../../agent/manual.ts';
import { COMMANDS } from '../../hub/commands/commands.ts';
import { hubManual } from '../../hub/commands/manual.ts';
import { completionOf } from '../../proto/manual/completion.ts';
import { helpOf } from '../../proto/manual/help.ts';
import type { Manual } from '../../proto/manual/manual.ts';
import { manPageOf } from '../../scripts/package/man-page.ts';

/* What shells make of the scripts, asked of the shells themselves. */

const hub = await hubManual(COMMANDS);

type Ask = (manual: Manual, words: readonly string[]) => string[];
const run = (program: string, args: readonly string[]) =>
  execFileSync(program, args, { encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: '/nonexistent' } });

t.test('completion', async (t) => {
  const dir = t.testdir();
  const write = (manual: Manual, shell: 'bash' | 'zsh' | 'fish') => {
    const file = join(dir, `${manual.program}.${shell}`);
    writeFileSync(file, completionOf(manual, shell));
    return file;
  };
  const functionOf = ({ program }: Manual) => `_${program.replaceAll('-', '_')}`;
  const shells: Record<string, Ask> = {
    bash: (manual, words) => {
      const script = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); ${functionOf(manual)}; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return run('bash', ['--norc', '-c', script, write(manual, 'bash'), manual.program, ...words]).split(
        '\n',
      );
    },
    zsh: (manual, words) => {
      // The widgets' own functions print here what they would offer.
      const script = `compdef() { :; }; _files() { print FILES; }; compadd() { shift; print -l -- "$@"; }
        _describe() { print -l -- \${\${(P)2}%%:*} }; file="$1"; shift; source "$file"; words=("$@"); CURRENT=$#; ${functionOf(manual)}`;
      return run('zsh', ['-fc', script, 'zsh', write(manual, 'zsh'), manual.program, ...words]).split('\n');
    },
    fish: (manual, words) => {
      mkdirSync(join(dir, 'home'), { recursive: true });
      const line = [manual.program, ...words].join(' ');
      const script = `set -x HOME ${join(dir, 'home')}; source ${write(manual, 'fish')}; complete -C '${line}'`;
      return run('fish', ['--no-config', '-c', script])
        .split('\n')
        .map((each) => each.split('\t')[0] ?? '');
    },
  };
  const rows: [Manual, string[], string[], string[]][] = [
    [hub, ['ro'], ['rollout'], ['status']],
    [hub, ['rollout', 'sta'], ['status', 'start'], ['rollout', '--watch']],
    [hub, ['rollout', 'status', '--wa'], ['--watch'], ['--selector']],
    [hub, ['rollout', 'list', '-o', ''], ['json', 'yaml', 'wide'], ['--watch']],
    [hub, ['node', 're'], ['replace', 'reboot', 'revoke'], ['rehearse']],
    [MANUAL, ['lease', 're'], ['release'], ['join']],
    [MANUAL, ['run', '--transport', ''], ['auto', 'mqtt', 'grpc'], ['--hub']],
  ];
  for (const [shell, ask] of Object.entries(shells)) {
    for (const [manual, words, wanted, unwanted] of rows) {
      const offered = ask(manual, words);
      // zsh and fish are given all there is, and choose themselves what fits.
      for (const word of wanted) t.ok(offered.includes(word), `${shell}: ${words.join(' ')} -> ${word}`);
      for (const word of unwanted)
        t.notOk(offered.includes(word), `${shell}: ${words.join(' ')} -/> ${word}`);
    }
  }
});

t.test('every command says what it does, and shows how', async (t) => {
  for (const manual of [hub, MANUAL]) {
    for (const { words, about, examples, flags } of manual.commands) {
      const name = `${manual.program} ${words.join(' ')}`;
      t.ok(about.length > 10 && examples.length > 0, name);
      t.ok(
        flags.every((flag) => flag.about),
        name,
      );
      t.match(helpOf(manual, words), `Usage: ${name}`);
    }
  }
  t.match(helpOf(MANUAL, []), /Usage: holdfast-agent COMMAND\n\n {2}run /);
  t.match(helpOf(MANUAL, ['lease']), /Usage: holdfast-agent lease COMMAND\n\n {2}hold /);
  t.match(helpOf(MANUAL, ['lease', 'hold', 'x']), /--for TIME/);
  t.match(helpOf(MANUAL, ['nonsense']), /Usage: holdfast-agent COMMAND/);
});

t.test('manual pages are what man reads without a complaint', async (t) => {
  const dir = t.testdir();
  for (const manual of [hub, MANUAL]) {
    const file = join(dir, `${manual.program}.1`);
    writeFileSync(file, manPageOf(manual, '0.1.0'));
    const { stdout: shown, stderr } = spawnSync(
      'groff',
      ['-man', '-Tutf8', '-P-cbou', '-ww', '-Kutf8', file],
      {
        encoding: 'utf8',
      },
    );
    t.equal(stderr, '');
    for (const { words } of manual.commands) t.match(shown, words.join(' '));
  }
});
