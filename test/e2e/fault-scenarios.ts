import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Test } from 'tap';
import { linkName } from '../../agent/runtime/network-name.ts';
import { bareNetworksOf, toldOfIn } from '../support/bare-networks.ts';
import { Engine, PrivateEngine } from '../support/engine.ts';
import type { FaultPlan } from '../support/fault-at.ts';
import { appImage, makeAppImages } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * What goes wrong at each step of a pod's start or end, one step later each time: whatever was being done, the pod comes to
 * where it should be, and nothing is left behind.
 */

/** What goes wrong. */
export interface Fault {
  /** For people, and in the node's name. */
  readonly name: string;
  readonly engine: Engine;
  readonly signal: NodeJS.Signals;
  /** Who gets the signal; undefined: the agent. */
  readonly pid?: () => number;
  /** Steps at which it is tried; undefined: all. */
  readonly only?: string;
  /** What starts and ends; undefined: a pod of all that an agent makes for one. */
  readonly pod?: typeof POD;
  /** After the signal was sent. */
  readonly mend: (stand: Stand) => Promise<void>;
}

/** The agent is killed, and started again. */
export const AGENT_KILLED: Fault = {
  name: 'killed',
  engine: new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock'),
  signal: 'SIGKILL',
  mend: async (stand) => {
    await stand.agent.exit();
    await stand.startAgent();
    await stand.agent.line(/connected to the hub/);
  },
};

const NAME = 'all';
/** A pod whose network is nothing else, where that can be. */
export const ALONE = podOf(
  NAME,
  { main: {} },
  { terminationGracePeriodSeconds: 0, automountServiceAccountToken: false },
);

/** What is on a device of pods, by kind. */
type Seen = Readonly<Record<string, readonly string[]>>;

/** One half of a pod's life: what an operator does, and what is there once the device has done it. */
interface Half {
  readonly act: () => Promise<unknown>;
  readonly what: () => Promise<Seen>;
  expected: Seen;
}

/** Something of all that an agent makes for a pod. */
const POD = podOf(
  NAME,
  {
    main: {
      volumeMounts: [
        { name: 'empty', mountPath: '/part', subPath: 'of/it' },
        { name: 'in-memory', mountPath: '/in-memory' },
        { name: 'files', mountPath: '/files' },
      ],
    },
  },
  {
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    initContainers: [{ name: 'first', image: appImage(1), command: shell('exit 0') }],
    volumes: [
      { name: 'empty', emptyDir: {} },
      { name: 'in-memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      {
        name: 'files',
        projected: {
          sources: [{ configMap: { name: 'settings' } }, { serviceAccountToken: { path: 'token' } }],
        },
      },
    ],
  },
);
const SETTINGS = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', namespace: 'default' },
  data: { a: '1' },
};

const isEqual = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

