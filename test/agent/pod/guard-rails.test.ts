import t from 'tap';
import {
  denialOf,
  denialOfContainer,
  type GuardRails,
  mayMount,
  NO_RAILS,
} from '../../../agent/pod/guard-rails.ts';
import type { PodSpec } from '../../../agent/pod/pod.ts';
import { container, makePod } from '../builders.ts';

const denied = (rails: Partial<GuardRails>, spec: Partial<PodSpec>) =>
  denialOf(makePod(spec), { ...NO_RAILS, ...rails }) !== undefined;
const image = (image: string) => ({ containers: [container('main', { image })] });
const path = (path: string, type = '') => ({ volumes: [{ name: 'v', hostPath: { path, type } }] });
const resource = (name: string) => ({
  containers: [container('main', { resources: { limits: { [name]: '1' } } })],
});
const sysctl = (name: string) => ({ securityContext: { sysctls: [{ name, value: '1' }] } });
const adds = (...add: string[]) => ({
  containers: [container('a', { securityContext: { capabilities: { add } } })],
});
const privileged = { securityContext: { privileged: true } };

t.test('what the owner of a device denies', async (t) => {
  const rows: [string, Partial<GuardRails>, Partial<PodSpec>, boolean][] = [
    ['nothing, where nobody says anything', {}, { ...path('/'), hostNetwork: true, hostPID: true }, false],
    [
      'a privileged container',
      { allowPrivileged: false },
      { containers: [container('a', privileged)] },
      true,
    ],
    [
      'one that initializes',
      { allowPrivileged: false },
      { initContainers: [container('a', privileged)] },
      true,
    ],
    ['what comes to the same', { allowPrivileged: false }, adds('SYS_ADMIN'), true],
    ['by its other name', { allowPrivileged: false }, adds('NET_ADMIN', 'cap_sys_module'), true],
    ['all there are', { allowPrivileged: false }, adds('ALL'), true],
    ['no other capability', { allowPrivileged: false }, adds('NET_ADMIN', 'SYS_TIME'), false],
    [
      'a /proc in which all can be written',
      { allowPrivileged: false },
      { containers: [container('a', { securityContext: { procMount: 'Unmasked' } })] },
      true,
    ],
    ["the device's processes", { allowPrivileged: false }, { hostPID: true }, true],
    ['its shared memory', { allowPrivileged: false }, { hostIPC: true }, true],
    ['its network', { allowHostNetwork: false }, { hostNetwork: true }, true],
    ['nothing that was not asked for', { allowPrivileged: false, allowHostNetwork: false }, {}, false],
    ['any path', { allowedHostPaths: [] }, path('/data'), true],
    ['no path that is allowed', { allowedHostPaths: ['/data'] }, path('/data'), false],
    ['nothing below it', { allowedHostPaths: ['/data/'] }, path('/data/a/b'), false],
    ['what only begins like it', { allowedHostPaths: ['/data'] }, path('/database'), true],
    ['what is called as images are', { allowedHostPaths: ['/data'] }, path('/data:x'), true],
    ['what leads out of it', { allowedHostPaths: ['/data'] }, path('/data/../etc'), true],
    ['any device', { allowedDevices: [] }, path('/dev/video0'), true],
    ['all of them at once', { allowedDevices: ['/dev/video*'] }, path('/dev'), true],
    ['what all of them are in', { allowedDevices: ['/dev/video*'] }, path('/'), true],
    ['no device that is allowed', { allowedDevices: ['/dev/video*'] }, path('/dev/video0'), false],
    ['nor what is below it', { allowedDevices: ['/dev/snd'] }, path('/dev/snd/seq'), false],
    ['another one', { allowedDevices: ['/dev/video*'] }, path('/dev/sda'), true],
    ['one that leads elsewhere', { allowedDevices: ['/dev/video*'] }, path('/dev/video0/../sda'), true],
    ['one elsewhere, by its type', { allowedDevices: [] }, path('/srv/cam', 'CharDevice'), true],
    ['no other path', { allowedDevices: [] }, path('/srv/cam'), false],
    ['what counts devices', { allowedDevices: ['/dev/video*'] }, resource('a.b/cam'), true],
    ['not what is allowed', { allowedDevices: ['a.b/cam'] }, resource('a.b/cam'), false],
    ['nor what is no device', { allowedDevices: [] }, resource('memory'), false],
    ['no image of an allowed registry', { allowedRegistries: ['r.test'] }, image('r.test/a:1'), false],
    ['nor of a part of one', { allowedRegistries: ['r.test/team'] }, image('r.test/team/a@sha256:0'), false],
    ['another part', { allowedRegistries: ['r.test/team'] }, image('r.test/teams/a'), true],
    ['another port', { allowedRegistries: ['r.test:5000'] }, image('r.test:5001/a'), true],
    [
      'no name without a registry where it means that',
      { allowedRegistries: ['docker.io'] },
      image('busybox'),
      false,
    ],
    ['one where it does not', { allowedRegistries: ['r.test'] }, image('team/a'), true],
    ['a name without a digest', { requireDigest: true }, image('r.test/a:1'), true],
    ['no name with one', { requireDigest: true }, image(`r.test/a@sha256:${'0'.repeat(64)}`), false],
    ['no safe sysctl', {}, sysctl('net.ipv4.tcp_syncookies'), false],
    ['one that is not', {}, sysctl('kernel.msgmax'), true],
    ['not if it is allowed', { allowedUnsafeSysctls: ['kernel.msg*'] }, sysctl('kernel.msgmax'), false],
  ];
  for (const [what, rails, spec, expected] of rows) t.equal(denied(rails, spec), expected, what);
});

t.test('what it is told', async (t) => {
  const rails = { ...NO_RAILS, allowHostNetwork: false, allowedHostPaths: [] };
  t.equal(
    denialOf(makePod({ hostNetwork: true, ...path('/etc') }), rails),
    'the owner of this device does not allow hostNetwork (allowHostNetwork), volume "v" of the path /etc ' +
      '(allowedHostPaths): see its agent.yaml',
  );
  t.match(
    denialOfContainer(container('debug', privileged), { ...rails, allowPrivileged: false }),
    /"debug" privileged/,
  );
  t.equal(denialOfContainer(container('debug'), rails), undefined);
  t.notOk(mayMount('/', rails));
});
