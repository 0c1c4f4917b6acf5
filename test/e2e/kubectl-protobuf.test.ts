import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import type { KubeObject } from '../../hub/resources/object.ts';
import { nodes } from '../../hub/resources/table-of-resources.ts';
import { type KubectlVersion, kubectlPath } from '../../scripts/kubectl.ts';
import { startHub } from '../hub/api/test-hub.ts';

/*
 * What the real kubectl sends in protobuf is stored just as what it sends in JSON. `kubectl create <generator>` is such a
 * command; the object that the same command only prints goes in as JSON.
 */

const hub = await startHub(t);
const run = promisify(execFile);
const kubeconfig = await hub.writeKubeconfig();
const binaryFile = join(hub.directory, 'binary');
await writeFile(binaryFile, Buffer.from([0, 0xff, 0xfe, 0x80]));

/** Types of the bodies that came, by method. */
const sent: string[] = [];
hub.server.http.on('request', ({ method, headers }: IncomingMessage) => {
  if (headers['content-type']) sent.push(`${method} ${headers['content-type']}`);
});

function kubectl(version: KubectlVersion) {
  const flags = ['--kubeconfig', kubeconfig, '--cache-dir', join(hub.directory, `cache-${version}`)];
  return async (...args: string[]): Promise<string> => {
    const program = await kubectlPath(version);
    return (await run(program, [...flags, ...args], { timeout: 30_000 })).stdout;
  };
}

/** Commands after `kubectl create`; the last word is the object's name. */
const GENERATORS: readonly string[][] = [
  ['configmap', '--from-literal=a=b', '--from-literal=empty=', `--from-file=bin=${binaryFile}`, 'literals'],
  ['configmap', 'nothing'],
  ['secret', 'generic', '--from-literal=password=x', `--from-file=bin=${binaryFile}`, 'generic'],
  ['secret', 'generic', '--type=example.com/own', 'own'],
  ['secret', 'docker-registry', '--docker-username=u', '--docker-password=p', 'registry'],
  ['serviceaccount', 'account'],
  ['deployment', '--image=nginx', '--replicas=3', '--port=80', 'web'],
  ['deployment', '--image=busybox', '--replicas=0', 'none', '--', 'sleep', '1'],
];

/** Without what differs between any two objects. */
function comparable({ metadata, ...object }: KubeObject): object {
  const { uid, resourceVersion, creationTimestamp, namespace, managedFields, ...rest } = metadata;
  return { ...object, metadata: rest };
}

for (const version of ['1.34', '1.35'] as const) {
  const binary = `binary-${version.replace('.', '-')}`;
  const text = `text-${version.replace('.', '-')}`;

  t.test(`kubectl ${version}`, async (t) => {
    const command = kubectl(version);
    const create = async (...args: string[]) => {
      sent.length = 0;
      await command('create', ...args);
      t.same(sent, ['POST application/vnd.kubernetes.protobuf'], `kubectl create ${args.join(' ')}`);
    };
    await create('namespace', binary);
    await create('namespace', text);

    t.test('creates the same objects in protobuf and in JSON', async (t) => {
      for (const generator of GENERATORS) {
        const [before, after] = [
          generator.slice(0, endOfFlags(generator)),
          generator.slice(endOfFlags(generator)),
        ];
        await create(...before, '-n', binary, ...after);
        const printed = await command(
          'create',
          ...before,
          '-n',
          text,
          '--dry-run=client',
          '-o',
          'json',
          ...after,
        );
        const { apiVersion, kind, metadata } = JSON.parse(printed);
        const plural = `${kind.toLowerCase()}s`;
        const collection = `${apiVersion === 'v1' ? '/api' : '/apis'}/${apiVersion}/namespaces`;
        const posted = await hub.post(`${collection}/${text}/${plural}`, printed);
        t.equal(posted.code, 201, posted.text);
        const stored = await hub.get(`${collection}/${binary}/${plural}/${metadata.name}`);
        t.same(comparable(stored.body), comparable(posted.body), `${kind} ${metadata.name}`);
      }
    });

    t.test('deletes with options in protobuf', async (t) => {
      const device = { apiVersion: 'v1', kind: 'Node', metadata: { name: `device-${binary}` } };
      await hub.registry.create(nodes, device, { fieldManager: 'test' });
      const spec = {
        nodeName: device.metadata.name,
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'c', image: 'i' }],
      };
      t.match(await hub.post(`/api/v1/namespaces/${binary}/pods`, { metadata: { name: 'p' }, spec }), {
        code: 201,
      });
      sent.length = 0;
      await command('drain', device.metadata.name, '--force', '--disable-eviction', '--timeout=20s');
      t.ok(sent.includes('DELETE application/vnd.kubernetes.protobuf'), sent.join());
      t.match(await hub.get(`/api/v1/namespaces/${binary}/pods/p`), { code: 404 });
    });

    t.test('is told in its own words what is wrong', async (t) => {
      await t.rejects(command('create', 'configmap', '-n', binary, 'literals'), {
        message: /error: failed to create configmap: configmaps "literals" already exists\n/,
      });
      await t.rejects(command('create', 'serviceaccount', '-n', binary, 'No_Name'), {
        message: /ServiceAccount "No_Name" is invalid: metadata\.name: Invalid value: "No_Name"/,
      });
    });
  });
}

/** Where a generator's own command begins, or its end. */
function endOfFlags(generator: readonly string[]): number {
  const at = generator.indexOf('--');
  return at < 0 ? generator.length : at;
}

t.test('nothing went wrong inside', async (t) => {
  t.same(hub.errors, []);
});
