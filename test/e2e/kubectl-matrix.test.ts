import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { startWholeHub } from '../hub/api/conformance/whole-hub.ts';
import { Kubectl } from '../support/kubectl.ts';
import { GROUPS, MANIFESTS, type Row } from './kubectl-rows.ts';

/*
 * Every command of kubectl, in two versions, against the real API with its controllers. What agents do with pods, the
 * test does. What needs a device (logs, exec, cp, port-forward) is in tests of their own.
 */

const { hub, cluster } = await startWholeHub(t);
const kubeconfig = await hub.writeKubeconfig();
await cluster.addNode('device');
t.teardown(cluster.runAgents());

interface Place {
  readonly kubectl: Kubectl;
  /** What `{v}` stands for. */
  readonly name: string;
  /** What `{dir}` stands for. */
  readonly directory: string;
}

/** Returns the directory that they are in. */
async function writeManifests(name: string): Promise<string> {
  const directory = join(hub.directory, `manifests-${name}`);
  const kustomized = join(directory, 'kustomized');
  await mkdir(kustomized, { recursive: true });
  for (const [file, manifest] of Object.entries(MANIFESTS)) {
    const text = JSON.stringify(manifest).replaceAll('{v}', name);
    await writeFile(join(directory, file), text);
    if (file === 'base.json') await writeFile(join(kustomized, file), text);
    if (file === 'kustomization.json') await writeFile(join(kustomized, 'kustomization.yaml'), text);
  }
  return directory;
}

async function check(t: Test, { kubectl, name, directory }: Place, given: Row): Promise<void> {
  const fill = (text: string) => text.replaceAll('{v}', name).replaceAll('{dir}', directory);
  const { prints, fails = 0, env } = given;
  const line = fill(given.line);
  const { out, err, code } = await kubectl.run(line, env ? { env } : {});
  const printed = fails ? err : out;
  const isPrinted =
    typeof prints === 'string'
      ? fill(prints) === printed
      : new RegExp(prints.source.replaceAll('\\{v\\}', name), prints.flags).test(out + err);
  t.ok(code === fails && isPrinted, `kubectl ${line}`, {
    expected: { code: fails, prints },
    found: { code, out, err },
  });
}

for (const version of ['1.34', '1.35'] as const) {
  const name = `v${version.replace('.', '')}`;

  t.test(`kubectl ${version}`, async (t) => {
    const kubectl = await Kubectl.of(version, kubeconfig, hub.directory, name);
    await hub.post('/api/v1/namespaces', { metadata: { name } });
    await cluster.addNode(`${name}-node`, { taints: [{ key: 'only-by-name', effect: 'NoSchedule' }] });
    const place = { kubectl, name, directory: await writeManifests(name) };
    await Promise.all(
      Object.entries(GROUPS).map(async ([group, rows]) => {
        for (const each of rows) await check(t, place, each);
        t.comment(`${group}: ${rows.length} rows`);
      }),
    );
  });

  t.test(`kubectl ${version}: get -w`, async (t) => {
    const kubectl = await Kubectl.of(version, kubeconfig, hub.directory, `${name}-watch`);
    await hub.post('/api/v1/namespaces', { metadata: { name: `${name}-watch` } });
    const child = spawn(
      kubectl.program,
      kubectl.args('get cm -l in=watch -w --output-watch-events --no-headers'),
    );
    t.teardown(() => child.kill());
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async () => (await lines.next()).value?.trim();
    await kubectl.run('create -f -', {
      input: JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'seen', labels: { in: 'watch' } },
      }),
    });
    t.match(await next(), /^ADDED +seen +0 +\d+s$/);
    await kubectl.run(`patch cm seen -p '{"data":{"a":"b"}}'`);
    t.match(await next(), /^MODIFIED +seen +1 +\d+s$/);
    await kubectl.run('label cm seen in-');
    t.match(await next(), /^DELETED +seen +1 +\d+s$/);
  });

  t.test(`kubectl ${version}: proxy`, async (t) => {
    const kubectl = await Kubectl.of(version, kubeconfig, hub.directory, 'default');
    const child = spawn(kubectl.program, kubectl.args('proxy --port=0'));
    t.teardown(() => child.kill());
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    const [address] = /127\.0\.0\.1:\d+/.exec(line) ?? [];
    const answer = await fetch(`http://${address}/api/v1/namespaces/default`);
    t.match(await answer.json(), { kind: 'Namespace', metadata: { name: 'default' } });
  });
}

/** These say nothing in Kubernetes either: they are JSON Schema's. */
const UNSAID = /\.(JSONSchemaProps|ExternalDocumentation)\./;

t.test('explain has something to say of every field', async (t) => {
  const { body: index } = await hub.get('/openapi/v3');
  const silent: string[] = [];
  for (const { serverRelativeURL } of Object.values(index.paths) as { serverRelativeURL: string }[]) {
    const { body } = await hub.get(serverRelativeURL);
    const schemas = Object.entries(body.components?.schemas ?? {}) as [
      string,
      { properties?: Record<string, { description?: string }> },
    ][];
    for (const [schema, { properties = {} }] of schemas)
      for (const [field, { description }] of Object.entries(properties))
        if (!description) silent.push(`${schema}.${field}`);
  }
  t.same(
    silent.filter((field) => !UNSAID.test(field)),
    [],
  );
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
