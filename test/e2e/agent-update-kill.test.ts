import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { parsePublicKey } from '../../proto/minisign.ts';
import { AgentService } from '../support/agent-service.ts';
import { askAgent } from '../support/ask-agent.ts';
import { Engine } from '../support/engine.ts';
import { HubProgram } from '../support/hub-program.ts';
import { newSigningKey } from '../support/packages.ts';
import { Releases } from '../support/releases.ts';
import { until } from '../support/until.ts';

/* An agent that is killed at each step of an update: what was asked for runs in the end, and it is whole. */

const NODE = 'agent-update-kill';
const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const hub = new HubProgram();
const key = newSigningKey();
const releases = await Releases.of(key.publicKey);
const work = t.testdir({ base: {}, packages: {} });
const device = new AgentService(releases.install(join(work, 'base'), '0.1.0'), NODE);
t.teardown(async () => {
  await device.close();
  await hub.close();
  await engine.removeAllOf(NODE);
});
await hub.start();
await device.join(hub.ports.grpc, await hub.token());
device.start();
await device.line(/connected to the hub/);

const at = (name: string) => join(device.slots, name);
const has = (name: string) => existsSync(at(name));
const names = () => (has('') ? readdirSync(device.slots) : []);
const current = () => (has('current') ? readFileSync(at('current'), 'utf8') : '');
const versionIn = (slot: string) =>
  (JSON.parse(readFileSync(at(`${slot}/package.json`), 'utf8')) as { version: string }).version;
const version = async () =>
  (
    await hub.api.call<{ status: { nodeInfo: { kubeletVersion: string } } }>('GET', `/api/v1/nodes/${NODE}`)
  ).status.nodeInfo.kubeletVersion.replace(/^v/, '');

async function ask(wanted: string): Promise<void> {
  await hub.packages.add(
    releases.write(join(work, 'packages'), key, { version: wanted }),
    parsePublicKey(key.publicKey),
  );
  await askAgent(hub, NODE, { id: `to-${number}`, version: wanted });
}

/** When to kill: by what is on the disk. `before` is what `current` said. */
const STEPS: readonly (readonly [step: string, isThere: (before: string) => boolean])[] = [
  ['its state is copied', () => has('state-copy')],
  ['it downloads', () => has('download')],
  ['it unpacks', () => names().some((name) => name.includes('.new-'))],
  ['the version takes its slot', () => names().some((name) => name.endsWith('.old')) || has('trial.new')],
  ['the trial is noted', () => has('trial')],
  ['the new version begins', () => has('trial/starts')],
  ['it is confirmed', (before) => current() !== before],
];

/** Whether it is there, at some time before the update is over. Looks as often as it can. */
async function seen(isThere: () => boolean, isOver: () => boolean): Promise<boolean> {
  for (const endsAt = performance.now() + 20_000; performance.now() < endsAt; await turn()) {
    if (isThere()) return true;
    if (isOver()) return isThere();
  }
  return false;
}

let number = 0;
for (const round of [1, 2])
  for (const [step, isThere] of STEPS)
    t.test(`killed when ${step} (${round})`, async (t) => {
      number += 1;
      const wanted = `0.2.${number}`;
      const before = current();
      await ask(wanted);
      const isSeen = await seen(
        () => isThere(before),
        () => current() !== before,
      );
      if (isSeen) device.kill();
      t.comment(isSeen ? 'killed' : 'over too soon to be seen');
      await until('it runs', async () => (await version()) === wanted && !has('trial'), 30_000);
      const [slot = ''] = current().split(' ');
      t.equal(versionIn(slot), wanted, 'and so it does at the next start');
      const isExpected = (name: string) => ['a', 'b', 'current', 'starts'].includes(name);
      await until('nothing is left over', () => names().every(isExpected), 10_000);
    });

t.test('killed at any time', async (t) => {
  for (let delayMs = 0; delayMs < 900; delayMs += 90) {
    number += 1;
    const wanted = `0.2.${number}`;
    await ask(wanted);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    device.kill();
    await until(`${wanted} runs`, async () => (await version()) === wanted && !has('trial'), 30_000);
    const [slot = ''] = current().split(' ');
    t.equal(versionIn(slot), wanted, `killed after ${delayMs} ms`);
  }
});