export async function faultAtEachStep(t: Test, fault: Fault, which: 'start' | 'end'): Promise<void> {
  const { engine, pod = POD } = fault;
  const stand = new Stand(engine, 'mqtt', `device-${fault.name}-${which}`);
  const pods = new SeenPods(stand);
  const [planFile, steps] = [join(stand.dir, 'plan'), join(stand.dir, 'steps')];
  stand.faults = { FAULT_PLAN: planFile, FAULT_STEPS: steps };
  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  await stand.start();
  await stand.apply(listOf(SETTINGS));

  let uid = 'none'; // of the newest pod
  const start: Half = {
    act: async () => {
      await stand.apply(pod);
      uid = (await pods.get(NAME)).metadata?.uid ?? '';
    },
    what: async () => ({ ...(await whatIsThere(stand, uid)), ready: [`${await pods.isReady(NAME)}`] }),
    expected: {},
  };
  const end: Half = {
    act: () => stand.kubectl('delete', 'pod', NAME, '--wait=false'),
    what: () => whatIsThere(stand, uid),
    expected: {},
  };
  await start.act();
  await pods.ready(NAME);
  start.expected = await start.what();
  t.match(start.expected, { links: ['UP'], networks: [/./] });
  if (pod === POD) {
    const containers = ['container first exited', 'container main running', 'infra running'];
    t.match(start.expected, { containers, mounts: [/in-memory/] });
    t.ok(start.expected['files']?.includes('<uid>/volumes/files/..data/token'));
  } else t.match(start.expected, { containers: ['container main running'], bare: [/./], told: [/./] });
  await end.act();
  await until('nothing is left', async () => isEqual(await end.what(), nothingIn(start.expected)));
  end.expected = await end.what();

  const stepsSeen = () => (existsSync(steps) ? readFileSync(steps, 'utf8').trim().split('\n') : []);
  /** Resolves with the step at which the signal was sent; undefined: all was done before it came so far. */
  const faultIn = async ({ act, what, expected }: Half, step: number) => {
    rmSync(steps, { force: true });
    const pid = fault.pid?.();
    const plan: FaultPlan = {
      id: step,
      step,
      signal: fault.signal,
      ...(pid && { pid }),
      ...(fault.only && { only: fault.only }),
    };
    writeFileSync(planFile, JSON.stringify(plan));
    await act();
    let isOver = false;
    // Side by side: an engine that hangs does not say what is there.
    await Promise.race([
      until('the signal is sent', () => isOver || stepsSeen().length >= step),
      until('all is done', async () => isOver || isEqual(await what(), expected)),
    ]);
    isOver = true;
    rmSync(planFile);
    return stepsSeen()[step - 1];
  };
  const isDone = async ({ what, expected }: Half, told: string) => {
    await until(told, async () => isEqual(await what(), expected)).catch(() => {}); // shown by what comes next
    t.same(await what(), expected, told);
  };

  const [half, other] = which === 'start' ? [start, end] : [end, start];
  if (half === end) await start.act().then(() => isDone(start, 'a pod to end'));
  for (let step = 1; ; step += 1) {
    const at = await faultIn(half, step);
    if (at !== undefined) await fault.mend(stand);
    await isDone(half, `the ${which} of a pod, ${fault.name} at ${at ?? 'no step'}`);
    if (at === undefined) break;
    await other.act();
    await isDone(other, `after ${at}`);
  }
}

/** With what differs from one pod to the next taken out. */
async function whatIsThere({ engine, node, dir, agentDir, runDir }: Stand, uid: string): Promise<Seen> {
  // A pod begins anew when its network is lost with the engine.
  const isBegunAnew = engine instanceof PrivateEngine;
  const plain = (text: string) =>
    text
      .replaceAll(uid, '<uid>')
      .replace(/\.\.(?!data)[^/]{6}/, '..<random>')
      .replace(/(messages\/\w+\.)\d+/, isBegunAnew ? '$1<attempt>' : '$&');
  const listed = (names: readonly string[]) => (isBegunAnew ? [...new Set(names)] : [...names]).sort();
  const ours = JSON.stringify({ label: [`holdfast.dev/node=${node}`] });
  const containers = (await engine.docker.listContainers({ all: true, filters: ours })).filter(
    ({ Labels }) => Labels['holdfast.dev/role'],
  );
  const infra = containers.filter(({ Labels }) => Labels['holdfast.dev/role'] === 'infra');
  const [bare, told] = [bareNetworksOf(uid), toldOfIn(runDir)];
  const links = new Set([...infra.map(({ Id }) => linkName(Id)), ...bare, ...told]);
  const files = [join(agentDir, 'pods'), join(runDir, 'memory/pods')].flatMap((root) =>
    existsSync(root) ? readdirSync(root, { recursive: true, encoding: 'utf8' }) : [],
  );
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${dir}/`));
  return {
    containers: listed(
      containers.map(({ Labels, State }) =>
        [Labels['holdfast.dev/role'], Labels['holdfast.dev/container'], State].filter(Boolean).join(' '),
      ),
    ),
    networks: (await engine.docker.listNetworks({ filters: ours })).map(({ Name }) => Name),
    links: execFileSync('ip', ['-br', 'link', 'show', 'type', 'veth'], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.split(/[@\s]+/))
      .filter(([name = '']) => links.has(name))
      .map(([, , state = '']) => state),
    bare: bare.map(() => 'a network'),
    told: told.map(() => 'a network'),
    files: listed(files.map(plain)),
    mounts: mounts.map((path) => plain(relative(dir, path))).sort(),
  };
}

/** But for the node's network, which stays. */
const nothingIn = ({ networks }: Seen): Seen => ({
  containers: [],
  networks: networks ?? [],
  links: [],
  bare: [],
  told: [],
  files: [],
  mounts: [],
});
