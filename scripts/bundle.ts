import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import type { BuildOptions, Metafile, OutputFile, Plugin } from 'esbuild';
import { PROTOBUF_FILE, SCHEMA_FILE } from './generate-schema.ts';

const ROOT = join(import.meta.dirname, '..');
const OLDEST_NODE = 24;
const HERE = `linux-${process.arch}`;
const TARGETS = ['linux-x64', 'linux-arm64'];

/** Programs and the places of their bundles for this machine. */
export const AGENT = join(ROOT, 'dist/agent/agent.mjs');
export const HUB = join(ROOT, 'dist/hub/holdfast.mjs');

interface Program {
  readonly folder: string;
  /** The bundle's first file, without `.mjs`. */
  readonly entry: string;
  readonly source: string;
  /** Programs that it starts as processes of their own: name → source. They share its files. */
  readonly others?: Readonly<Record<string, string>>;
  /** Data files that it reads beside itself: path in the bundle → source. */
  readonly assets: Readonly<Record<string, string>>;
}

const PROGRAMS: readonly Program[] = [
  { folder: 'agent', entry: 'agent', source: 'agent/main.ts', assets: {} },
  {
    folder: 'hub',
    entry: 'holdfast',
    source: 'hub/main.ts',
    others: { 'fleet-sim': 'scripts/fleet-sim/main.ts' },
    assets: {
      'generated/kubernetes.json': relative(ROOT, SCHEMA_FILE),
      'generated/protobuf.json': relative(ROOT, PROTOBUF_FILE),
      'on-device/install.sh': 'hub/packages/on-device/install.sh',
      'on-device/uninstall.sh': 'hub/packages/on-device/uninstall.sh',
    },
  },
];

const stub = (name: string) => join(ROOT, 'scripts/bundle-stubs', `${name}.cjs`);

/**
 * Packages that ours load and neither program uses. ssh2 and cpu-features: Docker over ssh. proto-loader: gRPC's own
 * descriptions of services. socks, worker-timers: MQTT through proxies, in browsers. tar-fs and dockerignore: builds of
 * images. thread-stream: log transports.
 */
const UNUSED = [
  'ssh2',
  'cpu-features',
  '@grpc/proto-loader',
  'socks',
  'worker-timers',
  'tar-fs',
  '@balena/dockerignore',
  'thread-stream',
];

const ALIASES = {
  ...Object.fromEntries(UNUSED.map((name) => [name, stub('empty')])),
  debug: stub('debug'),
  'readable-stream': stub('readable-stream'),
};

/** Files of packages that load much, or nobody needs: dockerode's BuildKit session alone loads all of gRPC; Swarm. */
const UNUSED_FILES: Plugin = {
  name: 'unused-files',
  setup: (build) => {
    build.onLoad({ filter: UNUSED_OF_DOCKERODE }, () => ({ contents: '' }));
    if (build.initialOptions.entryPoints && 'agent' in build.initialOptions.entryPoints) {
      build.onLoad({ filter: UNUSED_OF_GRPC }, () => ({ contents: 'exports.setup = () => {};' }));
      build.onResolve({ filter: /^\.\/channelz$/ }, () => ({ path: stub('channelz') }));
    }
    build.onResolve(
      { filter: /^(node:)?(https|worker_threads|assert|ws|zlib|util)$/ },
      ({ path, importer }) => {
        const found = UNUSED_MODULES.find(([who, what]) => who.test(importer) && what === path);
        return found && { path: stub(found[2]) };
      },
    );
  },
};

const UNUSED_OF_DOCKERODE =
  /\/node_modules\/dockerode\/lib\/(session|buildkit|service|task|node|plugin|secret|config|volume)\.js$/;

/** A device is no server, has one hub, and finds it by its name; nobody balances by its load, or asks it how it is. */
const UNUSED_OF_GRPC =
  /\/@grpc\/grpc-js\/build\/src\/(server|server-(call|credentials|interceptors)|resolver-uds|admin|experimental|orca|certificate-provider|single-subchannel-channel|load-balancer-(outlier-detection|(weighted-)?round-robin))\.js$/;

