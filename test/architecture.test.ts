import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';

/*
 * Who may import whom. The two tables are the rule; ARCHITECTURE.md says why.
 */

/** Which places a place may import from, itself aside. The most specific line counts. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  proto: [],

  // Down: link, state, reconcile, runtime; up: runtime, pod, reconcile, link.
  'agent/runtime': ['agent/monotonic.ts', 'proto/limit.ts'],
  'agent/pod': [
    'agent/runtime',
    'agent/time-text.ts',
    'proto/canonical-json.ts',
    'proto/local-path.ts',
    'proto/pod-update.ts',
  ],
  'agent/state': ['agent/pod', 'proto'],
  'agent/dns': ['agent/pod/cluster-domain.ts', 'agent/pod/pod.ts', 'agent/runtime/runtime.ts'],
  'agent/network': ['agent/monotonic.ts', 'agent/pod/pod.ts', 'agent/runtime'],
  'agent/eviction': ['agent/pod', 'agent/runtime', 'proto/limit.ts', 'proto/settings/settings.ts'],
  'agent/resources': [
    'agent/eviction/thresholds.ts',
    'agent/pod',
    'agent/runtime/runtime.ts',
    'proto/settings/settings.ts',
  ],
  'agent/reconcile': [
    'agent/eviction/refusal.ts',
    'agent/eviction/thresholds.ts',
    'agent/resources/device-allocation.ts',
    'agent/resources/pod-devices.ts',
    'agent/resources/room.ts',
    'agent/network/pod-network.ts',
    'agent/runtime',
    'agent/pod',
    'agent/state',
    'agent/dns/host-resolver.ts',
    'agent/dns/resolver.ts',
    'agent/time-text.ts',
    'proto/limit.ts',
    'proto/pod-update.ts',
  ],
  'agent/link': [
    'agent/monotonic.ts',
    'agent/state',
    'agent/streams/source.ts',
    'agent/reconcile/event-recorder.ts',
    'proto',
  ],
  'agent/node': [
    'agent/eviction/conditions.ts',
    'agent/eviction/thresholds.ts',
    'agent/reconcile/event-recorder.ts',
    'agent/resources/device-allocation.ts',
    'agent/resources/device-inventory.ts',
    'agent/resources/reserve.ts',
    'agent/runtime/digest-tag.ts',
    'agent/runtime/runtime.ts',
    'agent/state',
    'agent/time-text.ts',
    'proto/node-reboot.ts',
    'proto/request-answer.ts',
  ],
  'agent/update': [
    'agent/pod/consent.ts',
    'agent/reconcile/event-recorder.ts',
    'agent/reconcile/update-windows.ts',
    'agent/state',
    'proto/agent-release.ts',
    'proto/minisign.ts',
    'proto/pod-update.ts',
    'proto/request-answer.ts',
  ],
  'agent/static-pods': [
    'agent/pod',
    'agent/reconcile/event-recorder.ts',
    'agent/state',
    'agent/time-text.ts',
    'proto/canonical-json.ts',
    'proto/small-file.ts',
  ],
  'agent/joining': ['agent/config.ts', 'proto/settings'],
  'agent/local': ['agent/pod/lease.ts', 'agent/pod/pod.ts', 'proto/make-directory.ts'],
  'agent/bundle': [
    'agent/config.ts',
    'agent/images/imported.ts',
    'agent/runtime/engine-call.ts',
    'agent/state/identity-file.ts',
    'proto/bundle',
  ],
  'agent/images': [
    'agent/config.ts',
    'agent/monotonic.ts',
    'agent/runtime',
    'agent/state',
    'proto/bundle/tar-reader.ts',
    'proto/tar-header.ts',
  ],
  'agent/doctor': [
    'agent/monotonic.ts',
    'agent/local/client.ts',
    'agent/runtime/engine-call.ts',
    'agent/state/agent-state.ts',
    'agent/version.ts',
    'agent/time-text.ts',
    'proto/diagnosis.ts',
    'proto/support',
  ],
  'agent/streams': ['agent/runtime', 'agent/usage', 'proto'],
  'agent/usage': ['agent/runtime/runtime.ts', 'proto/limit.ts'],
  'agent/config.ts': [
    'agent/eviction/eviction.ts',
    'agent/eviction/thresholds.ts',
    'agent/network/subnet.ts',
    'agent/pod/guard-rails.ts',
    'agent/resources',
    'proto/engine-address.ts',
    'proto/settings',
  ],
  'agent/log.ts': [],
  'agent/monotonic.ts': [],
  'agent/time-text.ts': [],
  'agent/version.ts': [],
  'agent/device.ts': ['agent'],
  'agent/agent.ts': ['agent', 'proto'],
  'agent/reports.ts': [
    'agent/link/reporter.ts',
    'agent/node/node-status.ts',
    'agent/pod/pod.ts',
    'agent/reconcile/reconciler.ts',
    'agent/reconcile/volume-removal.ts',
    'agent/state/desired-state.ts',
    'agent/static-pods/static-pods.ts',
  ],
  'agent/whole-agent.ts': ['agent/agent.ts', 'agent/device.ts'],
  'agent/commands': [
    'agent/agent.ts',
    'agent/bundle',
    'agent/config.ts',
    'agent/doctor',
    'agent/images',
    'agent/joining/join-file.ts',
    'agent/link/enrol.ts',
    'agent/local',
    'agent/log.ts',
    'agent/manual.ts',
    'agent/node',
    'agent/runtime/remove-containers.ts',
    'agent/state',
    'agent/update',
    'agent/version.ts',
    'agent/whole-agent.ts',
    'proto/join-token.ts',
    'proto/manual',
    'proto/settings',
    'proto/small-file.ts',
  ],
  'agent/main.ts': ['agent/commands', 'agent/manual.ts', 'proto/manual/help.ts'],
  'agent/manual.ts': ['agent/config.ts', 'proto/manual', 'proto/settings/settings.ts'],

  // Down: api, registry, store; then controllers, scheduler, dispatch, link, each through the registry.
  'hub/store': [],
  'hub/sync': [],
  'hub/resources': ['hub/registry/registry.ts', 'hub/schema', 'proto/local-path.ts'],
  'hub/resources/table-of-resources.ts': [
    'hub/resources',
    'hub/custom-resources/custom-resource-definitions.ts',
    'hub/fleet',
  ],
  'hub/fleet': [
    'hub/cel',
    'hub/custom-resources',
    'hub/registry/registry.ts',
    'hub/resources',
    'proto/pod-update.ts',
  ],
  'hub/cel': ['hub/resources', 'hub/schema/pattern.ts'],
  'hub/custom-resources': ['hub/cel', 'hub/registry/registry.ts', 'hub/resources', 'hub/schema'],
  'hub/schema': ['hub/resources'],
  'hub/protobuf': ['hub/resources/api-error.ts', 'hub/schema'],
  'hub/patch': ['hub/resources', 'hub/schema'],
  'hub/registry': ['hub/resources', 'hub/schema', 'hub/patch', 'hub/store'],
  'hub/admission': [
    'hub/cel',
    'hub/fleet',
    'hub/registry/admission.ts',
    'hub/registry/registry.ts',
    'hub/resources',
  ],
  'hub/security': ['hub/registry/registry.ts', 'hub/resources'],
  'hub/authentication': ['hub/registry/registry.ts', 'hub/resources', 'hub/security/node-identity.ts'],
  'hub/authorization': [
    'hub/fleet/agent-release.ts',
    'hub/registry/registry.ts',
    'hub/resources',
    'hub/security',
  ],
  'hub/api': [
    'hub/authentication',
    'hub/authorization',
    'hub/registry/registry.ts',
    'hub/resources',
    'hub/schema',
    'hub/protobuf',
    'hub/patch',
  ],
  'hub/access.ts': [
    'hub/api/access.ts',
    'hub/authentication',
    'hub/authorization',
    'hub/registry/registry.ts',
  ],
  'hub/controllers': [
    'hub/api/manifest-writer.ts',
    'hub/custom-resources',
    'hub/fleet',
    'hub/registry/registry.ts',
    'hub/registry/service-selection.ts',
    'hub/resources',
    'hub/schema',
    'hub/sync',
    'proto/agent-release.ts',
    'proto/limit.ts',
    'proto/pod-update.ts',
    'proto/request-answer.ts',
  ],
  'hub/controllers/start-controllers.ts': [
    'hub/controllers',
    'hub/registry/registry.ts',
    'hub/scheduler/scheduler.ts',
  ],
  'hub/hooks': [
    'hub/controllers/git-source/git-pushes.ts',
    'hub/fleet',
    'hub/registry/registry.ts',
    'hub/resources',
  ],
  'hub/packages': [
    'hub/security/certificate-authority.ts',
    'proto/agent-release.ts',
    'proto/bundle/tar-reader.ts',
    'proto/minisign.ts',
  ],
  'hub/scheduler': ['hub/registry/registry.ts', 'hub/resources', 'hub/schema'],
  'hub/dispatch': [
    'hub/registry/registry.ts',
    'hub/registry/service-selection.ts',
    'hub/resources',
    'hub/security/node-identity.ts',
    'hub/store/store.ts',
    'hub/sync',
    'proto',
  ],
  'hub/link': [
    'hub/registry',
    'hub/resources',
    'hub/schema',
    'hub/security',
    'hub/sync',
    'hub/api/pod-streams.ts',
    'proto',
  ],
  'hub/cli': [
    'hub/controllers/configuration-seen.ts',
    'hub/controllers/daemon-set',
    'hub/controllers/deployment/places.ts',
    'hub/controllers/deployment/replica-sets.ts',
    'hub/controllers/rollout',
    'hub/fleet',
    'hub/resources',
    'hub/schema/json-type.ts',
    'hub/security',
    'proto/join-token.ts',
    'proto/node-reboot.ts',
    'proto/request-answer.ts',
    'proto/work-directory.ts',
  ],
  'hub/bootstrap-objects.ts': [
    'hub/authorization/reconcile-default-roles.ts',
    'hub/registry/registry.ts',
    'hub/resources',
  ],
  'hub/telemetry': ['hub/api/request-log.ts', 'hub/authorization/attributes.ts', 'hub/registry/registry.ts'],
  'hub/config.ts': [
    'hub/admission/service-addresses/service-ranges.ts',
    'hub/fleet/gate-servers.ts',
    'proto/settings',
  ],
  'hub/bundle': ['hub/packages', 'proto/bundle', 'proto/new-file.ts', 'proto/work-directory.ts'],
  'hub/images': ['hub/packages/give-to-hub.ts', 'hub/packages/send-file.ts'],
  'hub/doctor': ['hub/config.ts', 'proto/diagnosis.ts'],
  'hub/reload.ts': ['hub/config.ts', 'hub/hub.ts', 'hub/log.ts', 'proto/settings/reload.ts'],
  'hub/log.ts': [],
  'hub/version.ts': [],
  'hub/hub.ts': ['hub', 'proto'],
  'hub/commands': [
    'hub/bundle',
    'hub/cli',
    'hub/config.ts',
    'hub/doctor',
    'hub/hub.ts',
    'hub/images/image-store.ts',
    'hub/log.ts',
    'hub/packages',
    'hub/reload.ts',
    'hub/version.ts',
    'proto/bundle',
    'proto/diagnosis.ts',
    'proto/end-with-parent.ts',
    'proto/engine-address.ts',
    'proto/manual',
    'proto/minisign.ts',
    'proto/settings',
    'proto/support',
    'proto/work-directory.ts',
  ],
  'hub/main.ts': ['hub/cli/command.ts', 'hub/commands'],
};

/** Where a side begins: who else may import it, whatever the table above allows. */
const ENTRIES: Readonly<Record<string, readonly string[]>> = {
  'agent/main.ts': [],
  'agent/agent.ts': ['agent/commands/self-test.ts', 'agent/whole-agent.ts'],
  'hub/main.ts': [],
  'hub/hub.ts': ['hub/commands/hub.ts', 'hub/reload.ts'],
};

