import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Node, Pod } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { debianLayer } from '../../scripts/debian-layer.ts';
import { agentPackage, releaseKey } from '../support/device-hub.ts';
import { HubProgram } from '../support/hub-program.ts';
import { appImage, rootArchive } from '../support/images.ts';
import { Kubectl } from '../support/kubectl.ts';
import { hostAddress } from '../support/machine.ts';
import { podOf } from '../support/pods.ts';
import { startSystemdMachine, whyNoSystemd } from '../support/systemd.ts';
import { until } from '../support/until.ts';

/* A device whose engine is Debian's Podman, which systemd starts when its socket is used. */

const NODE = 'install-podman';
const NETWORK = 1;
const PODS = '/api/v1/namespaces/default/pods';
const skip = whyNoSystemd() ?? false;

t.test(
  'Podman: installed, pods of one container and of two, probes, restarts, removed',
  { skip },
  async (t) => {
    const machine = await startSystemdMachine({ packages: debianLayer('podman'), network: NETWORK });
    t.teardown(() => machine.close());
    const at = (path: string) => join(machine.root, path);
    t.match(await machine.run('systemctl', 'start', 'podman.socket'), { code: 0 });
    writeFileSync(at('image.tar'), rootArchive(1));
    t.match(await machine.run('podman', 'import', '--quiet', '/image.tar', appImage(1)), { code: 0 });

    const hub = new HubProgram(hostAddress(NETWORK));
    t.teardown(() => hub.close());
    await hub.start();
    await hub.packages.add(await agentPackage(), releaseKey());
    writeFileSync(at('etc/ca.crt'), hub.caCertificate);
    const line = `curl -sfL --cacert /etc/ca.crt ${hub.url}/install.sh | HOLDFAST_TOKEN=${await hub.token()} HOLDFAST_NODE_NAME=${NODE} sh -`;
    const { code, out, err } = await machine.run('sh', '-c', line);
    t.same([code, err], [0, []], out);
    t.match(
      readFileSync(at('etc/holdfast/agent.yaml'), 'utf8'),
      'dockerHost: "unix:///run/podman/podman.sock"',
    );
    t.match(await machine.run('holdfast-agent', 'doctor'), { code: 0, out: /Podman Engine 4\./ });

    const { status } = await hub.api.call<Node>('GET', `/api/v1/nodes/${NODE}`);
    t.match(status?.nodeInfo?.containerRuntimeVersion, /^podman:\/\/4\./);

    const kubectl = await Kubectl.of('1.34', hub.kubeconfig, t.testdir(), 'default');
    const serves = { httpGet: { path: '/version', port: 8080 }, periodSeconds: 1 };
    const pods = [
      podOf('one', { main: {} }),
      podOf('serving', {
        main: { command: ['httpd', '-f', '-p', '8080', '-h', '/www'], readinessProbe: serves },
      }),
      podOf('pair', { a: {}, b: {} }),
      podOf('done', { main: { command: ['sh', '-c', 'echo said; exit 3'] } }, { restartPolicy: 'Never' }),
    ];
    await Promise.all(
      pods.map(({ spec, ...pod }) =>
        hub.api.call('POST', PODS, { ...pod, spec: { ...spec, nodeName: NODE } }),
      ),
    );
    const pod = (name: string) => hub.api.call<Pod>('GET', `${PODS}/${name}`);
    const isReady = async (name: string) =>
      (await pod(name)).status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
    for (const name of ['one', 'serving', 'pair']) await until(`${name} is ready`, () => isReady(name));
    t.match((await pod('serving')).status?.podIP, /^10\.89\./);
    await until('the one that ends has ended', async () => (await pod('done')).status?.phase === 'Failed');
    t.match((await pod('done')).status?.containerStatuses, [{ state: { terminated: { exitCode: 3 } } }]);
    t.match(await kubectl.run('logs done'), { code: 0, out: 'said\n' });
    t.match(await kubectl.run('exec one -- id -u'), { code: 0, out: '0\n' });

    t.match(
      await machine.run(
        'sh',
        '-c',
        'podman kill $(podman ps --quiet --filter label=holdfast.dev/pod.name=one --filter label=holdfast.dev/role=container)',
      ),
      {
        code: 0,
      },
    );
    await until('it runs again', async () => {
      const [main] = (await pod('one')).status?.containerStatuses ?? [];
      return main?.restartCount === 1 && main.ready;
    });
    await hub.api.call('DELETE', `${PODS}/pair`);
    await until('it is gone', async () => !(await hub.api.find(`${PODS}/pair`)));
    t.notMatch((await machine.run('podman', 'ps', '--all')).out, /hf\.pair/);
    t.match(await machine.run('holdfast-agent-uninstall', '--containers'), { code: 0, err: [] });
    t.equal((await machine.run('podman', 'ps', '--all', '--quiet')).out, '', 'no container is left');
  },
);
