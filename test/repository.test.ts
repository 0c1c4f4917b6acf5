import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { PAGE, settingsPage } from '../scripts/generate-settings-page.ts';

/* What is not about behaviour: types, lint, format, and that generated code is what its source makes. */

const run = promisify(execFile);
const bin = (name: string) => join('node_modules', '.bin', name);

/** Resolves with what the tool printed when it is content; rejects with what it found. */
async function tool(name: string, ...args: string[]): Promise<string> {
  try {
    // Without tap's own loaders, which it hands down to whatever its tests start.
    const command = ['-u', 'NODE_OPTIONS', bin(name), ...args];
    return (await run('env', command, { maxBuffer: 16 * 1024 * 1024 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${name} ${args.join(' ')}:\n${stdout}${stderr}`);
  }
}

t.test('types are right', () => tool('tsc'));
t.test('lint and format are right', () => tool('biome', 'check', '--error-on-warnings'));
t.test('the contract is well-formed', () => tool('buf', 'lint'));

t.test('generated code is what the contract makes', async (t) => {
  const fresh = t.testdir();
  await tool('buf', 'generate', '--output', fresh);
  const made = join(fresh, 'proto/gen/holdfast/v1');
  const kept = 'proto/gen/holdfast/v1';
  t.same(readdirSync(made).sort(), readdirSync(kept).sort());
  for (const file of readdirSync(made)) {
    t.equal(
      readFileSync(join(made, file), 'utf8'),
      readFileSync(join(kept, file), 'utf8'),
      `${file}: run "npm run generate"`,
    );
  }
});

t.test('the page of settings says what the tables say', async (t) => {
  t.equal(readFileSync(PAGE, 'utf8'), settingsPage(), 'run "npm run generate"');
});