/** Types only: their values are made in another place and handed over. */
const TYPES_ONLY: Readonly<Record<string, readonly string[]>> = {
  'agent/reconcile/event-recorder.ts': ['agent/link', 'agent/node', 'agent/static-pods', 'agent/update'],
  'agent/link/reporter.ts': ['agent/reports.ts'],
  'agent/node/node-status.ts': ['agent/reports.ts'],
  'agent/pod/pod.ts': ['agent/local'],
  'agent/reconcile/reconciler.ts': ['agent/reports.ts'],
  'agent/resources/device-inventory.ts': ['agent/node'],
  'agent/state/agent-state.ts': ['agent/node', 'agent/static-pods', 'agent/update'],
  'agent/state/desired-state.ts': ['agent/node', 'agent/static-pods', 'agent/update'],
  'agent/runtime/runtime.ts': ['agent/dns', 'agent/node', 'agent/usage'],
  'agent/usage': ['agent/streams'],
  'hub/api/access.ts': ['hub/access.ts'],
  'hub/api/manifest-writer.ts': ['hub/controllers'],
  'hub/api/pod-streams.ts': ['hub/link'],
  'hub/controllers/git-source/git-pushes.ts': ['hub/hooks'],
  'hub/hub.ts': ['hub/reload.ts'],
  'hub/registry/registry.ts': ['hub/resources'],
  'hub/store/store.ts': ['hub/dispatch'],
};

