import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { connectAsync } from 'mqtt';
import t, { type Test } from 'tap';
import { createLog } from '../../agent/log.ts';
import type { Identity } from '../../agent/state/agent-state.ts';
import { MqttBroker } from '../../hub/link/mqtt-broker.ts';
import { CertificateAuthority, type KeyPair } from '../../hub/security/certificate-authority.ts';
import { clientPair } from '../../hub/security/hub-keys.ts';
import { HUB_USER } from '../../hub/security/node-identity.ts';
import { SignedSnapshotSchema } from '../../proto/gen/holdfast/v1/link_pb.ts';
import { topicOf } from '../../proto/topics.ts';
import { Engine } from '../support/engine.ts';
import { appImage, makeAppImages, WORK } from '../support/images.ts';
import { Program } from '../support/program.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * What is wrong, from outside or around the programs: each gives one clear error that says what to do, and nothing that
 * ran stops running.
 */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');

/** Data directories on disks of their own, so that they can be full. */
const DISK_BYTES = 12 * 1024 * 1024;

/** Writes until there is no room left. */
function fill(path: string): void {
  for (const bytes of [1024 * 1024, 4096, 1]) {
    try {
      for (;;) appendFileSync(path, Buffer.alloc(bytes));
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOSPC') throw error;
    }
  }
}

const pod = (name: string, spec: object = {}, container: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image: appImage(1), command: ['sh', '-c', WORK], ...container }],
    ...spec,
  },
});

