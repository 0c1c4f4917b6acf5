import t from 'tap';
import type { ContainerSpec, Runtime } from '../../../agent/runtime/runtime.ts';
import { drawFrom } from '../../../scripts/fleet-sim/draw.ts';
import { type Behaviour, behaviourOfImage, type Scenario } from '../../../scripts/fleet-sim/scenario.ts';
import { SimulatedRuntime } from '../../../scripts/fleet-sim/simulated-runtime.ts';

const OFFSET_MS = 3_600_000;

function runtimeOf(images: Scenario['images'], behaviour: Behaviour = {}): SimulatedRuntime {
  return new SimulatedRuntime({
    node: 'sim-0',
    index: 0,
    behaviour,
    image: (name) => behaviourOfImage({ images: images ?? {} }, name),
    draw: drawFrom(0),
    elapsedMs: () => 0,
    now: () => Date.now() + OFFSET_MS,
    refusal: ({ container }) => (container === 'refused' ? 'it cannot be simulated' : undefined),
    onCreate: () => {},
    onChange: () => {},
  });
}

const specOf = (image: string, container = 'main', attempt = 0): ContainerSpec => ({
  identity: {
    role: 'container',
    podUid: 'uid',
    podNamespace: 'default',
    podName: 'pod',
    container,
    attempt,
    specHash: '',
    crashes: 0,
    graceSeconds: 30,
    infra: '',
    podSinceMs: 0,
    podDevices: '',
    podIp: '',
  },
  image,
  env: [],
  mounts: [],
  ports: [],
  network: { type: 'own' },
});

async function started(runtime: Runtime, image: string): Promise<string> {
  const id = await runtime.create(specOf(image));
  await runtime.start(id);
  return id;
}

/** Resolves with how the container ended. */
async function endOf(runtime: Runtime, id: string, act: () => Promise<unknown>): Promise<number | undefined> {
  const abort = new AbortController();
  const changes = await runtime.changes(abort.signal);
  const acted = act();
  for await (const change of changes) {
    if (!('id' in change) || change.id !== id || !change.ended) continue;
    await acted;
    return change.ended.exitCode;
  }
  return undefined;
}

const READY: Scenario['images'] = { app: { present: true } };

t.test('what fails, fails as with the engine', async (t) => {
  const full: Behaviour = { diskFull: [{ fromMs: 0 }] };
  const pull = (runtime: Runtime) => runtime.pull('app', { secrets: [], onProgress: () => undefined });
  const create = (runtime: Runtime) => runtime.create(specOf('app'));
  const twice = async (runtime: Runtime) => {
    await create(runtime);
    await create(runtime);
  };
  const rows: [string, SimulatedRuntime, (runtime: Runtime) => Promise<unknown>, string, RegExp][] = [
    ['an image that is not there', runtimeOf({}), create, 'image-absent', /No such image: app/],
    [
      'an image that no registry has',
      runtimeOf({ app: { absent: true } }),
      pull,
      'other',
      /manifest unknown/,
    ],
    ['a pull to a full disk', runtimeOf({}, full), pull, 'other', /no space left on device/],
    ['a container on a full disk', runtimeOf(READY, full), create, 'other', /no space left on device/],
    ['the same attempt twice', runtimeOf(READY), twice, 'name-taken', /already in use/],
    ['to start what is gone', runtimeOf(READY), (runtime) => runtime.start('x'), 'gone', /No such container/],
    [
      'what cannot be simulated',
      runtimeOf(READY),
      (runtime) => runtime.create(specOf('app', 'refused')),
      'other',
      /it cannot be simulated/,
    ],
  ];
  for (const [name, runtime, act, kind, message] of rows)
    await t.rejects(act(runtime), { kind, message }, name);
});

