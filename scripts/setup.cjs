// Runs before the npm scripts, on whatever Node.js the machine has: installs the pinned dependencies (the pinned Node.js
// among them) and generates the schema, each only when it is missing or older than what it is made from.
const { spawnSync } = require('node:child_process');
const { readdirSync, statSync } = require('node:fs');
const { join } = require('node:path');

const ROOT = join(__dirname, '..');
const at = (...parts) => join(ROOT, ...parts);
const modified = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** @param {string} what what does not work when this fails, and what to do about it */
function run(program, args, what) {
  const { status } = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) {
    console.error(`setup: ${what}`);
    process.exit(1);
  }
}

const INSTALLED = at('node_modules/.package-lock.json');
if (modified(INSTALLED) < modified(at('package-lock.json'))) {
  console.log('Installing the dependencies (once, about half a minute)...');
  run('npm', ['ci'], '"npm ci" did not succeed (see above): check the network and the free disk space');
}

const NODE = at('node_modules/.bin/node');
if (modified(NODE) === 0) {
  console.error(
    `setup: no Node.js is packaged for ${process.platform}-${process.arch}: Linux on x64 or arm64 is needed`,
  );
  process.exit(1);
}

const GENERATOR = [
  INSTALLED,
  at('scripts/generate-schema.ts'),
  ...readdirSync(at('scripts/schema')).map((name) => at('scripts/schema', name)),
];
if (modified(at('hub/schema/generated/kubernetes.json')) < Math.max(...GENERATOR.map(modified))) {
  run(NODE, [at('scripts/generate-schema.ts')], 'the schema was not generated (see above)');
}