interface Home {
  /** The only places that may import the package: to swap it touches nothing else. */
  readonly values: readonly string[];
  /** Where its types may be named besides. */
  readonly types?: readonly string[];
}

const HOME: Readonly<Record<string, Home>> = {
  '@bufbuild/protobuf': { values: ['proto', 'agent/link', 'agent/state', 'agent/streams', 'hub/link'] },
  '@grpc/grpc-js': {
    values: ['proto/grpc.ts', 'agent/link/grpc-link.ts', 'agent/link/enrol.ts', 'hub/link/grpc-server.ts'],
  },
  '@peculiar/x509': { values: ['hub/security'] },
  '@marcbachmann/cel-js': { values: ['hub/cel'] },
  aedes: { values: ['hub/link'] },
  'better-sqlite3': { values: ['agent/state', 'hub/store'] },
  croner: { values: ['hub/resources', 'agent/pod/window.ts'] },
  'dns-packet': { values: ['agent/dns/dns-server.ts'] },
  dockerode: { values: ['agent/runtime'] },
  jose: { values: ['hub/authentication'] },
  'js-yaml': {
    values: ['proto/settings/settings-file.ts', 'agent/static-pods', 'hub/api', 'hub/cli', 'hub/security'],
  },
  'kubernetes-types': { values: [], types: ['agent', 'hub'] },
  mqtt: { values: ['agent/link/mqtt-link.ts', 'hub/link'] },
  pino: { values: ['agent/log.ts', 'hub/log.ts'], types: ['agent', 'hub'] },
  'reflect-metadata': { values: ['hub/security'] },
  'prom-client': { values: ['hub/telemetry'] },
  re2js: { values: ['hub/schema'] },
  rfc6902: { values: ['hub/patch'] },
  systeminformation: { values: ['agent/node'] },
  ws: { values: ['hub/api/streaming'] },
};