t.test('a container from its making to its end', async (t) => {
  const runtime = runtimeOf({});
  await runtime.pull('app');
  const id = await runtime.create(specOf('app'));
  t.match(await runtime.inspect(id), { id, state: 'created', image: 'app', podName: 'pod' });
  await runtime.start(id);
  const running = await runtime.inspect(id);
  t.match(running, { state: 'running', ip: /^127\./ });
  t.ok(
    Math.abs((running?.startedAtMs ?? 0) - Date.now() - OFFSET_MS) < 60_000,
    "times are the device's clock's",
  );
  t.match(await runtime.stats(id), { workingSetBytes: 8 * 1024 * 1024 });
  t.equal(await endOf(runtime, id, () => runtime.signal(id, 'SIGTERM')), 143);
  t.match(await runtime.inspect(id), { state: 'exited', exitCode: 143, ip: '' });
  await runtime.remove(id);
  t.equal(await runtime.inspect(id), undefined);
  t.same(await runtime.list(), []);
});

t.test('how containers end', async (t) => {
  const rows: [
    string,
    Scenario['images'],
    Behaviour,
    (runtime: Runtime, id: string) => Promise<unknown>,
    number,
  ][] = [
    ['by themselves', { app: { present: true, exit: { afterMs: 1, code: 3 } } }, {}, async () => {}, 3],
    ['asked to, after a while', READY, { stopMs: 2 }, (runtime, id) => runtime.signal(id, 'SIGTERM'), 143],
    [
      'killed, when they ignore that they are asked to',
      { app: { present: true, ignoresTerm: true } },
      {},
      async (runtime, id) => {
        await runtime.signal(id, 'SIGTERM');
        await runtime.kill(id);
      },
      137,
    ],
    ['removed', READY, {}, (runtime, id) => runtime.remove(id), 137],
  ];
  for (const [name, images, behaviour, act, exitCode] of rows) {
    const runtime = runtimeOf(images, behaviour);
    const id = await started(runtime, 'app');
    t.equal(await endOf(runtime, id, () => act(runtime, id)), exitCode, name);
  }
});

t.test('one that ends at once has ended when it has been started', async (t) => {
  const runtime = runtimeOf({ app: { present: true, exit: { afterMs: 0, code: 0 } } });
  t.match(await runtime.inspect(await started(runtime, 'app')), { state: 'exited', exitCode: 0 });
});

t.test('commands end as the scenario says', async (t) => {
  const never = { okUntilMs: 0 };
  const later = { okFromMs: 60_000 };
  const rows: [string, object[], string[], number][] = [
    ['well, when it says nothing', [], ['ready'], 0],
    ['badly, when it never is well', [{ contains: 'ready', ...never }], ['sh', '-c', 'is-ready'], 1],
    ['badly, before its time', [later], ['ready'], 1],
    ['well, when another command is meant', [{ contains: 'live', ...never }], ['ready'], 0],
    ['as the first that matches', [{ contains: 'ready' }, never], ['ready'], 0],
  ];
  for (const [name, commands, command, exitCode] of rows) {
    const runtime = runtimeOf({ app: { present: true, commands } });
    const id = await started(runtime, 'app');
    const { signal } = new AbortController();
    t.equal((await runtime.exec(id, command, signal)).exitCode, exitCode, name);
  }
  const slow = runtimeOf({ app: { present: true, commands: [{ tookMs: 60_000 }] } });
  const abort = new AbortController();
  const running = slow.exec(await started(slow, 'app'), ['ready'], abort.signal);
  abort.abort(new Error('too slow'));
  await t.rejects(running, { message: 'too slow' });
});

t.test('images that are removed must be pulled again, unless a container uses them', async (t) => {
  const runtime = runtimeOf(READY);
  const id = await started(runtime, 'app');
  await runtime.removeImage('app');
  t.equal(await runtime.hasImage('app'), true);
  await runtime.remove(id);
  await runtime.removeImage('app');
  t.equal(await runtime.hasImage('app'), false);
  await runtime.pull('app');
  t.equal(await runtime.hasImage('app'), true);
});

t.test('what a device that loses its power, or all that it has, still knows', async (t) => {
  const runtime = runtimeOf({});
  await runtime.pull('app');
  const id = await started(runtime, 'app');
  runtime.endAll();
  t.match(await runtime.inspect(id), { state: 'exited', exitCode: 137 });
  runtime.forgetAll();
  t.same(await runtime.list(), []);
  t.equal(await runtime.hasImage('app'), false);
});
