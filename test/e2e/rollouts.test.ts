import { execFile } from 'node:child_process';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startControllers } from '../../hub/controllers/start-controllers.ts';
import type { KubeObject } from '../../hub/resources/object.ts';
import { daemonSets, deployments, namespaces, pods } from '../../hub/resources/table-of-resources.ts';
import type { PodObject } from '../../hub/resources/typed.ts';
import { kubectlPath } from '../../scripts/kubectl.ts';
import { startHub } from '../hub/api/test-hub.ts';
import { Cluster, deployment, silent, template } from '../hub/controllers/cluster.ts';

/* The real kubectl follows and undoes rollouts that the real controllers make; only the agents are played. */

const program = await kubectlPath();
const hub = await startHub(t);
const controllers = startControllers({ registry: hub.registry, log: silent });
const cluster = new Cluster(hub.registry);
const stopAgents = cluster.runAgents();
t.teardown(async () => {
  stopAgents();
  await controllers.stop();
});
const flags = ['--kubeconfig', await hub.writeKubeconfig(), '--cache-dir', join(hub.directory, 'cache')];
for (const name of ['n1', 'n2', 'n3']) await cluster.addNode(name);

function kubectl(t: Test, line: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, [...flags, ...line.split(' ')], { timeout: 90_000 }, (error, out, err) => {
      t.equal(error, null, `kubectl ${line}: ${err}`);
      resolve(out);
    });
  });
}

const images = (app: string) =>
  cluster
    .list<PodObject>(pods)
    .filter(({ metadata }) => metadata.labels?.['app'] === app && !metadata.deletionTimestamp)
    .map(({ spec }) => spec.containers[0]?.image);

const workloads = [
  { kind: 'deployment', resource: deployments, apiKind: 'Deployment', spec: { replicas: 3 } },
  { kind: 'daemonset', resource: daemonSets, apiKind: 'DaemonSet', spec: {} },
];
for (const { kind, resource, apiKind, spec } of workloads) {
  t.test(`${kind}: status, history, undo, restart`, async (t) => {
    const app = `app-${kind}`;
    await cluster.create(resource, {
      apiVersion: 'apps/v1',
      kind: apiKind,
      metadata: { name: app, namespace: 'default' },
      spec: { selector: { matchLabels: { app } }, template: template(app, 'busybox:1'), ...spec },
    });
    t.match(await kubectl(t, `rollout status ${kind}/${app} --timeout=10s`), 'successfully rolled out');
    await kubectl(t, `set image ${kind}/${app} main=busybox:2`);
    t.match(await kubectl(t, `rollout status ${kind}/${app} --timeout=10s`), 'successfully rolled out');
    t.same(images(app), ['busybox:2', 'busybox:2', 'busybox:2']);
    t.match(await kubectl(t, `rollout history ${kind}/${app}`), /\n1 .*\n2 /);
    t.match(await kubectl(t, `rollout history ${kind}/${app} --revision=1`), 'busybox:1');
    await kubectl(t, `rollout undo ${kind}/${app}`);
    t.match(await kubectl(t, `rollout status ${kind}/${app} --timeout=10s`), 'successfully rolled out');
    t.same(images(app), ['busybox:1', 'busybox:1', 'busybox:1']);
    t.match(await kubectl(t, `rollout history ${kind}/${app}`), /\n2 .*\n3 /);
    await kubectl(t, `rollout restart ${kind}/${app}`);
    t.match(await kubectl(t, `rollout status ${kind}/${app} --timeout=10s`), 'successfully rolled out');
    t.match(await kubectl(t, `describe ${kind}/${app}`), /SuccessfulCreate|ScalingReplicaSet/);
    await kubectl(t, `delete ${kind}/${app} --cascade=foreground`);
    t.same(images(app), []);
  });
}

t.test('a namespace is deleted while kubectl waits', async (t) => {
  const shop = { namespace: 'shop' };
  await cluster.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  const web = deployment('web', { replicas: 2 }) as KubeObject;
  await cluster.create(deployments, { ...web, metadata: { ...web.metadata, ...shop } });
  t.match(await kubectl(t, 'rollout status deployment/web -n shop --timeout=10s'), 'successfully rolled out');
  t.match(await kubectl(t, 'delete namespace shop --timeout=10s'), 'deleted');
  t.same(cluster.list(pods, 'shop'), []);
});
