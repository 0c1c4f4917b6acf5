import { copyFileSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { RawEngine } from '../raw-engine.ts';
import type { Stand } from '../stand.ts';

const DATABASE = 'agent.db';
/** Where engines keep networks of containers. */
const NAMESPACES = ['/run/docker', '/run/netns'];
/** The engines' names and the agent's. */
const LINKS = /^(veth|hf[0-9a-f]{10}$)/;

/** What could be left, and how rows name it. */
export const KINDS = {
  descriptors: 'file descriptors of the agent',
  processes: 'processes of the agent',
  files: "files and directories in the agent's data and run directories",
  rows: "rows in the agent's database",
  containers: 'containers',
  networks: 'networks',
  volumes: 'volumes',
  mounts: 'mounts',
  links: 'network links',
} as const;

/** Names, for whoever must find out what it is. */
export type Kept = Readonly<Record<keyof typeof KINDS, readonly string[]>>;

/**
 * What is there now of what pods need. Containers and networks are those of the node; volumes, mounts and links are the
 * engine's, for those that are left behind no longer say whose they were: nobody else may use it meanwhile.
 */
export async function keptBy(stand: Stand, engine: RawEngine): Promise<Kept> {
  const { agent, node, dataDir, runDir } = stand;
  return {
    descriptors: descriptorsOf(agent.pid),
    processes: childrenOf(agent.pid),
    files: [dataDir, runDir].flatMap(filesBelow),
    rows: rowsOf(dataDir),
    ...(await engine.names(`holdfast.dev/node=${node}`)),
    mounts: mountsBelow([stand.dir, await engine.rootDir(), ...NAMESPACES]),
    links: readdirSync('/sys/class/net').filter((name) => LINKS.test(name)),
  };
}

function mountsBelow(dirs: readonly string[]): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n');
  const paths = mounts.map((line) => line.split(' ')[4] ?? '');
  return paths.filter((path) => dirs.some((dir) => path.startsWith(`${dir}/`)));
}

/** A snapshot's number is in its name; there are always two. */
function filesBelow(dir: string): string[] {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  return names.map((name) => name.replace(/[\d-]+\.snapshot$/, '*.snapshot'));
}

/** Names of one that are not of the other, as often as they are there more. */
export function moreThan(before: readonly string[], after: readonly string[]): string[] {
  const known = [...before];
  return after.filter((name) => {
    const index = known.indexOf(name);
    if (index >= 0) known.splice(index, 1);
    return index < 0;
  });
}

function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\[\d+\]$/, ''); // sockets come and go
    } catch {
      return []; // closed meanwhile
    }
  });
}

function childrenOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
  );
}

/** Of a copy: the agent has its database for itself alone. It writes nothing at rest, so the copy is whole. */
function rowsOf(dataDir: string): string[] {
  const dir = mkdtempSync(join(tmpdir(), 'hf-bench-rows-'));
  try {
    for (const name of readdirSync(dataDir).filter((each) => each.startsWith(DATABASE)))
      copyFileSync(join(dataDir, name), join(dir, name));
    const database = new Database(join(dir, DATABASE));
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
    const rows = (tables as string[]).flatMap((table) =>
      (database.prepare(`SELECT * FROM "${table}"`).raw().all() as unknown[][]).map(
        ([key]) => `${table} ${key}`,
      ),
    );
    database.close();
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
