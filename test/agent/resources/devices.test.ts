import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Container } from '../../../agent/pod/pod.ts';
import { allocateDevices, type DeviceUnit } from '../../../agent/resources/device-allocation.ts';
import { DeviceInventory } from '../../../agent/resources/device-inventory.ts';
import { devicesProblem, parseDevices } from '../../../agent/resources/device-sources.ts';
import { formatDevices, idsOf, readDevices } from '../../../agent/resources/pod-devices.ts';
import { mayMount } from '../../support/small-disk.ts';
import { until } from '../../support/until.ts';
import { container, makePod } from '../builders.ts';

t.test('what the owner says', async (t) => {
  t.same(
    [...parseDevices('a.b/c=/dev/video*,a.b/c=/dev/x+/dev/y,nvidia.com/gpu=gpus,a.b/d=v.com/class=one')],
    [
      [
        'a.b/c',
        [
          { type: 'pattern', pattern: '/dev/video*' },
          { type: 'group', paths: ['/dev/x', '/dev/y'] },
        ],
      ],
      ['nvidia.com/gpu', [{ type: 'gpus', pattern: '/dev/nvidia[0-9]*' }]],
      ['a.b/d', [{ type: 'cdi', name: 'v.com/class=one' }]],
    ],
  );
  t.equal(devicesProblem('holdfast.dev/camera=/dev/video*,a/b=v.com/c=d'), undefined);
  const rows: [string, RegExp][] = [
    ['camera=/dev/video0', /a domain of your own/],
    ['kubernetes.io/x=/dev/video0', /a domain of your own/],
    ['sub.kubernetes.io/x=/dev/video0', /a domain of your own/],
    ['a.b/c=video0', /must give each resource device nodes/],
    ['a.b/c=/dev/x*+/dev/y', /without \* or \?/],
  ];
  for (const [text, message] of rows) t.match(devicesProblem(text), message, text);
});

const R = 'a.b/cam';
const asks = (name: string, count: number, rest: Partial<Container> = {}) =>
  container(name, { resources: { limits: { [R]: String(count), cpu: '1' } }, ...rest });
const sidecar = { restartPolicy: 'Always' } as Partial<Container>;
const unit = (id: string, rest: Partial<DeviceUnit> = {}): DeviceUnit => ({
  id,
  isThere: true,
  nodes: [id],
  ...rest,
});
const units = (...ids: string[]) => new Map([[R, ids.map((id) => unit(id))]]);

t.test('who gets which', async (t) => {
  const rows: [string, Container[], Container[], string[], string[], object | RegExp][] = [
    ['nobody asks', [], [container()], ['v0'], [], {}],
    ['one', [], [asks('a', 1)], ['v0', 'v1'], [], { a: ['v0'] }],
    ['what others have is theirs', [], [asks('a', 1)], ['v0', 'v1'], ['v0'], { a: ['v1'] }],
    [
      'each its own',
      [],
      [asks('a', 1), asks('b', 2)],
      ['v0', 'v1', 'v2'],
      [],
      { a: ['v0'], b: ['v1', 'v2'] },
    ],
    [
      'too few',
      [],
      [asks('a', 2)],
      ['v0', 'v1'],
      ['v0'],
      /Allocate failed due to requested number of devices unavailable for a.b\/cam. Requested: 2, Available: 1/,
    ],
    [
      'who initializes has what comes after it',
      [asks('i', 1)],
      [asks('a', 1)],
      ['v0'],
      [],
      { a: ['v0'], i: ['v0'] },
    ],
    ['or more', [asks('i', 2)], [asks('a', 1)], ['v0', 'v1'], [], { a: ['v0'], i: ['v0', 'v1'] }],
    [
      'one after the other',
      [asks('i', 2), asks('j', 2)],
      [container('a')],
      ['v0', 'v1'],
      [],
      { i: ['v0', 'v1'], j: ['v0', 'v1'] },
    ],
    [
      'not of a sidecar that runs by then',
      [asks('s', 1, sidecar), asks('i', 1)],
      [container('a')],
      ['v0'],
      [],
      /Requested: 1/,
    ],
    [
      'of one that comes later',
      [asks('i', 1), asks('s', 1, sidecar)],
      [container('a')],
      ['v0'],
      [],
      { s: ['v0'], i: ['v0'] },
    ],
  ];
  for (const [what, initContainers, containers, there, taken, expected] of rows) {
    const found = allocateDevices(makePod({ initContainers, containers }), units(...there), new Set(taken));
    if (expected instanceof RegExp) t.match('lack' in found && found.lack, expected, what);
    else {
      const wanted = Object.entries(expected).map(([name, ids]) => [name, { [R]: ids }]);
      t.same('devices' in found && found.devices, Object.fromEntries(wanted), what);
    }
  }
});

