import type { PodSpec, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import t, { type Test } from 'tap';
import { setPodSpecDefaults } from '../../../hub/resources/pod-spec-defaults.ts';
import { validatePodSpec } from '../../../hub/resources/pod-spec-validation.ts';
import { podTemplateErrors } from '../../../hub/resources/template-validation.ts';

type Loose = Readonly<Record<string, unknown>>;

const CONTAINER = { name: 'main', image: 'app:1' };
const AT = 'spec.containers[0]';

/** What a spec has beside a container that is fine, and all that the hub then says is wrong, in this order. */
type Row = readonly [spec: Loose, ...errors: string[]];

function errorsOf(change: Loose): string[] {
  const spec = structuredClone({ containers: [CONTAINER], ...change }) as unknown as PodSpec;
  setPodSpecDefaults(spec);
  return validatePodSpec(spec, 'spec').map(({ field, message }) => `${field}: ${message}`);
}

function checks(t: Test, rows: readonly Row[]): void {
  for (const [spec, ...errors] of rows) t.same(errorsOf(spec), errors, JSON.stringify(spec));
}

const main = (container: Loose, spec: Loose = {}): Loose => ({
  containers: [{ ...CONTAINER, ...container }],
  ...spec,
});

t.test('volumes of images', async (t) => {
  const volumes = (image: Loose) => main({}, { volumes: [{ name: 'v', image }] });
  checks(t, [
    [volumes({ reference: 'app:1' })],
    [volumes({ reference: 'app:1', pullPolicy: 'Never' })],
    [volumes({}), 'spec.volumes[0].image.reference: Required value'],
    [
      volumes({ reference: 'app:1', pullPolicy: 'Sometimes' }),
      'spec.volumes[0].image.pullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
    ],
  ]);
});

t.test('how mounts spread', async (t) => {
  const mounted = (mountPropagation: string, securityContext?: Loose) =>
    main(
      { volumeMounts: [{ name: 'v', mountPath: '/v', mountPropagation }], securityContext },
      { volumes: [{ name: 'v' }] },
    );
  const at = `${AT}.volumeMounts[0].mountPropagation`;
  const privilegedOnly = `${at}: Forbidden: Bidirectional mount propagation is available only to privileged containers`;
  checks(t, [
    [mounted('None')],
    [mounted('HostToContainer')],
    [mounted('Bidirectional', { privileged: true })],
    [mounted('Bidirectional'), privilegedOnly],
    [mounted('Bidirectional', { privileged: false }), privilegedOnly],
    [
      mounted('Shared', { privileged: true }),
      `${at}: Unsupported value: "Shared": supported values: "Bidirectional", "HostToContainer", "None"`,
    ],
  ]);
});

t.test('hooks', async (t) => {
  const sleeps = (hook: string, seconds: number, spec: Loose = {}) =>
    main({ lifecycle: { [hook]: { sleep: { seconds } } } }, spec);
  const tooLong = (hook: string, seconds: number, grace: number) =>
    `${AT}.lifecycle.${hook}.sleep: Invalid value: ${seconds}: must be non-negative and less than terminationGracePeriodSeconds (${grace})`;
  const stopped = (stopSignal: string, os?: string) =>
    main({ lifecycle: { stopSignal } }, os === undefined ? {} : { os: { name: os } });
  checks(t, [
    [sleeps('preStop', 0)],
    [sleeps('preStop', 30)],
    [sleeps('preStop', 60, { terminationGracePeriodSeconds: 60 })],
    [sleeps('preStop', 31), tooLong('preStop', 31, 30)],
    [sleeps('postStart', -1), tooLong('postStart', -1, 30)],
    [sleeps('postStart', 6, { terminationGracePeriodSeconds: 5 }), tooLong('postStart', 6, 5)],
    [
      sleeps('preStop', 1, { terminationGracePeriodSeconds: -1 }),
      'spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0',
    ],
    [stopped('SIGUSR1', 'linux')],
    [stopped('SIGRTMIN+15', 'linux')],
    [stopped('SIGRTMAX-14', 'linux')],
    [
      stopped('SIGUSR1'),
      `${AT}.lifecycle.stopSignal: Forbidden: may not be set for containers with empty \`spec.os.name\``,
    ],
    [
      stopped('SIGUSR1', 'windows'),
      `${AT}.lifecycle.stopSignal: Unsupported value: "SIGUSR1": supported values: "SIGKILL", "SIGTERM"`,
    ],
    [
      stopped('SIGTERM', 'plan9'),
      'spec.os.name: Unsupported value: "plan9": supported values: "linux", "windows"',
    ],
    [{ os: { name: '' } }, 'spec.os.name: Required value'],
  ]);
  const [unknown = ''] = errorsOf(stopped('TERM', 'linux'));
  t.match(unknown, `${AT}.lifecycle.stopSignal: Unsupported value: "TERM": supported values: "SIGABRT", `);
});

t.test('what changes without a new container', async (t) => {
  const resized = (...policies: readonly (readonly [string, string])[]) =>
    main({
      resizePolicy: policies.map(([resourceName, restartPolicy]) => ({ resourceName, restartPolicy })),
    });
  const at = `${AT}.resizePolicy`;
  const restarts = resized(['memory', 'RestartContainer']);
  checks(t, [
    [resized(['cpu', 'NotRequired'], ['memory', 'RestartContainer'])],
    [resized(['disk', 'NotRequired']), `${at}: Unsupported value: "disk": supported values: "cpu", "memory"`],
    [
      resized(['cpu', 'Maybe']),
      `${at}: Unsupported value: "Maybe": supported values: "NotRequired", "RestartContainer"`,
    ],
    [resized(['', '']), `${at}: Required value`, `${at}: Required value`],
    [resized(['cpu', 'NotRequired'], ['cpu', 'NotRequired']), `${at}[1]: Duplicate value: "cpu"`],
    [
      { ...restarts, restartPolicy: 'Never' },
      `${at}: Invalid value: "RestartContainer": must be 'NotRequired' when \`restartPolicy\` is 'Never'`,
    ],
  ]);
});

t.test('addresses', async (t) => {
  const noAddress = (value: string) =>
    `Invalid value: "${value}": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`;
  const bound = (hostIP: string) => main({ ports: [{ containerPort: 80, hostPort: 80, hostIP }] });
  checks(t, [
    [bound('127.0.0.1')],
    [bound('::1')],
    [bound('')],
    [bound('localhost'), `${AT}.ports[0].hostIP: ${noAddress('localhost')}`],
    [{ hostAliases: [{ ip: '192.0.2.1', hostnames: ['db.example'] }] }],
    [{ hostAliases: [{ ip: 'db' }] }, `spec.hostAliases[0].ip: ${noAddress('db')}`],
    [
      { dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.1', 'dns.example'] } },
      `spec.dnsConfig.nameservers[1]: ${noAddress('dns.example')}`,
    ],
  ]);
  const [alias = ''] = errorsOf({ hostAliases: [{ ip: '192.0.2.1', hostnames: ['d_b'] }] });
  t.match(alias, 'spec.hostAliases[0].hostnames[0]: Invalid value: "d_b": a lowercase RFC 1123 subdomain');
});

t.test('profiles of the device', async (t) => {
  const confined = (key: string, type: string, localhostProfile?: string) =>
    main({ securityContext: { [key]: { type, localhostProfile } } });
  const seccomp = `${AT}.securityContext.seccompProfile`;
  const appArmor = `${AT}.securityContext.appArmorProfile`;
  checks(t, [
    [confined('seccompProfile', 'Localhost', 'profiles/strict.json')],
    [confined('appArmorProfile', 'Localhost', '/usr/bin/app')],
    [
      confined('seccompProfile', ''),
      `${seccomp}.type: Required value: type is required when seccompProfile is set`,
    ],
    [
      confined('seccompProfile', 'Localhost', 'a/../b'),
      `${seccomp}.localhostProfile: Invalid value: "a/../b": must not contain '..'`,
    ],
    [
      confined('seccompProfile', 'Localhost', '/etc/strict.json'),
      `${seccomp}.localhostProfile: Invalid value: "/etc/strict.json": must be a relative path`,
    ],
    [
      confined('seccompProfile', 'Localhost'),
      `${seccomp}.localhostProfile: Required value: must be set when seccomp type is Localhost`,
    ],
    [
      confined('seccompProfile', 'Unconfined', 'x'),
      `${seccomp}.localhostProfile: Invalid value: "x": can only be set when seccomp type is Localhost`,
    ],
    [
      confined('appArmorProfile', 'Localhost', ' '),
      `${appArmor}.localhostProfile: Required value: must be set when AppArmor type is Localhost`,
    ],
    [
      confined('appArmorProfile', 'Localhost', 'x '),
      `${appArmor}.localhostProfile: Invalid value: "x ": must not be padded with whitespace`,
    ],
    [
      confined('appArmorProfile', 'RuntimeDefault', 'x'),
      `${appArmor}.localhostProfile: Forbidden: can only be set when AppArmor type is Localhost`,
    ],
  ]);
});

t.test('what no process can be given', async (t) => {
  const nul = 'Invalid value: "a\\u0000b": must not contain NUL characters';
  checks(t, [
    [main({ env: [{ name: 'A b.c-d', value: 'x\ny' }] })],
    [main({ env: [{ name: 'A', value: 'a\0b' }] }), `${AT}.env[0].value: ${nul}`],
    [main({ command: ['a\0b'], args: ['x', 'a\0b'] }), `${AT}.command[0]: ${nul}`, `${AT}.args[1]: ${nul}`],
    [
      main({ env: [{ name: 'a\0b' }] }),
      `${AT}.env[0].name: Invalid value: "a\\u0000b": a valid environment variable name must consist only of printable ASCII characters other than '='`,
    ],
  ]);
});

t.test('what a pod is told of itself', async (t) => {
  const variable = (resourceFieldRef: Loose) =>
    main({ env: [{ name: 'A', valueFrom: { resourceFieldRef } }] });
  const file = (item: Loose) => ({
    volumes: [{ name: 'v', downwardAPI: { items: [{ path: 'f', ...item }] } }],
  });
  const projected = (item: Loose) => ({
    volumes: [{ name: 'v', projected: { sources: [{ downwardAPI: { items: [{ path: 'f', ...item }] } }] } }],
  });
  const init = { initContainers: [{ name: 'first', image: 'app:1' }] };
  const memory = { resource: 'limits.memory' };
  const at = 'spec.volumes[0].downwardAPI.items[0]';
  checks(t, [
    [variable(memory)],
    [{ ...variable({ ...memory, containerName: 'first' }), ...init }],
    [
      variable({ ...memory, containerName: 'other' }),
      `${AT}.env[0].valueFrom.resourceFieldRef.containerName: Not found: "other"`,
    ],
    [file({ resourceFieldRef: { ...memory, containerName: 'main' } })],
    [file({ fieldRef: { fieldPath: "metadata.labels['app']" } })],
    [file({ fieldRef: { fieldPath: 'metadata.annotations' } })],
    [file({ resourceFieldRef: memory }), `${at}.resourceFieldRef.containerName: Required value`],
    [
      file({ resourceFieldRef: { ...memory, containerName: 'other' } }),
      `${at}.resourceFieldRef.containerName: Not found: "other"`,
    ],
    [
      projected({ resourceFieldRef: { ...memory, containerName: 'other' } }),
      'spec.volumes[0].projected.sources[0].downwardAPI.items[0].resourceFieldRef.containerName: Not found: "other"',
    ],
    [
      file({ fieldRef: { fieldPath: 'status.podIP' } }),
      `${at}.fieldRef.fieldPath: Invalid value: "status.podIP": error converting fieldPath: field label not supported: status.podIP`,
    ],
    [file({}), `${at}: Required value: one of fieldRef and resourceFieldRef is required`],
    [
      file({ fieldRef: { fieldPath: 'metadata.name' }, resourceFieldRef: memory }),
      `${at}: Invalid value: "resource": fieldRef and resourceFieldRef can not be specified simultaneously`,
    ],
  ]);
});

t.test('files of volumes', async (t) => {
  const from = (volume: Loose) => ({ volumes: [{ name: 'v', ...volume }] });
  const at = 'spec.volumes[0]';
  const mode = 'must be a number between 0 and 0777 (octal), both inclusive';
  const token = (path: string) => from({ projected: { sources: [{ serviceAccountToken: { path } }] } });
  checks(t, [
    [from({ configMap: { name: 'c', defaultMode: 0o777, items: [{ key: 'k', path: 'a/b', mode: 0 }] } })],
    [
      from({ secret: { secretName: 's', defaultMode: 0o1000 } }),
      `${at}.secret.defaultMode: Invalid value: 512: ${mode}`,
    ],
    [
      from({ configMap: { name: 'c', items: [{ key: 'k', path: '..x', mode: -1 }] } }),
      `${at}.configMap.items[0].path: Invalid value: "..x": must not start with '..'`,
      `${at}.configMap.items[0].mode: Invalid value: -1: ${mode}`,
    ],
    [token('token')],
    [
      token('../token'),
      `${at}.projected.sources[0].serviceAccountToken.path: Invalid value: "../token": must not contain '..'`,
    ],
    [
      from({ projected: { sources: [{ configMap: {} }, { secret: {} }] } }),
      `${at}.projected.sources[0].configMap.name: Required value`,
      `${at}.projected.sources[1].secret.name: Required value`,
    ],
  ]);
});

t.test('probes', async (t) => {
  const exec = { exec: { command: ['true'] } };
  const live = (probe: Loose) => main({ livenessProbe: probe });
  const at = `${AT}.livenessProbe`;
  const number = 'must be between 1 and 65535, inclusive';
  const init = (container: Loose) => ({ initContainers: [{ name: 'first', image: 'app:1', ...container }] });
  const notOfInit = 'Forbidden: may not be set for init containers without restartPolicy=Always';
  checks(t, [
    [live({ ...exec, periodSeconds: 0, successThreshold: 0, initialDelaySeconds: 0 })],
    [live({ grpc: { port: 1 } })],
    [
      live({ ...exec, periodSeconds: -1 }),
      `${at}.periodSeconds: Invalid value: -1: must be greater than or equal to 0`,
    ],
    [
      live({ ...exec, terminationGracePeriodSeconds: 0 }),
      `${at}.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0`,
    ],
    [
      main({ readinessProbe: { ...exec, terminationGracePeriodSeconds: 1 } }),
      `${AT}.readinessProbe.terminationGracePeriodSeconds: Forbidden: must not be set for readinessProbes`,
    ],
    [
      main({ startupProbe: { ...exec, successThreshold: 2 } }),
      `${AT}.startupProbe.successThreshold: Invalid value: 2: must be 1`,
    ],
    [live({ exec: { command: [] } }), `${at}.exec.command: Required value`],
    [live({ grpc: { port: 65536 } }), `${at}.grpc.port: Invalid value: 65536: ${number}`],
    [live({ tcpSocket: { port: 0 } }), `${at}.tcpSocket.port: Invalid value: 0: ${number}`],
    [
      live({ httpGet: { port: 80, scheme: 'FTP' } }),
      `${at}.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"`,
    ],
    [
      live({ httpGet: { port: 80, httpHeaders: [{ name: 'a b', value: '' }] } }),
      `${at}.httpGet.httpHeaders: Invalid value: "a b": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')`,
    ],
    [init({ restartPolicy: 'Always', startupProbe: exec, lifecycle: { preStop: exec } })],
    [
      init({ readinessProbe: exec, lifecycle: { preStop: exec } }),
      `spec.initContainers[0].lifecycle: ${notOfInit}`,
      `spec.initContainers[0].readinessProbe: ${notOfInit}`,
    ],
  ]);
});

t.test('templates have the same rules', async (t) => {
  const template = {
    spec: { containers: [{ ...CONTAINER, command: ['a\0'] }], ephemeralContainers: [CONTAINER] },
  } as unknown as PodTemplateSpec;
  setPodSpecDefaults(template.spec as PodSpec);
  const errors = podTemplateErrors(template, 'spec.template').map(({ field }) => field);
  t.same(errors, ['spec.template.spec.ephemeralContainers', 'spec.template.spec.containers[0].command[0]']);
});
