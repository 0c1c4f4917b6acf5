import t from 'tap';
import {
  type Copy,
  planConfiguration,
} from '../../../../hub/controllers/configuration-revision/configuration-plan.ts';
import {
  SEEN_ANNOTATION,
  type Seen,
  seenHash,
  type TemplateOwner,
} from '../../../../hub/controllers/configuration-seen.ts';
import { canonicalJson } from '../../../../hub/controllers/stable-hash.ts';
import { type Stamp, stampOf, withStamp } from '../../../../hub/fleet/configuration-stamp.ts';
import type { KubeObject } from '../../../../hub/resources/object.ts';

/* Copies are called by their content here: `aaaaaaaaaa` has the content `a`. */

const CAUSE = 'kubernetes.io/change-cause';
const idOf = (content: string) => content.repeat(10);

function objectOf(key: string, content: string): KubeObject {
  const [kind = '', name = ''] = key.split('/');
  return { apiVersion: 'v1', kind, metadata: { name, namespace: 'default' }, data: { text: content } };
}

type Contents = Readonly<Record<string, string>>;

const stampWith = (contents: Contents): Stamp =>
  Object.fromEntries(Object.entries(contents).map(([key, content]) => [key, content && idOf(content)]));

const CM = 'ConfigMap/app';
const DB = 'Secret/db';

function templateOf(image: string, stamp?: Contents, keys: readonly string[] = [CM, DB]) {
  const envFrom = keys.map((key) => {
    const [kind, name] = key.split('/');
    return kind === 'Secret' ? { secretRef: { name } } : { configMapRef: { name } };
  });
  const template = {
    metadata: { labels: { app: 'app' } },
    spec: { containers: [{ name: 'main', image, envFrom }] },
  };
  return withStamp(template as TemplateOwner['spec']['template'], stamp && stampWith(stamp));
}

type Template = ReturnType<typeof templateOf>;

interface Row {
  readonly template: Template;
  /** What is live now. */
  readonly live: Contents;
  /** What was, when this template was looked at; `of` another one. */
  readonly seen?: { readonly live: Contents; readonly of?: Template; readonly cause?: string };
  readonly copies?: readonly (readonly [string, string])[];
  readonly history?: readonly Template[];
  readonly isRevisioned?: boolean;
  readonly annotations?: Readonly<Record<string, string>>;
}

function plan(row: Row) {
  const { template, live, seen, copies = [], history = [], isRevisioned = true, annotations } = row;
  const note: Seen | undefined = seen && {
    template: seenHash(seen.of ?? template),
    live: stampWith(seen.live),
    ...(seen.cause && { cause: seen.cause }),
  };
  const workload: TemplateOwner = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: {
      name: 'app',
      annotations: { ...annotations, ...(note && { [SEEN_ANNOTATION]: canonicalJson(note) }) },
    },
    spec: { template },
  };
  const wanted: string[] = [];
  const result = planConfiguration({
    workload,
    isRevisioned,
    history,
    live: (key) => (live[key] === undefined ? undefined : objectOf(key, live[key])),
    copies: copies.map(
      ([key, content]): Copy => ({ key, id: idOf(content), object: objectOf(key, content) }),
    ),
    newId: () => idOf(`${wanted.push('')}`),
  });
  const { write, create, remove, changed, canWait } = result;
  return {
    stamp: stampOf(write?.template ?? template),
    writes: write !== undefined,
    sameTemplate: write === undefined || write.template === template,
    seen: write && (JSON.parse(write.annotations[SEEN_ANNOTATION] ?? 'null') as Seen | null),
    cause: write?.annotations[CAUSE],
    create: create.map(({ key, id }) => `${key} ${id[0]}`),
    remove: remove.map(({ key, id }) => `${key} ${id[0]}`),
    changed,
    canWait,
  };
}

const BOTH = [
  [CM, 'a'],
  [DB, 'x'],
] as const;
const AX = { [CM]: 'a', [DB]: 'x' };
const stampedAX = templateOf('app:1', AX);

