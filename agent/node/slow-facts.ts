import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { SlowFacts } from './facts.ts';

const TIMEOUT_MS = 30_000;

/**
 * Facts that take other programs to find out. They are gathered in a process of its own, which ends: what it loads, half
 * as much as all the rest of the agent, does not stay in the memory of a small device.
 */
export async function gatherSlowFacts(): Promise<SlowFacts> {
  const [, program = ''] = process.argv;
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [...process.execArgv, program, 'facts'], {
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
    model: system.model && system.model !== '-' ? system.model : '',
    diskBytes: root?.size ?? 0,
  };
  process.stdout.write(JSON.stringify(facts));
}
