import { readFileSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SlowFacts } from './facts.ts';

const TIMEOUT_MS = 30_000;
/** Changes with the operating system: what else the facts tell of does not change while the device is the same. */
const OS_RELEASE = '/etc/os-release';
/** What boards without a BIOS are called. */
const DEVICE_TREE_MODEL = '/proc/device-tree/model';

interface KeptFacts {
  /** The agent and the system that they were found out by. */
  readonly basis: string;
  readonly facts: SlowFacts;
}

/** Facts that take other programs to find out: kept in `dir`, found out anew by another agent or on another system. */
export async function slowFacts(dir: string, agentVersion: string): Promise<SlowFacts> {
  const file = join(dir, 'facts.json');
  const basis = `${agentVersion} ${statSync(OS_RELEASE, { throwIfNoEntry: false })?.mtimeMs}`;
  const kept = readKept(file);
  if (kept?.basis === basis) return kept.facts;
  const facts = { ...(await gatherSlowFacts()), ...diskOf(dir) };
  writeFileSync(file, JSON.stringify({ basis, facts } satisfies KeptFacts), { mode: 0o600 });
  return facts;
}

/** The disk that pods write to. */
function diskOf(dir: string): Partial<SlowFacts> {
  try {
    const { blocks, bsize } = statfsSync(dir);
    return { diskBytes: blocks * bsize };
  } catch {
    return {};
  }
}

/** Undefined also for what cannot be read: then they are found out anew. */
function readKept(file: string): KeptFacts | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as KeptFacts;
  } catch {
    return undefined;
  }
}

/**
 * In a process of its own, which ends: what it loads, half as much as all the rest of the agent, does not stay in the
 * memory of a small device.
 */
async function gatherSlowFacts(): Promise<SlowFacts> {
  const [{ execFile }, { promisify }] = await Promise.all([
    import('node:child_process'),
    import('node:util'),
  ]);
  const [, program = ''] = process.argv;
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, program, 'facts'], {
    timeout: TIMEOUT_MS,
  });
  return JSON.parse(stdout) as SlowFacts;
}

/** What that process does: prints the facts as JSON. */
export async function printSlowFacts(): Promise<void> {
  const { default: si } = await import('systeminformation');
  const [os, uuid, system, disks] = await Promise.all([si.osInfo(), si.uuid(), si.system(), si.fsSize()]);
  const root = disks.find(({ mount }) => mount === '/') ?? disks[0];
  const facts: SlowFacts = {
    osImage: [os.distro, os.release, os.codename && `(${os.codename})`].filter(Boolean).join(' '),
    machineId: uuid.os,
    systemUuid: uuid.hardware || uuid.os,
    model: deviceTreeModel(DEVICE_TREE_MODEL) || (system.model && system.model !== '-' ? system.model : ''),
    diskBytes: root?.size ?? 0,
  };
  process.stdout.write(JSON.stringify(facts));
}

/** Empty where there is none. */
export function deviceTreeModel(file: string): string {
  try {
    return readFileSync(file, 'utf8').replaceAll('\0', '').trim();
  } catch {
    return '';
  }
}