interface Import {
  /** A package, `node:…`, or a path from the root of the repository. */
  readonly from: string;
  readonly typesOnly: boolean;
}

const STATEMENT = /^(?:import|export)\s(?:([^'"=;()]*?)\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm;

function importsOf(file: string): Import[] {
  const code = readFileSync(file, 'utf8');
  return [...code.matchAll(STATEMENT)].map(([, what = '', fixed, lazy]) => {
    const name = fixed ?? lazy ?? '';
    const from = name.startsWith('.') ? join(dirname(file), name) : name;
    return { from, typesOnly: fixed !== undefined && namesTypesOnly(what) };
  });
}

/** `type X`, `type { X }` or `{ type X, type Y }`. */
function namesTypesOnly(what: string): boolean {
  if (what.startsWith('type ')) return true;
  const [, names] = /^\{([^}]*)\}$/.exec(what.trim()) ?? [];
  const each = (names ?? '').split(',').filter((name) => name.trim() !== '');
  return each.length > 0 && each.every((name) => name.trim().startsWith('type '));
}

const within = (path: string, place: string) => path === place || path.startsWith(`${place}/`);
const withinAny = (path: string, places: readonly string[]) => places.some((place) => within(path, place));
const isOurs = (path: string) => withinAny(path, ['proto', 'agent', 'hub', 'scripts', 'test']);

function placeOf(file: string): string {
  if (within(file, 'proto')) return 'proto';
  const places = Object.keys(MAY_IMPORT).filter((place) => within(file, place));
  return places.sort((a, b) => b.length - a.length)[0] ?? '';
}

function packageOf(name: string): string {
  const parts = name.split('/');
  return parts.slice(0, name.startsWith('@') ? 2 : 1).join('/');
}

/** What is wrong with an import; undefined when nothing is. */
function problemOf(file: string, { from, typesOnly }: Import): string | undefined {
  if (from.startsWith('node:')) return undefined;
  if (!isOurs(from)) return packageProblem(file, packageOf(from), typesOnly);
  const place = placeOf(file);
  if (within(from, place)) return undefined;
  if (!withinAny(from, MAY_IMPORT[place] ?? [])) return `must not import ${from}`;
  const starters = ENTRIES[from];
  if (starters && !starters.includes(file)) return `must not import ${from}: it is an entry`;
  if (!typesOnly && withinAny(file, TYPES_ONLY[from] ?? [])) return `must import types only from ${from}`;
  return undefined;
}

function packageProblem(file: string, name: string, typesOnly: boolean): string | undefined {
  const home = HOME[name];
  if (!home) return `imports ${name}, which has no home yet: give it one in this test`;
  if (withinAny(file, home.values) || (typesOnly && withinAny(file, home.types ?? []))) return undefined;
  return `must not import ${name}: its home is ${home.values.join(', ') || 'in types only'}`;
}

const files = globSync('{proto,agent,hub}/**/*.ts');

t.test('every file imports only what it may', async (t) => {
  t.ok(files.length > 150, `${files.length} files`);
  for (const file of files) {
    const imports = importsOf(file);
    t.same(imports.map((each) => problemOf(file, each)).filter(Boolean), [], file);
  }
});

t.test('every file has a line in the table', async (t) => {
  t.same(
    files.filter((file) => placeOf(file) === ''),
    [],
  );
});

t.test('the table allows nothing that is not used', async (t) => {
  const used = files.flatMap((file) => importsOf(file).map(({ from }) => ({ place: placeOf(file), from })));
  for (const [place, allowed] of Object.entries(MAY_IMPORT)) {
    for (const target of allowed) {
      t.ok(
        used.some((each) => each.place === place && within(each.from, target)),
        `${place} uses ${target}`,
      );
    }
  }
  for (const [name, { values, types = [] }] of Object.entries(HOME)) {
    for (const home of [...values, ...types]) {
      t.ok(
        used.some(
          ({ place, from }) => packageOf(from) === name && (within(place, home) || within(home, place)),
        ),
        `${home} uses ${name}`,
      );
    }
  }
});

t.test('the rules find what is wrong', async (t) => {
  const value = (from: string) => ({ from, typesOnly: false });
  const types = (from: string) => ({ from, typesOnly: true });
  const wrong: [string, Import][] = [
    ['hub/api/read.ts', value('agent/log.ts')],
    ['agent/log.ts', types('hub/log.ts')],
    ['proto/topics.ts', value('hub/hub.ts')],
    ['agent/runtime/runtime.ts', value('proto/snapshot.ts')],
    ['hub/scheduler/filters.ts', value('hub/controllers/controller.ts')],
    ['hub/link/node-streams.ts', value('hub/api/pod-streams.ts')],
    ['agent/main.ts', value('scripts/kubectl.ts')],
    ['agent/pod/pod.ts', value('dockerode')],
    ['agent/link/session.ts', value('pino')],
    ['hub/api/read.ts', value('some-new-package')],
  ];
  for (const [file, each] of wrong) t.type(problemOf(file, each), 'string', `${file} imports ${each.from}`);
  const right: [string, Import][] = [
    ['agent/link/session.ts', types('pino')],
    ['hub/link/node-streams.ts', types('hub/api/pod-streams.ts')],
    ['hub/commands/hub.ts', value('hub/hub.ts')],
    ['hub/store/sqlite-store.ts', value('better-sqlite3')],
  ];
  for (const [file, each] of right) t.equal(problemOf(file, each), undefined, `${file} imports ${each.from}`);
});

t.test('imports are read as they are written', async (t) => {
  const dir = t.testdir({
    'a.ts': [
      "import 'side-effect';",
      "import whole from 'whole';",
      "import type { T } from 'type';",
      'import {',
      '  type A,',
      '  type B,',
      "} from 'types';",
      "import { a, type C } from 'mixed';",
      "export { x } from './beside.ts';",
      "const later = () => import('lazy');",
      "export const text = 'no import';",
    ].join('\n'),
  });
  t.same(
    importsOf(join(dir, 'a.ts')).map(({ from, typesOnly }) => [from, typesOnly]),
    [
      ['side-effect', false],
      ['whole', false],
      ['type', true],
      ['types', true],
      ['mixed', false],
      [join(dir, 'beside.ts'), false],
      ['lazy', false],
    ],
  );
});