t.test('bad input', async (t) => {
  const stand = new Stand(engine, 'mqtt', 'device-bad-input');
  const disks = [stand.agentDir, join(stand.dir, 'hub')];
  t.teardown(async () => {
    await stand.agent.end('SIGKILL');
    await stand.hub.end('SIGKILL');
    for (const disk of disks) execFileSync('umount', ['-l', disk]);
    await stand.close();
  });
  await makeAppImages(engine, [1]);
  for (const disk of disks) {
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', disk]);
  }
  await stand.start();
  await stand.apply(pod('steady'));
  await stand.kubectl('wait', 'pod/steady', '--for=condition=Ready', '--timeout=60s');
  const steady = async () =>
    (await engine.containers(stand.node)).filter(({ pod: name }) => name === 'steady').map(({ id }) => id);
  const [before] = await steady();
  const scenario = (name: string, run: (t: Test) => Promise<void>) =>
    t.test(name, async (t) => {
      await run(t);
      t.same(await steady(), [before], 'what ran goes on running');
    });

  const waitingOf = (name: string) => async () => {
    const found = (await stand.api.call('GET', `/api/v1/namespaces/default/pods/${name}`)) as {
      status: { containerStatuses?: { state: { waiting?: { reason: string; message: string } } }[] };
    };
    return found.status.containerStatuses?.[0]?.state.waiting;
  };
  const waits = (name: string, reason: string) =>
    until(`pod ${name} waits for ${reason}`, async () => {
      const waiting = await waitingOf(name)();
      return waiting?.reason === reason ? waiting : undefined;
    });

  await scenario('join tokens', async (t) => {
    const join_ = async (token: string, node = 'device-other', hub = `127.0.0.2:${stand.ports.grpc}`) => {
      const program = new Program(
        'agent/main.ts',
        ['join', ...['--hub', hub, '--node-name', node, '--data-dir', join(t.testdir(), 'agent')]],
        { HOLDFAST_TOKEN: token },
      );
      return { code: await program.exit(), said: program.lines.join('\n') };
    };
    const good = await stand.token('--uses', '1');
    const refused = async (what: string, token: string, message: RegExp, node?: string, hub?: string) => {
      const { code, said } = await join_(token, node, hub);
      t.equal(code, 1, what);
      t.match(said, message, what);
      t.notMatch(said, token.slice(-32), 'the token is not shown');
    };
    await refused(
      'malformed',
      'HF1nonsense',
      /the join token is malformed: it must look like HF1<64 hex digits>/,
    );
    await refused(
      'unknown',
      good.replace(/\..*/, `.${'a'.repeat(32)}`),
      /the join token is not known here: make one with/,
    );
    await refused(
      'of another hub',
      good.replace(/^HF1.{64}/, `HF1${'0'.repeat(64)}`),
      /is not the one that made this token/,
    );
    await refused('no hub there', good, /cannot be reached: check --hub/, 'device-other', '127.0.0.2:1');
    await refused(
      'a name that is taken',
      good,
      /node "device-bad-input" is enrolled with another key/,
      stand.node,
    );
    t.equal((await join_(good)).code, 0, 'a good one joins');
    await refused('used up', good, /has been used as often as it may be/, 'device-third');
    const [, id] = /::(.*)\./.exec(good) ?? [];
    const expiration = Buffer.from('2020-01-01T00:00:00Z').toString('base64');
    await stand.kubectl(
      '-n',
      'kube-system',
      'patch',
      'secret',
      `join-token-${id}`,
      '--type=merge',
      '-p',
      JSON.stringify({ data: { expiration } }),
    );
    await refused('expired', good, /the join token expired at 2020-01-01/, 'device-third');
  });

  await scenario('manifests', async (t) => {
    const apply = (manifest: string) => {
      const file = join(stand.dir, 'bad.yaml');
      writeFileSync(file, manifest);
      return stand.kubectl('apply', '-f', file);
    };
    await t.rejects(
      apply(JSON.stringify({ ...pod('x'), spec: { ...pod('x').spec, containerz: [] } })),
      /unknown field "spec.containerz"/,
    );
    await t.rejects(apply('{ not yaml'), /error (parsing|converting)/);
    await t.rejects(
      apply(JSON.stringify(pod('x', {}, { image: '' }))),
      /spec.containers\[0\].image: Required value/,
    );
    const { items } = (await stand.api.call('GET', '/api/v1/namespaces/default/pods')) as {
      items: unknown[];
    };
    t.equal(items.length, 1, 'nothing of them was stored');
  });

  await scenario('an image that does not exist', async (t) => {
    await stand.apply(pod('no-image', {}, { image: 'localhost:1/none:1' }));
    const waiting = await waits('no-image', 'ImagePullBackOff');
    t.match(waiting.message, /localhost:1\/none:1/);
    await stand.apply(pod('never', {}, { image: 'holdfast.test/none:1', imagePullPolicy: 'Never' }));
    const never = await waits('never', 'ErrImageNeverPull');
    t.equal(never.message, 'Container image "holdfast.test/none:1" is not present with pull policy of Never');
    for (const imagePullPolicy of ['IfNotPresent', 'Always']) {
      const name = `name-${imagePullPolicy.toLowerCase()}`;
      await stand.apply(pod(name, {}, { image: 'Not/A/Name:!', imagePullPolicy }));
      await waits(name, 'InvalidImageName');
    }
    const events = await stand.kubectl(
      'get',
      'events',
      '--field-selector',
      'involvedObject.name=no-image',
      '-o',
      'jsonpath={.items[*].reason}',
    );
    t.match(events, /Failed/);
    await stand.kubectl('delete', 'pod', 'no-image', 'never', 'name-ifnotpresent', 'name-always', '--wait');
  });

  await scenario('a host port that is taken', async (t) => {
    const ports = [{ containerPort: 80, hostPort: stand.ports.api }]; // the hub of this test has it
    await stand.apply(pod('port', {}, { ports }));
    const waiting = await waits('port', 'CreatePodSandboxError');
    t.match(waiting.message, /address already in use|port is already allocated/);
    const field = encodeURIComponent('involvedObject.name=port,reason=FailedCreatePodSandBox');
    await until('it was tried again', async () => {
      const path = `/api/v1/namespaces/default/events?fieldSelector=${field}`;
      const { items } = (await stand.api.call('GET', path)) as { items: { count: number }[] };
      return items.reduce((tries, { count }) => tries + count, 0) > 1;
    });
    const label = [`holdfast.dev/node=${stand.node}`, 'holdfast.dev/pod.name=port'];
    const made = () => engine.docker.listContainers({ all: true, filters: { label } });
    t.ok((await made()).length <= 1, 'each try takes its container along');
    await stand.kubectl('delete', 'pod', 'port', '--wait');
    await until('nothing is left of it', async () => (await made()).length === 0);
  });

  await scenario('user namespaces, which no device has', async (t) => {
    await stand.apply(pod('users', { hostUsers: false }));
    const waiting = await waits('users', 'CreatePodSandboxError');
    t.match(
      waiting.message,
      /user namespaces are not supported on this device: leave out "hostUsers: false"/,
    );
    await stand.kubectl('delete', 'pod', 'users', '--wait');
  });

  await scenario('configuration that is missing, and then comes', async () => {
    await stand.apply(pod('config', {}, { envFrom: [{ configMapRef: { name: 'late' } }] }));
    const waiting = await waits('config', 'CreateContainerConfigError');
    t.match(waiting.message, /configmap "late" not found/);
    await stand.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'late', namespace: 'default' },
      data: { A: '1' },
    });
    await stand.kubectl('wait', 'pod/config', '--for=condition=Ready', '--timeout=60s');
    await stand.kubectl('delete', 'pod', 'config', '--wait');
  });

  await scenario('what this agent cannot do yet is said', async (t) => {
    const kept = {
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name: 'kept-apart' },
      handler: 'kept',
    };
    await stand.apply(kept);
    await stand.apply(pod('unsupported', { runtimeClassName: 'kept-apart' }));
    const waiting = await waits('unsupported', 'CreateContainerConfigError');
    t.match(waiting.message, /spec.runtimeClassName: not supported by this agent yet/);
    await stand.kubectl('delete', 'pod', 'unsupported', '--wait');
  });

  await scenario('what must not be root and would', async (t) => {
    const securityContext = { runAsNonRoot: true };
    await stand.apply(pod('root', { securityContext }));
    const waiting = await waits('root', 'CreateContainerConfigError');
    t.match(waiting.message, /container has runAsNonRoot and image will run as root/);
    await stand.apply(pod('nobody', { securityContext: { ...securityContext, runAsUser: 65534 } }));
    await stand.kubectl('wait', 'pod/nobody', '--for=condition=Ready', '--timeout=60s');
    await stand.kubectl('delete', 'pod', 'root', 'nobody', '--wait');
  });

  await scenario('messages on the link that are none, or not signed by the hub', async (t) => {
    const identity = JSON.parse(readFileSync(join(stand.agentDir, 'identity.json'), 'utf8')) as Identity;
    const keys = JSON.parse(readFileSync(join(stand.dir, 'hub', 'ca.json'), 'utf8')) as KeyPair;
    const ca = await CertificateAuthority.load(keys);
    // A broker that somebody has taken over: it has certificates, but not the hub's signing key.
    await stand.hub.end('SIGKILL');
    const said = stand.agent.lines.length;
    const tls = { ...(await ca.issueServer(['127.0.0.1', '127.0.0.2'], 1)), ca: ca.certificate };
    const broker = new MqttBroker({
      cluster: identity.cluster,
      tls,
      isDeviceOf: () => true,
      log: createLog('silent', ''),
    });
    await broker.listen('127.0.0.1', stand.ports.mqtt);
    const pair = await clientPair(ca, HUB_USER, []);
    const intruder = await connectAsync({
      ...{ host: '127.0.0.1', port: stand.ports.mqtt, protocol: 'mqtts', clientId: HUB_USER },
      ...{ ca: ca.certificate, cert: pair.certificate, key: pair.key },
    });
    const publish = (channel: 'desired' | 'down', payload: Uint8Array) =>
      intruder.publishAsync(topicOf(identity.cluster, stand.node, channel), Buffer.from(payload), {
        qos: 1,
        retain: true,
      });
    await publish('desired', Buffer.from([0xff, 0xff]));
    await publish('down', Buffer.from([0x78, 0x01])); // a field that no version has yet
    await stand.agent.line(/does not decode.*dropped a message of the hub/, said);
    await stand.agent.line(/dropped a message of the hub that this agent does not know/, said);
    const forged = create(SignedSnapshotSchema, { snapshot: Buffer.from('x'), signature: Buffer.alloc(64) });
    await publish('desired', toBinary(SignedSnapshotSchema, forged));
    await stand.agent.line(/not signed by the hub.*refused a snapshot/, said);
    await intruder.endAsync(true);
    await broker.close();
    const saidSince = stand.agent.lines.length;
    await stand.startHub();
    await stand.agent.line(/connected to the hub/, saidSince);
    t.ok(stand.agent.running);
  });

  await scenario('bytes that are no TLS, on every port of the hub', async (t) => {
    for (const port of Object.values(stand.ports)) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => socket.end('GET / HTTP/1.0\r\n\r\n'));
        socket.on('data', () => {});
        socket.on('close', () => resolve());
        socket.on('error', () => {});
      });
    }
    t.match(await stand.kubectl('get', '--raw', '/healthz'), /ok/);
  });

  await scenario('a full disk, on the device', async (t) => {
    const filler = join(stand.agentDir, 'filler');
    // Its database may have room left in a file that is written anew from the beginning: not when it has just been opened.
    await stand.agent.end();
    await stand.startAgent();
    await stand.agent.line(/connected to the hub/);
    const said = stand.agent.lines.length;
    fill(filler);
    await stand.apply(pod('late'));
    await stand.agent.line(/refused a snapshot of the hub/, said);
    t.match(
      stand.agent.lines.slice(said).join(),
      /cannot be stored on this device: free space on its data directory/,
    );
    await stand.hub.line(/the node refused its desired state/);
    rmSync(filler);
    await stand.kubectl('wait', 'pod/late', '--for=condition=Ready', '--timeout=60s');
    await stand.kubectl('delete', 'pod', 'late', '--wait');
  });

  await scenario('a full disk, on the hub', async (t) => {
    const filler = join(stand.dir, 'hub', 'filler');
    fill(filler);
    const path = '/api/v1/namespaces/default/configmaps';
    const big = (name: string) => ({ metadata: { name }, data: { big: 'x'.repeat(500_000) } });
    await t.rejects(
      stand.api.call('POST', path, big('big')),
      /nothing was stored; is the disk full\? Free space on the hub's data directory/,
    );
    t.match(await stand.kubectl('get', 'pods'), /steady +1\/1 +Running/, 'it goes on reading');
    rmSync(filler);
    await stand.api.call('POST', path, big('big'));
  });

  await scenario('a database of garbage, on the device', async (t) => {
    await stand.agent.end('SIGKILL');
    writeFileSync(join(stand.agentDir, 'agent.db'), 'garbage'.repeat(10_000));
    for (const suffix of ['-wal', '-shm']) rmSync(join(stand.agentDir, `agent.db${suffix}`), { force: true });
    await stand.startAgent();
    await stand.agent.line(/the database is damaged: renamed aside/);
    await stand.agent.line(/connected to the hub/);
    t.ok(stand.agent.running);
  });

  await scenario('a database of garbage, on the hub', async (t) => {
    const dir = t.testdir();
    writeFileSync(join(dir, 'hub.db'), 'garbage'.repeat(10_000));
    const ports = ['--api-port', '0', '--grpc-port', '0', '--mqtt-port', '0'];
    const hub = new Program('hub/main.ts', [
      'hub',
      '--data-dir',
      dir,
      '--bind-address',
      '127.0.0.1',
      ...ports,
    ]);
    t.equal(await hub.exit(), 1);
    t.match(hub.lines.join('\n'), /open the hub's database .*: restore it from a backup, or move it aside/);
  });

  await scenario('a second hub on the data directory of the first', async (t) => {
    const ports = ['--api-port', '0', '--grpc-port', '0', '--mqtt-port', '0'];
    const hub = new Program('hub/main.ts', ['hub', '--data-dir', join(stand.dir, 'hub'), ...ports]);
    t.equal(await hub.exit(), 1);
    t.match(hub.lines.join('\n'), /hub\.db": another hub is using it: stop that one, or give this one a/);
    await stand.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'still-writes' } });
  });

  await scenario('a second agent on the data directory of the first, or on its socket', async (t) => {
    const onSameData = stand.runAgent('run');
    t.equal(await onSameData.exit(), 1);
    t.match(onSameData.lines.join('\n'), /agent\.db": another agent is using it: stop that one, or/);

    const copy = t.testdir();
    cpSync(stand.agentDir, copy, { recursive: true });
    const onSameSocket = new Program('agent/main.ts', [
      'run',
      ...['--data-dir', copy, '--run-dir', join(stand.dir, 'run'), '--docker-host', engine.host],
    ]);
    t.equal(await onSameSocket.exit(), 1);
    t.match(onSameSocket.lines.join('\n'), /another agent answers on ".*agent\.sock": stop that one, or/);
    t.equal(await stand.runAgent('status').exit(), 0, 'the first one still answers');
  });

  await scenario('another name than the one that the device has joined under', async (t) => {
    await stand.agent.end();
    const settings = ['--data-dir', stand.agentDir, '--run-dir', join(stand.dir, 'run')];
    const agent = new Program('agent/main.ts', ['run', ...settings, '--node-name', 'another']);
    t.equal(await agent.exit(), 1);
    t.match(agent.lines.join('\n'), /has joined as "device-bad-input", not as "another"/);
    await stand.startAgent();
    await stand.agent.line(/connected to the hub/);
  });

  await scenario('a file with a token that is not there', async (t) => {
    const settings = ['--data-dir', t.testdir(), '--hub', '127.0.0.1', '--token-file', '/nowhere/token'];
    const joining = new Program('agent/main.ts', ['join', ...settings]);
    t.equal(await joining.exit(), 1);
    t.match(joining.lines.join('\n'), /read the join token from "\/nowhere\/token": --token-file must name/);
  });

  await scenario('a port that another program has', async (t) => {
    const ports = ['--api-port', `${stand.ports.api}`, '--grpc-port', '0', '--mqtt-port', '0'];
    const hub = new Program('hub/main.ts', [
      'hub',
      '--data-dir',
      t.testdir(),
      '--bind-address',
      '127.0.0.1',
      ...ports,
    ]);
    t.equal(await hub.exit(), 1);
    t.match(hub.lines.join('\n'), /listen on port \d+ for the API: is another program using it\?/);
  });

  await scenario('settings that are wrong, all told at once', async (t) => {
    const hub = new Program('hub/main.ts', ['hub', '--api-port', 'x', '--log-level', 'loud']);
    t.equal(await hub.exit(), 1);
    t.match(
      hub.lines.join('\n'),
      /--api-port .* must be an integer from 0 to 65535.*is "x"\n.*--log-level .*is "loud"/,
    );
  });

  await scenario('an engine that is missing, or must not be used', async (t) => {
    await stand.agent.end('SIGKILL');
    const agent = new Program('agent/main.ts', [
      'run',
      ...['--data-dir', stand.agentDir, '--run-dir', join(stand.dir, 'run'), '--node-name', stand.node],
      ...['--docker-host', `unix://${stand.dir}/none/docker.sock`, '--transport', 'mqtt'],
    ]);
    await until('the hub says so', async () => {
      const { status } = (await stand.api.call('GET', `/api/v1/nodes/${stand.node}`)) as {
        status: { conditions: { type: string; status: string; message: string }[] };
      };
      const ready = status.conditions.find(({ type }) => type === 'Ready');
      return ready?.status === 'False' && /engine's socket is not there .*: start Docker/.test(ready.message);
    });
    t.ok(agent.running, 'the agent waits for it');
    await agent.end('SIGKILL');
    await stand.startAgent();
    await stand.agent.line(/connected to the hub/);
  });
});