const rows: Readonly<Record<string, [Row, object]>> = {
  'a new template: copies of what is live, before its first revision': [
    { template: templateOf('app:1'), live: AX },
    {
      create: [`${CM} 1`, `${DB} 2`],
      stamp: { [CM]: idOf('1'), [DB]: idOf('2') },
      changed: [CM, DB],
      canWait: false,
      cause: undefined,
    },
  ],
  'nothing once it is done': [
    { template: stampedAX, live: AX, seen: { live: AX }, copies: BOTH },
    { writes: false, create: [], remove: [] },
  ],
  'other content: a copy of it, another stamp, and its cause': [
    {
      template: stampedAX,
      live: { ...AX, [CM]: 'b' },
      seen: { live: AX },
      copies: BOTH,
      history: [stampedAX],
    },
    {
      create: [`${CM} 1`],
      stamp: { [CM]: idOf('1'), [DB]: idOf('x') },
      changed: [CM],
      canWait: true,
      cause: 'ConfigMap/app changed',
      remove: [],
    },
  ],
  'content of before: the copy of before': [
    {
      template: templateOf('app:1', { ...AX, [CM]: 'b' }),
      live: AX,
      seen: { live: { ...AX, [CM]: 'b' } },
      copies: [...BOTH, [CM, 'b']],
      history: [stampedAX],
    },
    { create: [], stamp: stampWith(AX), changed: [CM] },
  ],
  'copies that a crash left are used': [
    { template: templateOf('app:1'), live: AX, copies: BOTH },
    { create: [], remove: [], stamp: stampWith(AX) },
  ],
  'an undo brings its own content, and is not sent forward again': [
    {
      template: stampedAX,
      live: { ...AX, [CM]: 'b' },
      seen: { live: { ...AX, [CM]: 'b' }, of: templateOf('app:1', { ...AX, [CM]: 'b' }) },
      copies: [...BOTH, [CM, 'b']],
      history: [stampedAX],
    },
    {
      sameTemplate: true,
      writes: true,
      seen: { template: seenHash(stampedAX), live: stampWith({ ...AX, [CM]: 'b' }) },
      changed: [],
      remove: [],
    },
  ],
  'also where what was seen is gone with it, as kubectl undoes Deployments': [
    { template: stampedAX, live: { ...AX, [CM]: 'b' }, copies: [...BOTH, [CM, 'b']], history: [stampedAX] },
    { sameTemplate: true, seen: { live: stampWith({ ...AX, [CM]: 'b' }) } },
  ],
  'after an undo, the next content is taken': [
    {
      template: stampedAX,
      live: { ...AX, [CM]: 'c' },
      seen: { live: { ...AX, [CM]: 'b' } },
      copies: [...BOTH, [CM, 'b']],
      history: [stampedAX],
    },
    { create: [`${CM} 1`], stamp: { [CM]: idOf('1'), [DB]: idOf('x') }, remove: [] },
  ],
  'and so is what is live with the next change of the template': [
    {
      template: templateOf('app:3', AX),
      live: { ...AX, [CM]: 'b' },
      seen: { live: { ...AX, [CM]: 'b' }, of: stampedAX },
      copies: [...BOTH, [CM, 'b']],
      history: [stampedAX],
    },
    { stamp: stampWith({ ...AX, [CM]: 'b' }), canWait: false, cause: undefined },
  ],
  'an undo to a time before stamps stays there': [
    {
      template: templateOf('app:0'),
      live: AX,
      seen: { live: AX, of: stampedAX },
      copies: BOTH,
      history: [templateOf('app:0'), stampedAX],
    },
    { sameTemplate: true, stamp: undefined, remove: [] },
  ],
  'an undo whose copies somebody deleted takes what is live': [
    {
      template: stampedAX,
      live: { ...AX, [CM]: 'b' },
      seen: { live: { ...AX, [CM]: 'b' }, of: templateOf('app:2', AX) },
      copies: [
        [DB, 'x'],
        [CM, 'b'],
      ],
      history: [stampedAX],
    },
    { stamp: stampWith({ ...AX, [CM]: 'b' }) },
  ],
  'what is not there is read live until it is': [
    { template: templateOf('app:1'), live: { [DB]: 'x' }, copies: [[DB, 'x']] },
    { stamp: { [CM]: '', [DB]: idOf('x') }, changed: [DB] },
  ],
  'then it is copied': [
    {
      template: templateOf('app:1', { [CM]: '', [DB]: 'x' }),
      live: AX,
      seen: { live: { [CM]: '', [DB]: 'x' } },
      copies: BOTH,
    },
    { stamp: stampWith(AX), changed: [CM], canWait: true },
  ],
  'what is deleted goes on in its copy': [
    { template: stampedAX, live: { [DB]: 'x' }, seen: { live: AX }, copies: BOTH },
    { writes: false, remove: [] },
  ],
  'also under another template': [
    {
      template: templateOf('app:2', AX),
      live: { [DB]: 'x' },
      seen: { live: AX, of: stampedAX },
      copies: BOTH,
    },
    { stamp: stampWith(AX), seen: { live: stampWith(AX) } },
  ],
  'a template that reads another one': [
    {
      template: templateOf('app:1', AX, [DB, 'ConfigMap/other']),
      live: { ...AX, 'ConfigMap/other': 'o' },
      seen: { live: AX, of: stampedAX },
      copies: [...BOTH, ['ConfigMap/other', 'o']],
    },
    { stamp: stampWith({ [DB]: 'x', 'ConfigMap/other': 'o' }), remove: [] },
  ],
  'copies that no revision names are removed': [
    {
      template: stampedAX,
      live: AX,
      seen: { live: AX },
      copies: [...BOTH, [CM, 'b'], [CM, 'c'], [DB, 'y']],
      history: [stampedAX, templateOf('app:0', { [CM]: 'b', [DB]: 'x' })],
    },
    { writes: false, remove: [`${CM} c`, `${DB} y`] },
  ],
  'a policy that says live: no stamp, and only the copies that the history names': [
    {
      template: stampedAX,
      live: AX,
      seen: { live: AX },
      copies: [...BOTH, [CM, 'b']],
      history: [stampedAX],
      isRevisioned: false,
    },
    { stamp: undefined, seen: null, remove: [`${CM} b`], canWait: false },
  ],
  'live from the beginning: nothing': [
    { template: templateOf('app:1'), live: AX, isRevisioned: false },
    { writes: false, create: [] },
  ],
  'a template that reads nothing: nothing': [
    { template: templateOf('app:1', undefined, []), live: AX },
    { writes: false, create: [] },
  ],
  'a cause that somebody else wrote stays': [
    {
      template: stampedAX,
      live: { ...AX, [CM]: 'b' },
      seen: { live: AX },
      copies: BOTH,
      annotations: { [CAUSE]: 'ticket 17' },
    },
    { cause: 'ticket 17', seen: { cause: undefined } },
  ],
  'a cause of ours is replaced': [
    {
      template: stampedAX,
      live: { ...AX, [DB]: 'y' },
      seen: { live: AX, cause: 'ConfigMap/app changed' },
      copies: BOTH,
      annotations: { [CAUSE]: 'ConfigMap/app changed' },
    },
    { cause: 'Secret/db changed', seen: { cause: 'Secret/db changed' } },
  ],
  'and removed from what comes next': [
    {
      template: templateOf('app:2', AX),
      live: AX,
      seen: { live: AX, of: stampedAX, cause: 'ConfigMap/app changed' },
      copies: BOTH,
      annotations: { [CAUSE]: 'ConfigMap/app changed' },
    },
    { cause: undefined, stamp: stampWith(AX) },
  ],
  'a broken note is as none': [
    {
      template: stampedAX,
      live: AX,
      copies: BOTH,
      annotations: { [SEEN_ANNOTATION]: '{"live":7' },
    },
    { stamp: stampWith(AX), seen: { live: stampWith(AX) } },
  ],
};

for (const [what, [row, expected]] of Object.entries(rows))
  t.test(what, async (t) => {
    t.match(plan(row), expected);
  });

t.test('what a plan writes is what the next finds right', async (t) => {
  const first = planConfiguration(inputOf(templateOf('app:1'), {}, []));
  const template = first.write?.template ?? templateOf('none');
  const again = planConfiguration(inputOf(template, first.write?.annotations ?? {}, first.create));
  t.same(again.write, undefined);
  t.same([again.create, again.remove], [[], []]);
});

function inputOf(template: Template, annotations: Readonly<Record<string, string>>, copies: readonly Copy[]) {
  let made = 0;
  return {
    workload: {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'app', annotations: { ...annotations } },
      spec: { template },
    },
    isRevisioned: true,
    history: [],
    live: (key: string) => objectOf(key, 'a'),
    copies,
    newId: () => idOf(`${++made}`),
  };
}