t.test('two names of one device', async (t) => {
  const both = new Map([
    [R, [unit('/dev/by-id/a', { nodes: ['/dev/v0'] })]],
    ['a.b/any', [unit('/dev/v0')]],
  ]);
  t.ok('lack' in allocateDevices(makePod({ containers: [asks('a', 1)] }), both, new Set(['/dev/v0'])));
  const gone = new Map([[R, [unit('v0', { isThere: false })]]]);
  t.ok(
    'lack' in allocateDevices(makePod({ containers: [asks('a', 1)] }), gone, new Set()),
    'one that is gone',
  );
});

t.test('labels', async (t) => {
  const devices = { a: { [R]: ['v0', 'v1'] } };
  t.same(readDevices(formatDevices(devices)), devices);
  t.same(idsOf(devices), ['v0', 'v1']);
  t.equal(formatDevices({}), '');
  t.same(readDevices(''), {});
  t.same(readDevices('{'), {});
});

t.test('devices come and go', { skip: !mayMount && 'only root makes devices' }, async (t) => {
  const dir = t.testdir();
  const node = (name: string) => execFileSync('mknod', [join(dir, name), 'c', '1', '3']);
  let changes = 0;
  const at = (name: string) => join(dir, name);
  const inventory = new DeviceInventory({
    sources: parseDevices(
      `a.b/cam=${dir}/video*,a.b/pair=${at('x')}+${at('later/y')},a.b/serial=${at('by-id/*')},a.b/cdi=v.com/c=d`,
    ),
    onChange: () => ++changes,
    onError: (error) => t.fail(error.message),
  });
  t.teardown(() => inventory.close());
  const there = (resource: string) =>
    (inventory.units.get(resource) ?? [])
      .filter(({ isThere }) => isThere)
      .map(({ id }) => id.replace(dir, ''));
  node('video10');
  node('video2');
  mkdirSync(at('video-folder'));
  await inventory.look();
  t.same(there('a.b/cam'), ['/video2', '/video10']);
  t.same(there('a.b/pair'), []);
  t.same(there('a.b/cdi'), ['v.com/c=d']);
  t.same(inventory.grantsOf('a.b/cdi', ['v.com/c=d']), [{ type: 'cdi', name: 'v.com/c=d' }]);

  node('video3');
  await until('one more', () => there('a.b/cam').length === 3);
  mkdirSync(at('later'));
  node('later/y');
  node('x');
  await until('both of a pair', () => there('a.b/pair').length === 1);
  const [pair] = inventory.units.get('a.b/pair') ?? [];
  t.same(inventory.grantsOf('a.b/pair', [pair?.id ?? '']), [
    { type: 'node', path: at('x'), target: at('x') },
    { type: 'node', path: at('later/y'), target: at('later/y') },
  ]);
  mkdirSync(at('by-id'));
  symlinkSync('../video3', at('by-id/left'));
  await until('one with another name', () => there('a.b/serial').length === 1);
  t.same(inventory.grantsOf('a.b/serial', [at('by-id/left')]), [
    { type: 'node', path: at('video3'), target: at('by-id/left') },
  ]);
  rmSync(at('video2'));
  await until('one is gone', () => there('a.b/cam').length === 2);
  t.equal(inventory.units.get('a.b/cam')?.length, 3, 'and not forgotten');
  const before = changes;
  execFileSync('touch', [at('video3')]);
  execFileSync('touch', [at('file')]);
  await inventory.look();
  t.equal(changes, before, 'nothing else is news');
});
