import t from 'tap';
import { groupOf } from '../../../agent/runtime/control-group.ts';
import { createOptions } from '../../../agent/runtime/docker-create.ts';
import { forPodman } from '../../../agent/runtime/podman.ts';
import type { ContainerIdentity, ContainerSpec } from '../../../agent/runtime/runtime.ts';

/* What Podman is told otherwise than Docker. With a real one: test/e2e/podman-engine.test.ts */

const identity = { role: 'container', podName: 'web', podUid: 'u1' } as ContainerIdentity;
const told = (rest: Partial<ContainerSpec>) => {
  const spec = { identity, image: 'web:1', env: [], mounts: [], ports: [], ...rest } as ContainerSpec;
  const whole: ContainerSpec = { ...spec, network: rest.network ?? { type: 'own' } };
  return forPodman(whole, createOptions('n', whole));
};
const mount = (target: string) => ({ source: '/s', target, readOnly: false });

t.test('what is the same but for the file of logs', async (t) => {
  const { HostConfig, ...rest } = told({});
  t.same(HostConfig?.LogConfig, { Type: 'json-file', Config: { 'max-size': '16m' } });
  const spec = { identity, image: 'web:1', env: [], mounts: [], ports: [], network: { type: 'own' } };
  const { HostConfig: ofDocker, ...others } = createOptions('n', spec as unknown as ContainerSpec);
  t.same(rest, others);
  t.same({ ...HostConfig, LogConfig: 0 }, { ...ofDocker, LogConfig: 0 });
});

t.test('a root that is read only is so everywhere but where something is mounted', async (t) => {
  const copy = 'ro,tmpcopyup';
  t.same(told({ readOnlyRoot: true }).HostConfig?.Tmpfs, { '/run': copy, '/tmp': copy, '/var/tmp': copy });
  t.same(told({ readOnlyRoot: true, mounts: [mount('/tmp'), mount('/run/own')] }).HostConfig?.Tmpfs, {
    '/run': copy,
    '/var/tmp': copy,
  });
  t.notOk(told({}).HostConfig?.Tmpfs);
});

t.test('options of security', async (t) => {
  const options = (rest: Partial<ContainerSpec>) => told(rest).HostConfig?.SecurityOpt;
  t.same(options({ seccomp: { type: 'text', text: '{}', path: '/a.json' }, noNewPrivileges: true }), [
    'no-new-privileges',
    'seccomp=/a.json',
  ]);
  t.same(options({ seccomp: { type: 'none' }, unmaskedProc: true }), ['seccomp=unconfined', 'unmask=ALL']);
  t.equal(options({}), undefined);
});

t.test('the name of the host goes with each container', async (t) => {
  const network = { type: 'container', id: 'infra' } as const;
  t.equal(told({ network, hostname: 'web' }).Hostname, 'web');
  t.equal(told({ network }).Hostname, undefined);
});

t.test('who has an address is found at once, whoever had it before', async (t) => {
  const network = { type: 'named', name: 'pods', ip: '10.89.0.17' } as const;
  t.match(told({ network }).NetworkingConfig, {
    EndpointsConfig: {
      pods: { IPAMConfig: { IPv4Address: '10.89.0.17' }, MacAddress: '02:42:0a:59:00:11' },
    },
  });
});

t.test('the control group of a process, in both versions', async (t) => {
  const first = '5:devices:/a\n4:cpu,memory:/libpod_parent/libpod-1\n0::/\n';
  t.equal(groupOf(first, 'memory'), '/libpod_parent/libpod-1');
  t.equal(groupOf('0::/machine.slice/a:b\n', ''), '/machine.slice/a:b');
  t.equal(groupOf('0::/a\n', 'memory'), undefined);
});
