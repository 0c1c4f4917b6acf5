import { execFile, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import type { KubeObject } from '../../hub/resources/object.ts';
import { deployments, nodes, pods } from '../../hub/resources/table-of-resources.ts';
import { type KubectlVersion, kubectlPath } from '../../scripts/kubectl.ts';
import { startHub } from '../hub/api/test-hub.ts';

/** What people do with kubectl, one thing after the other, against the real API. What controllers would do, the test does. */
export async function kubectlScenarios(version: KubectlVersion): Promise<void> {
  const program = await kubectlPath(version);
  const hub = await startHub(t);
  const flags = ['--kubeconfig', await hub.writeKubeconfig(), '--cache-dir', join(hub.directory, 'cache')];

  interface Outcome {
    readonly out: string;
    readonly err: string;
    readonly code: number;
  }

  function kubectl(
    line: string,
    { input, env = {} }: { input?: string; env?: Record<string, string> } = {},
  ): Promise<Outcome> {
    return new Promise((resolve) => {
      const options = { env: { ...process.env, ...env }, timeout: 90_000 };
      const child = execFile(program, [...flags, ...line.split(' ')], options, (error, out, err) => {
        resolve({ out, err, code: typeof error?.code === 'number' ? error.code : error ? -1 : 0 });
      });
      child.stdin?.end(input);
    });
  }

  async function succeeds(t: Test, line: string, options?: Parameters<typeof kubectl>[1]): Promise<string> {
    const { out, err, code } = await kubectl(line, options);
    t.equal(code, 0, `kubectl ${line}${code === 0 ? '' : `: ${err}`}`);
    return out;
  }

  async function fileWith(name: string, manifest: object): Promise<string> {
    const path = join(hub.directory, name);
    await writeFile(path, JSON.stringify(manifest));
    return path;
  }

  function deployment(name: string, replicas = 2): KubeObject {
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, labels: { app: name } },
      spec: {
        replicas,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: { containers: [{ name: 'main', image: 'nginx:1.25', ports: [{ containerPort: 80 }] }] },
        },
      },
    };
  }

  const columns = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));

  /** Reports a Deployment complete, as its controller would. */
  async function finishRollout(name: string): Promise<void> {
    await hub.registry.modify(
      deployments,
      'default',
      name,
      (current) => {
        if (!current) throw new Error(`${name} exists`);
        const { replicas } = current.spec as { replicas: number };
        const counts = {
          replicas,
          updatedReplicas: replicas,
          readyReplicas: replicas,
          availableReplicas: replicas,
        };
        const conditions = [{ type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' }];
        return {
          ...current,
          status: { ...counts, conditions, observedGeneration: current.metadata.generation },
        };
      },
      { fieldManager: 'controller', subresource: 'status' },
    );
  }

  t.test('the hub says what it is and what it serves', async (t) => {
    t.match(await succeeds(t, 'version'), /Server Version: v1\.34\.\d+\+holdfast/);
    const resources = columns(await succeeds(t, 'api-resources'));
    t.same(resources.find(([name]) => name === 'deployments')?.slice(1), [
      'deploy',
      'apps/v1',
      'true',
      'Deployment',
    ]);
    const versions = (await succeeds(t, 'api-versions')).trim().split('\n');
    for (const version of ['apps/v1', 'autoscaling/v1', 'autoscaling/v2', 'events.k8s.io/v1', 'v1'])
      t.ok(versions.includes(version), version);
    t.equal(await succeeds(t, 'get --raw /readyz'), 'ok');
    t.match(
      await succeeds(t, 'explain deployment.spec.strategy'),
      /FIELD: strategy <DeploymentStrategy>[\s\S]*rollingUpdate\t<RollingUpdateDeployment>/,
    );
  });

  t.test('apply, on the client', async (t) => {
    const file = await fileWith('web.json', deployment('web'));
    t.equal(await succeeds(t, `apply -f ${file}`), 'deployment.apps/web created\n');
    t.equal(await succeeds(t, `apply -f ${file}`), 'deployment.apps/web unchanged\n');
    const changed = await fileWith('web3.json', deployment('web', 3));
    const { out, code } = await kubectl(`diff -f ${changed}`);
    t.equal(code, 1, 'a difference');
    t.match(out, /-\s+replicas: 2\n\+\s+replicas: 3/);
    t.equal(await succeeds(t, `apply -f ${changed}`), 'deployment.apps/web configured\n');
    t.equal(await succeeds(t, 'get deploy web -o jsonpath={.spec.replicas}/{.metadata.generation}'), '3/2');
    t.equal(
      await succeeds(t, `apply -f ${file} --dry-run=server`),
      'deployment.apps/web configured (server dry run)\n',
    );
    t.equal(
      await succeeds(t, 'get deploy web -o jsonpath={.spec.replicas}'),
      '3',
      'a dry run changes nothing',
    );
  });

  t.test('apply, on the server', async (t) => {
    const file = await fileWith('api.json', deployment('api'));
    t.equal(await succeeds(t, `apply --server-side -f ${file}`), 'deployment.apps/api serverside-applied\n');
    const version = await succeeds(t, 'get deploy api -o jsonpath={.metadata.resourceVersion}');
    await succeeds(t, `apply --server-side -f ${file}`);
    t.equal(
      await succeeds(t, 'get deploy api -o jsonpath={.metadata.resourceVersion}'),
      version,
      'the second time nothing is written',
    );
    await succeeds(t, 'scale deploy api --replicas=4');
    const { err, code } = await kubectl(`apply --server-side -f ${file}`);
    t.equal(code, 1);
    t.match(
      err,
      /conflict with "kubectl(-1\.35)?" with subresource "scale" using apps\/v1[\s\S]*\.spec\.replicas/,
    );
    await succeeds(t, `apply --server-side --force-conflicts -f ${file}`);
    t.equal(await succeeds(t, 'get deploy api -o jsonpath={.spec.replicas}'), '2');
  });

  t.test('a manifest that is wrong', async (t) => {
    const unknown = { ...deployment('bad'), spec: { ...(deployment('bad').spec as object), replicaz: 1 } };
    const strict = await kubectl(`apply -f ${await fileWith('unknown.json', unknown)}`);
    t.equal(strict.code, 1);
    t.match(strict.err, /BadRequest.*strict decoding error: unknown field "spec\.replicaz"/);
    const warned = await kubectl(
      `apply --validate=warn --dry-run=server -f ${await fileWith('unknown.json', unknown)}`,
    );
    t.equal(warned.code, 0);
    t.match(warned.err, /Warning: unknown field "spec\.replicaz"/);
    const invalid = deployment('bad', -1);
    const refused = await kubectl(`create -f ${await fileWith('invalid.json', invalid)}`);
    t.equal(refused.code, 1);
    t.match(
      refused.err,
      'The Deployment "bad" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    );
  });

  t.test('tables', async (t) => {
    const [head, ...rows] = columns(await succeeds(t, 'get deployments'));
    t.same(
      head?.map((each) => each.trim()),
      ['NAME', 'READY', 'UP-TO-DATE', 'AVAILABLE', 'AGE'],
    );
    t.same(
      rows.map(([name, ready]) => [name, ready]),
      [
        ['api', '0/2'],
        ['web', '0/3'],
      ],
    );
    const [, wide] = columns(await succeeds(t, 'get deploy web -o wide'));
    t.same(wide?.slice(5), ['main', 'nginx:1.25', 'app=web']);
    t.match(
      await succeeds(t, 'get deploy --chunk-size=1 -o name'),
      'deployment.apps/api\ndeployment.apps/web\n',
    );
    t.match(await succeeds(t, 'get all'), /deployment\.apps\/web/);
    t.same((await succeeds(t, 'get deploy -l app=web -o name')).trim(), 'deployment.apps/web');
    t.match(await succeeds(t, 'get deploy -l app!=web,app --show-labels'), /api.*app=api/);
    t.match(await succeeds(t, 'get deploy -A --sort-by=.metadata.name'), /default +api[\s\S]*default +web/);
    t.match(await succeeds(t, 'get deploy web -o yaml'), /progressDeadlineSeconds: 600/);
  });

  t.test('changes one at a time', async (t) => {
    t.equal(await succeeds(t, 'label deploy web tier=front'), 'deployment.apps/web labeled\n');
    t.equal(await succeeds(t, 'annotate deploy web note=x'), 'deployment.apps/web annotated\n');
    t.equal(await succeeds(t, 'scale deploy/web --replicas=5'), 'deployment.apps/web scaled\n');
    t.equal(await succeeds(t, 'set image deploy/web main=nginx:1.26'), 'deployment.apps/web image updated\n');
    t.equal(await succeeds(t, 'set env deploy/web A=b'), 'deployment.apps/web env updated\n');
    t.equal(
      await succeeds(t, 'edit deploy web', { env: { KUBE_EDITOR: 'sed -i s/nginx:1.26/nginx:1.27/' } }),
      'deployment.apps/web edited\n',
    );
    await succeeds(
      t,
      'patch deploy web --type=json -p [{"op":"replace","path":"/spec/minReadySeconds","value":1}]'.replace(
        'replace',
        'add',
      ),
    );
    t.equal(await succeeds(t, 'rollout restart deploy/web'), 'deployment.apps/web restarted\n');
    t.equal(
      await succeeds(
        t,
        'get deploy web -o jsonpath={.metadata.labels.tier}/{.metadata.annotations.note}/{.spec.replicas}/{.spec.template.spec.containers[0].image}/{.spec.template.spec.containers[0].env[0].value}/{.spec.minReadySeconds}',
      ),
      'front/x/5/nginx:1.27/b/1',
    );
    t.equal(
      await succeeds(t, 'get deploy web --subresource=scale -o jsonpath={.spec.replicas}/{.status.selector}'),
      '5/app=web',
    );
    const replaced = await fileWith('replace.json', deployment('web', 1));
    t.equal(await succeeds(t, `replace -f ${replaced}`), 'deployment.apps/web replaced\n');
    t.match(await succeeds(t, 'describe deploy web'), /Replicas: +1 desired/);
  });

  t.test('waiting for a rollout', async (t) => {
    const status = kubectl('rollout status deploy/web --timeout=60s');
    const waited = kubectl('wait --for=condition=Available deploy/web --timeout=60s');
    await finishRollout('web');
    t.match(await status, { code: 0, out: /deployment "web" successfully rolled out/ });
    t.match(await waited, { code: 0, out: 'deployment.apps/web condition met\n' });
  });

  t.test('watching', async (t) => {
    const child = spawn(program, [...flags, ...'get configmaps -w'.split(' ')]);
    t.teardown(() => child.kill());
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async () => (await lines.next()).value?.split(/ +/).slice(0, 2);
    await succeeds(t, 'create -f -', {
      input: JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'first' },
        data: { a: 'b' },
      }),
    });
    t.same(await next(), ['NAME', 'DATA'], 'the head');
    t.same(await next(), ['first', '1']);
    await succeeds(t, 'patch cm first -p {"data":{"c":"d"}}');
    t.same(await next(), ['first', '2']);
  });

  t.test('a list of things', async (t) => {
    const item = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: {} });
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [item('one'), item('two')] });
    t.equal(await succeeds(t, 'apply -f -', { input }), 'configmap/one created\nconfigmap/two created\n');
    t.equal(
      await succeeds(t, 'delete cm one two'),
      'configmap "one" deleted from default namespace\nconfigmap "two" deleted from default namespace\n',
    );
  });

  t.test('pods', async (t) => {
    await succeeds(t, 'run hello --image=busybox:1 --labels=app=hello');
    t.match(columns(await succeeds(t, 'get pods -o wide'))[1], ['hello', '0/1', 'Pending', '0']);
    t.match(
      await succeeds(t, 'describe pod hello'),
      /Status: +Pending[\s\S]*Tolerations: +node\.kubernetes\.io\/not-ready:NoExecute op=Exists\n/,
    );
    t.equal(
      await succeeds(t, 'get pods --field-selector status.phase=Pending,spec.nodeName= -o name'),
      'pod/hello\n',
    );
    const unsupported = await kubectl('get pods --field-selector spec.foo=x');
    t.match(unsupported.err, /field label not supported: spec\.foo/);
    t.match((await kubectl('logs hello')).err, /pod hello does not have a host assigned/);
    await hub.registry.create(
      nodes,
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'device' } },
      { fieldManager: 'test' },
    );
    t.match(await succeeds(t, 'get nodes'), /device +Unknown +<none>/);
    t.match(await succeeds(t, 'describe node device'), /Name: +device/);
    const bound = await hub.post('/api/v1/namespaces/default/pods/hello/binding', {
      target: { kind: 'Node', name: 'device' },
    });
    t.equal(bound.code, 201);
    const deletion = kubectl('delete pod hello --timeout=60s');
    const ending = await until(() => hub.registry.get(pods, 'default', 'hello')?.metadata.deletionTimestamp);
    t.ok(ending, 'the pod ends gracefully');
    await hub.registry.delete(pods, 'default', 'hello', { gracePeriodSeconds: 0 });
    t.match(
      await deletion,
      { code: 0, out: 'pod "hello" deleted from default namespace\n' },
      'kubectl waits for its end',
    );
  });

  t.test('nodes', async (t) => {
    t.equal(await succeeds(t, 'cordon device'), 'node/device cordoned\n');
    t.match(await succeeds(t, 'get node device'), /SchedulingDisabled/);
    t.equal(await succeeds(t, 'taint node device a=b:NoSchedule'), 'node/device tainted\n');
    await succeeds(
      t,
      'run drained --image=busybox:1 --overrides={"spec":{"nodeName":"device","terminationGracePeriodSeconds":0}}',
    );
    t.match(await succeeds(t, 'drain device --force --timeout=60s'), /pod\/drained evicted/);
    t.equal(await succeeds(t, 'uncordon device'), 'node/device uncordoned\n');
  });

  t.test('deleting', async (t) => {
    t.equal(
      await succeeds(t, 'delete deploy web api --wait'),
      'deployment.apps "web" deleted from default namespace\ndeployment.apps "api" deleted from default namespace\n',
    );
    const missing = await kubectl('get deploy web');
    t.match(missing.err, 'Error from server (NotFound): deployments.apps "web" not found');
    t.equal(await succeeds(t, 'delete deploy web --ignore-not-found'), '');
  });

  t.test('nothing went wrong inside', async (t) => {
    t.same(hub.errors, []);
  });

  async function until<T>(condition: () => T | undefined): Promise<T> {
    for (;;) {
      const value = condition();
      if (value) return value;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
