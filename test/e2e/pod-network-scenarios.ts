import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { bridgeName, linkName, networksDirectory } from '../../agent/runtime/network-name.ts';
import { bareNetworksOf } from '../support/bare-networks.ts';
import type { Engine } from '../support/engine.ts';
import { freePort } from '../support/free-port.ts';
import { makeAppImages } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * The network of a node's pods: addresses that stay, who reaches whom, and what is done when it is taken away.
 */

const SERVE = 'echo $HOSTNAME >/tmp/index.html; exec httpd -f -p 80 -h /tmp';

export async function podNetwork(t: Test, engine: Engine): Promise<void> {
  const stand = new Stand(engine, 'mqtt', 'device-network');
  const pods = new SeenPods(stand);
  const ipOf = async (name: string) => (await pods.get(name)).status?.podIP ?? '';
  // Podman starts containers in networks that are nothing else, Docker does not.
  const isBare = engine.kind === 'podman';
  const fetched = async (from: string, ip: string) =>
    pods.exec(from, 'main', 'busybox', 'timeout', '2', 'wget', '-q', '-O', '-', `http://${ip}/`);
  /** Where its network is; the name of the link is made of it. */
  const infraOf = async (name: string) => {
    if (isBare) return bareNetworksOf((await pods.get(name)).metadata?.uid ?? '')[0] ?? '';
    return containerOf(name);
  };
  const containerOf = async (name: string) => {
    const filters = {
      label: [`holdfast.dev/node=${stand.node}`, `holdfast.dev/pod.name=${name}`, 'holdfast.dev/role=infra'],
    };
    return (await engine.docker.listContainers({ filters }))[0]?.Id ?? '';
  };
  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  await stand.start();
  const [hostPort, atAddress] = [await freePort(), await freePort()];
  const served = (name: string, ports: object[] = []) =>
    podOf(
      name,
      { main: { command: shell(SERVE), ports: ports as [] } },
      { terminationGracePeriodSeconds: 1 },
    );
  await stand.apply(
    listOf(
      served('one'),
      served('two'),
      served('published', [
        { containerPort: 80, hostPort },
        { containerPort: 80, hostPort: atAddress, hostIP: '127.0.0.2' },
      ]),
    ),
  );
  for (const name of ['one', 'two', 'published']) await pods.ready(name);
  const addresses = { one: await ipOf('one'), two: await ipOf('two'), published: await ipOf('published') };

  await t.test('each pod has an address of its own, at which others reach it', async (t) => {
    t.equal(new Set(Object.values(addresses)).size, 3);
    t.equal(await fetched('one', addresses.two), 'two');
    t.equal(await fetched('two', addresses.published), 'published');
    t.equal(await fetched('published', addresses.one), 'one', 'whoever has made their networks');
    const here = await fetch(`http://127.0.0.1:${hostPort}/`);
    t.equal((await here.text()).trim(), 'published', 'its port is published');
    const there = await fetch(`http://127.0.0.2:${atAddress}/`);
    t.equal((await there.text()).trim(), 'published', 'at an address as well');
    await t.rejects(fetch(`http://127.0.0.1:${atAddress}/`), 'and at no other');
    t.equal(await pods.exec('one', 'main', 'cat', '/etc/hostname'), 'one');
    const addressesOf = await pods.exec('one', 'main', 'cat', '/proc/net/if_inet6');
    t.notMatch(addressesOf, 'eth0', 'without an IPv6 address, which would lead nowhere');
  });

  const hasNone = isBare && 'nothing does there';
  await t.test(
    'what holds the network is filtered only where others could use it',
    { skip: hasNone },
    async (t) => {
      const optionsOf = async (name: string) =>
        (await engine.docker.getContainer(await infraOf(name)).inspect()).HostConfig.SecurityOpt;
      await stand.apply(
        podOf('sharing', { main: { command: shell(SERVE) } }, { shareProcessNamespace: true }),
      );
      await pods.ready('sharing');
      t.same((await optionsOf('sharing')) ?? [], []);
      t.same(await optionsOf('one'), ['seccomp=unconfined']);
      await stand.kubectl('delete', 'pod', 'sharing', '--now', '--wait', '--timeout=60s');
    },
  );

  await t.test('the address stays when the container does not', async (t) => {
    await engine.kill(await pods.id('one'));
    await pods.when('it runs again', 'one', ({ restartCount, ready }) => restartCount === 1 && ready);
    t.equal(await ipOf('one'), addresses.one);
    t.equal(await fetched('two', addresses.one), 'one');
  });

  await t.test('and when what held its network does not', async (t) => {
    const infra = await infraOf('one');
    if (isBare) {
      execFileSync('ip', ['netns', 'delete', infra]); // of which nobody tells: it lasts for as long as the container
      await engine.kill(await pods.id('one'));
    } else await engine.remove(infra);
    await until('it has another', async () => ![infra, ''].includes(await infraOf('one')));
    await until('it is reached', () =>
      fetched('two', addresses.one).then(
        (said) => said === 'one',
        () => false,
      ),
    );
    t.equal(await ipOf('one'), addresses.one);
  });

  await t.test('and over another agent, which touches nothing', async (t) => {
    const before = await engine.containers(stand.node);
    await stand.agent.end('SIGKILL');
    await stand.startAgent();
    await stand.agent.line(/connected to the hub/);
    await stand.apply(served('late'));
    await pods.ready('late');
    t.notOk(Object.values(addresses).includes(await ipOf('late')), 'a new pod gets one that nobody has');
    const now = new Set((await engine.containers(stand.node)).map(({ id }) => id));
    t.ok(before.every(({ id }) => now.has(id)));
    t.equal(await fetched('late', addresses.two), 'two');
  });

  await t.test('and when the device starts anew', async (t) => {
    await stand.agent.end('SIGKILL');
    for (const { id } of await engine.containers(stand.node)) await engine.kill(id);
    const bare = (await Promise.all(['one', 'two', 'late'].map(infraOf))).filter(() => isBare);
    for (const name of bare) execFileSync('ip', ['netns', 'delete', name]);
    rmSync(networksDirectory(stand.runDir), { recursive: true, force: true }); // all that is in /run is gone
    await stand.startAgent();
    for (const name of ['one', 'two', 'published'] as const) {
      await until(`${name} is reached`, () =>
        fetched('late', addresses[name]).then(
          (said) => said === name,
          () => false,
        ),
      );
      t.equal(await ipOf(name), addresses[name]);
    }
  });

  await t.test(
    'who holds the bridge is there again at once',
    { skip: !isBare && 'nobody has to' },
    async (t) => {
      const before = await pods.id('one');
      const holder = `hf.holder.holdfast-${stand.node}`;
      await engine.docker.getContainer(holder).remove({ force: true });
      await until('it is held', async () =>
        engine.docker
          .getContainer(holder)
          .inspect()
          .then(
            ({ State }) => State.Running,
            () => false,
          ),
      );
      t.equal(await fetched('two', addresses.one), 'one');
      t.equal(await pods.id('one'), before);
    },
  );

  const keeps = isBare && 'Podman removes no network that a container uses';
  await t.test(
    'a network that somebody removes is made again, and nothing is restarted',
    { skip: keeps },
    async (t) => {
      await stand.kubectl('delete', 'pod', 'published', '--wait', '--timeout=60s'); // the engine knows of that one
      const before = await pods.id('one');
      await engine.docker.getNetwork(`holdfast-${stand.node}`).remove();
      await until('they reach each other', () =>
        fetched('two', addresses.one).then(
          (said) => said === 'one',
          () => false,
        ),
      );
      t.equal(await pods.id('one'), before);
      t.equal(await ipOf('one'), addresses.one);
    },
  );

  const isDockers = !isBare && 'Docker makes it when it starts, and not before';
  await t.test('a bridge that somebody deletes is made for the next pod', { skip: isDockers }, async (t) => {
    const before = await pods.id('one');
    execFileSync('ip', ['link', 'delete', bridgeName(stand.node)]);
    await stand.apply(served('next'));
    await pods.ready('next');
    await stand.apply(served('after'));
    await pods.ready('after');
    t.equal(await fetched('after', await ipOf('next')), 'next');
    t.match(await infraOf('after'), /./, 'the agent goes on joining pods');
    await stand.agent.end();
    await stand.startAgent();
    await until('those that it had joined are joined again', () =>
      fetched('two', addresses.one).then(
        (said) => said === 'one',
        () => false,
      ),
    );
    t.equal(await pods.id('one'), before);
  });

  await t.test('nothing is left of a pod that is gone', async (t) => {
    const links = () => execFileSync('ip', ['-br', 'link', 'show', 'type', 'veth'], { encoding: 'utf8' });
    const infra = await infraOf('late');
    const link = isBare ? infra : linkName(infra);
    t.match(links(), link);
    await stand.kubectl('delete', 'pod', 'late', '--wait', '--timeout=60s');
    t.notMatch(links(), link);
    if (isBare) t.notOk(existsSync(`/run/netns/${infra}`));
  });

  await t.test('where the machine has not what it takes, the engine makes the networks', async (t) => {
    const bin = join(stand.dir, 'bin');
    mkdirSync(bin);
    for (const name of ['ip', 'nsenter']) symlinkSync('/bin/false', join(bin, name));
    await stand.agent.end('SIGTERM');
    const path = process.env['PATH'] ?? '';
    process.env['PATH'] = `${bin}:${path}`;
    try {
      await stand.startAgent();
    } finally {
      process.env['PATH'] = path;
    }
    await stand.apply(served('plain'));
    await pods.ready('plain');
    t.equal(await fetched('plain', addresses.two), 'two');
    t.equal(await fetched('one', await ipOf('plain')), 'plain');
    const { NetworkSettings } = await engine.docker.getContainer(await containerOf('plain')).inspect();
    t.ok(`holdfast-${stand.node}` in NetworkSettings.Networks);
  });
}
