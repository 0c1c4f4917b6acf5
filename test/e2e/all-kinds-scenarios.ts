import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { apiVersionOf, type ResourceDefinition } from '../../hub/resources/definition.ts';
import { customResourceDefinitions, resources } from '../../hub/resources/table-of-resources.ts';
import { viewsOf } from '../../hub/resources/views.ts';
import { type KubectlVersion, kubectlPath } from '../../scripts/kubectl.ts';
import { startHub } from '../hub/api/test-hub.ts';
import { minimalObject } from '../hub/resources/minimal-objects.ts';

/** Takes one object of every kind, in every version that the hub serves, through a real kubectl. */
export async function allKindsScenarios(version: KubectlVersion): Promise<void> {
  const program = await kubectlPath(version);
  const hub = await startHub(t);
  const flags = ['--kubeconfig', await hub.writeKubeconfig(), '--cache-dir', join(hub.directory, 'cache')];
  /** Definitions of kinds have tests of their own: a name is not theirs to choose. */
  const served = resources
    .filter((stored) => stored !== customResourceDefinitions)
    .flatMap((stored) => [stored, ...viewsOf(stored).map(({ definition }) => definition)]);

  function kubectl(t: Test, ...args: string[]): Promise<string> {
    return new Promise((resolve) => {
      execFile(program, [...flags, ...args], { timeout: 90_000 }, (error, out, err) => {
        t.equal(error, null, `kubectl ${args.join(' ')}${error ? `: ${err}` : ''}`);
        resolve(out);
      });
    });
  }

  /** `deployments.v1.apps`: a kind and no other. */
  const nameOf = ({ plural, version, group }: ResourceDefinition) =>
    group ? `${plural}.${version}.${group}` : plural;
  /** Views have objects of their own here, since both would be the same one. */
  const objectName = ({ version, group }: ResourceDefinition) =>
    `sample-${version}-${group.split('.')[0] || 'core'}`;

  const manifest = join(hub.directory, 'every-kind.json');
  const items = served.map((definition) => minimalObject(definition, objectName(definition)));
  await writeFile(manifest, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));

  t.test('apply -f', async (t) => {
    const out = await kubectl(t, 'apply', '-f', manifest);
    t.equal(out.trim().split('\n').length, served.length, 'one line for each');
    t.equal(out.match(/ created$/gm)?.length, served.length, out);
    const { revision } = hub.registry;
    await kubectl(t, 'apply', '-f', manifest);
    t.equal(hub.registry.revision, revision, 'the same again changes nothing');
    const server = await kubectl(t, 'apply', '--server-side', '--force-conflicts', '-f', manifest);
    t.equal(server.match(/ serverside-applied$/gm)?.length, served.length, server);
  });

  t.test('get', async (t) => {
    const all = await kubectl(t, 'get', 'all', '-A');
    for (const definition of served.filter(({ categories }) => categories.includes('all')))
      t.match(
        all,
        `${definition.singular}${definition.group && `.${definition.group}`}/sample`,
        definition.kind,
      );
    for (const definition of served) {
      const table = await kubectl(t, 'get', nameOf(definition), objectName(definition), '-o', 'wide');
      const [head = '', row = ''] = table.split('\n');
      t.match(head, /NAME|LAST SEEN/, definition.kind);
      t.notMatch(row, /undefined|\[object/, row);
    }
    t.match(await kubectl(t, 'get', 'events.v1.events.k8s.io'), 'Tested');
  });

  t.test('describe', async (t) => {
    for (const definition of served) {
      const out = await kubectl(t, 'describe', nameOf(definition), objectName(definition));
      t.match(out, objectName(definition), definition.kind);
    }
  });

  t.test('explain', async (t) => {
    for (const definition of served) {
      const out = await kubectl(t, 'explain', definition.plural, `--api-version=${apiVersionOf(definition)}`);
      t.match(out, `KIND:       ${definition.kind}`, nameOf(definition));
    }
  });

  t.test('create and what else kubectl makes by itself', async (t) => {
    const lines = [
      'create job made --image=busybox:1',
      'create cronjob made --image=busybox:1 --schedule=@daily',
      'create service clusterip made --tcp=80:8080',
      'create service nodeport made-outside --tcp=80',
      'create service externalname made-elsewhere --external-name=example.com',
      'create ingress made --rule=example.com/=made:80',
      'create poddisruptionbudget made --selector=app=x --min-available=1',
      'create quota made --hard=pods=10',
      'create priorityclass made --value=10',
      'create role made --verb=get --resource=pods',
      'create rolebinding made --role=made --user=ann',
      'create clusterrole made --verb=get --resource=nodes',
      'create clusterrolebinding made --clusterrole=made --group=staff',
      'autoscale deployment sample-v1-apps --min=1 --max=3 --cpu-percent=70 --name=made',
      'scale statefulset/sample-v1-apps --replicas=3',
      'scale rc/sample-v1-core --replicas=2',
      'certificate approve sample-v1-certificates',
    ];
    for (const line of lines) await kubectl(t, ...line.split(' '));
    t.match(await kubectl(t, 'get', 'csr', 'sample-v1-certificates'), 'Approved');
    t.match(await kubectl(t, 'get', 'statefulset', 'sample-v1-apps'), '0/3');
    t.match(await kubectl(t, 'get', 'hpa', 'made'), 'cpu: <unknown>/70%');
  });

  t.test('delete -f', async (t) => {
    // A Namespace stays until a controller found it empty, which is another test's.
    const rest = items.filter(({ kind }) => kind !== 'Namespace');
    await writeFile(manifest, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: rest }));
    const out = await kubectl(t, 'delete', '-f', manifest, '--timeout=60s');
    t.equal(out.match(/ deleted/g)?.length, rest.length, out);
    t.same(hub.errors, []);
  });
}