/** Modules of which a package uses nothing, or one thing: who loads it, what, and what stands for it. */
const UNUSED_MODULES: readonly (readonly [RegExp, string, string])[] = [
  [/node_modules\/docker-modem\//, 'https', 'empty'], // an engine behind TLS
  [/node_modules\/docker-modem\//, 'util', 'util'],
  [/node_modules\/dockerode\//, 'zlib', 'empty'], // to pack what an image is built from
  [/node_modules\/mqtt\//, 'ws', 'empty'], // MQTT over WebSocket
  [/node_modules\/pino\//, 'worker_threads', 'worker-threads'],
  [/node_modules\/pino\//, 'node:worker_threads', 'worker-threads'],
  [/node_modules\/sonic-boom\//, 'assert', 'assert'],
];

/**
 * Imports of Node.js's own modules become `require`. An import reads every property of such a module, and reading some of
 * them loads more: `import` of node:http alone loads fetch, HTTP/2 and the assertions, 10 MiB of an agent's memory.
 * The bundler copies properties as well, which loads worker threads for node:util: what it gets inherits them.
 */
const BUILT_INS: Plugin = {
  name: 'built-ins',
  setup: (build) => {
    build.onResolve({ filter: /^[a-z_:/0-9]+$/ }, ({ path, kind }) =>
      kind === 'import-statement' && isBuiltin(path)
        ? { path: path.replace(/^node:/, ''), namespace: 'built-in' }
        : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'built-in' }, ({ path }) => ({
      contents: `const all = require(${JSON.stringify(`node:${path}`)});
module.exports = typeof all === 'function' ? all : Object.create(all);`,
    }));
  },
};

/** Runs first: before the native addon is loaded, which crashes in an older Node.js. */
const versionCheck = (program: string) => `
if (Number.parseInt(process.versions.node, 10) < ${OLDEST_NODE}) {
  console.error('${program} needs Node.js ${OLDEST_NODE} or later, this is ' + process.version);
  process.exit(1);
}
`;

/** CommonJS packages need these names. */
const NAMES = `
import { createRequire as requireFrom } from 'node:module';
const require = requireFrom(import.meta.url), __dirname = import.meta.dirname, __filename = import.meta.filename;
`;
/** Stands where the names are to be, until it is known which files use them. */
const BANNER = '/*! names */';
const USES_NAMES = /\b(require|__dirname|__filename)\b/;

/** Each file that has the names costs an agent some kilobytes: only those that use them. */
function withNames(text: string, first: string): Buffer {
  const rest = text.replace(BANNER, '');
  return Buffer.from(text.replace(BANNER, () => `${USES_NAMES.test(rest) ? NAMES : ''}${first}`));
}

function optionsOf(
  { folder, entry, source, others = {} }: Program,
  target: string,
): BuildOptions & { metafile: true } {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  return {
    absWorkingDir: ROOT,
    entryPoints: { [entry]: source, ...others },
    outdir: outputOf(folder, target),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true, // what is loaded later, or never, costs no memory
    platform: 'node',
    format: 'esm',
    target: `node${OLDEST_NODE}`,
    minify: true,
    lineLimit: 120, // a crash prints the source line: keep it a line
    sourcemap: 'external',
    metafile: true,
    write: false,
    define: { HOLDFAST_VERSION: JSON.stringify(`v${version}`) },
    alias: { ...ALIASES, 'better-sqlite3': `better-sqlite3/${target}` },
    plugins: [UNUSED_FILES, BUILT_INS],
    loader: { '.node': 'copy' },
    assetNames: '[name]',
    chunkNames: '[name]-[hash]',
    banner: { js: BANNER },
  };
}

/** Folder of a bundle, relative to the repository. */
function outputOf(folder: string, target: string): string {
  return target === HERE ? `dist/${folder}` : `dist/${target}/${folder}`;
}

/** What is remembered of a build, in the bundle's folder. */
interface BuildRecord {
  readonly startedMs: number;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Folders of the packages of which something is in the bundle. */
  readonly packages: readonly string[];
}

/** Beside the folder, in which is only what a device needs. */
const recordOf = (output: string) => join(ROOT, `${output}.build.json`);

function readRecord(output: string): BuildRecord | undefined {
  try {
    return JSON.parse(readFileSync(recordOf(output), 'utf8')) as BuildRecord;
  } catch {
    return undefined; // none, or none that can be read: build
  }
}

const modifiedMs = (file: string) => statSync(join(ROOT, file), { throwIfNoEntry: false })?.mtimeMs;

/** Whether the bundle is there and nothing that it was made from has changed since. */
function isCurrent(output: string): boolean {
  const record = readRecord(output);
  if (!record) return false;
  const isOlder = (file: string) => (modifiedMs(file) ?? Number.POSITIVE_INFINITY) < record.startedMs;
  if (!record.packages) return false; // of a version that did not remember them
  return record.inputs.every(isOlder) && record.outputs.every((file) => modifiedMs(file) !== undefined);
}

/** Our sources one by one; the packages as a whole, which change only when they are installed anew. */
function inputsOf(metafile: Metafile, { assets }: Program): string[] {
  const sources = Object.keys(metafile.inputs).filter((file) => !/^(node_modules\/|built-in:)/.test(file));
  const stubs = readdirSync(dirname(stub('empty'))).map((name) => `scripts/bundle-stubs/${name}`);
  return [
    ...new Set([
      ...sources,
      ...stubs,
      ...Object.values(assets),
      'scripts/bundle.ts',
      'package.json',
      'node_modules/.package-lock.json',
    ]),
  ];
}

/** Files appear complete, the entry last: another process may start the program, or build it, at the same time. */
function put(file: string, content: Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true });
  const part = `${file}.${process.pid}`;
  writeFileSync(part, content);
  renameSync(part, file);
}

async function build(program: Program, target: string): Promise<Metafile | undefined> {
  const output = outputOf(program.folder, target);
  if (isCurrent(output)) return undefined;
  const startedMs = Date.now();
  const { build } = await import('esbuild');
  const before = readRecord(output);
  const { metafile, outputFiles = [], warnings } = await build(optionsOf(program, target));
  if (warnings.length > 0)
    // esbuild has told them: what is undefined now would fail when it is used
    throw new Error(`the bundle of ${program.folder} would not do what its sources do`);
  const addons = outputFiles.filter(({ path }) => path.endsWith('.node'));
  if (addons.length !== 1) {
    const found = addons.map(({ path }) => basename(path)).join(', ');
    throw new Error(`the bundle of ${program.folder} must have one native addon, has ${found || 'none'}`);
  }
  for (const [file, source] of Object.entries(program.assets))
    put(join(ROOT, output, file), readFileSync(join(ROOT, source)));
  const isEntry = ({ path }: { path: string }) => basename(path) === `${program.entry}.mjs`;
  const name = program.folder === 'agent' ? 'holdfast-agent' : 'holdfast';
  const finished = ({ path, contents, text }: OutputFile) =>
    path.endsWith('.mjs') ? withNames(text, isEntry({ path }) ? versionCheck(name) : '') : contents;
  for (const file of outputFiles.filter((file) => !isEntry(file))) put(file.path, finished(file));
  for (const file of outputFiles.filter(isEntry)) put(file.path, finished(file));

  const outputs = outputFiles.map(({ path }) => relative(ROOT, path));
  removeOld(output, [...outputs, ...(before?.outputs ?? [])]);
  const packages = packagesIn(metafile);
  const record: BuildRecord = { startedMs, inputs: inputsOf(metafile, program), outputs, packages };
  put(recordOf(output), Buffer.from(JSON.stringify(record)));
  return metafile;
}

/** Of every file that is in an output with a byte or more. The native addon is a file like any other. */
function packagesIn(metafile: Metafile): string[] {
  const files = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0),
  );
  const folders = files.map(([file]) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

/** A bundle as it is now, and nothing of builds before: path in the bundle → content. */
export interface Bundle {
  readonly files: ReadonlyMap<string, Buffer>;
  /** Folders of the packages of which something is in it. */
  readonly packages: readonly string[];
}

/** Builds what is not current. */
export async function bundleOf(folder: string, target: string): Promise<Bundle> {
  await bundle(target);
  const program = PROGRAMS.find((each) => each.folder === folder);
  const output = outputOf(folder, target);
  const record = readRecord(output);
  if (!program || !record) throw new Error(`there is no bundle "${folder}"`);
  const outputs = record.outputs.filter((file) => !file.endsWith('.map'));
  const paths = [...outputs.map((file) => relative(output, file)), ...Object.keys(program.assets)].sort();
  const files = new Map(paths.map((path) => [path, readFileSync(join(ROOT, output, path))]));
  return { files, packages: record.packages };
}

/** Chunks of the build before this one stay: a program that runs from it may not have loaded all of them yet. */
function removeOld(output: string, keep: readonly string[]): void {
  const kept = new Set(keep.map((file) => basename(file)));
  for (const name of readdirSync(join(ROOT, output))) {
    if (/\.mjs(\.map)?$/.test(name) && !kept.has(name)) rmSync(join(ROOT, output, name), { force: true });
  }
}

/** Makes the bundles of hub and agent where they are missing or older than what they are made from. */
export async function bundle(target = HERE): Promise<ReadonlyMap<string, Metafile>> {
  if (!TARGETS.includes(target))
    throw new Error(`a bundle is for one of ${TARGETS.join(', ')}, not for "${target}"`);
  const built = new Map<string, Metafile>();
  for (const program of PROGRAMS) {
    const metafile = await build(program, target);
    if (metafile) built.set(program.folder, metafile);
  }
  return built;
}

/** One line for each file that runs, largest first. */
function sizes(metafile: Metafile): string[] {
  return Object.entries(metafile.outputs)
    .filter(([file]) => !file.endsWith('.map'))
    .sort(([, a], [, b]) => b.bytes - a.bytes)
    .map(([file, { bytes }]) => `${bytes.toLocaleString('en').padStart(12)}  ${file}`);
}

/** What each package costs in the files that run, largest first. */
function packages(metafile: Metafile): string[] {
  const bytesOf = new Map<string, number>();
  for (const [file, { inputs }] of Object.entries(metafile.outputs)) {
    if (file.endsWith('.map')) continue;
    for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
      const [, name = input.split('/')[0] ?? ''] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input) ?? [];
      bytesOf.set(name, (bytesOf.get(name) ?? 0) + bytesInOutput);
    }
  }
  return [...bytesOf]
    .sort(([, a], [, b]) => b - a)
    .map(([name, bytes]) => `${bytes.toLocaleString('en').padStart(12)}  ${name}`);
}

if (import.meta.main) {
  const [target] = process.argv.slice(2);
  const built = await bundle(target);
  for (const [folder, metafile] of built) {
    console.log(`${folder}: files\n${sizes(metafile).join('\n')}`);
    console.log(`${folder}: by package\n${packages(metafile).slice(0, 12).join('\n')}`);
  }
  if (built.size === 0) console.log('the bundles are newer than all that they are made from');
}
