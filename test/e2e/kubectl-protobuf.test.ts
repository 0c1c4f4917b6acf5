import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { apiVersionOf } from '../../hub/resources/definition.ts';
import type { KubeObject } from '../../hub/resources/object.ts';
import { nodes, resources } from '../../hub/resources/table-of-resources.ts';
import { type KubectlVersion, kubectlPath } from '../../scripts/kubectl.ts';
import { startHub } from '../hub/api/test-hub.ts';

/*
 * What the real kubectl sends in protobuf is stored just as what is sent in JSON: the object that the same command only
 * prints goes in as JSON.
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
    return (await run(program, [...flags, ...args], { timeout: 90_000 })).stdout;
  };
}

/** Commands of kubectl; what makes one object. */
const GENERATORS: readonly string[][] = [
  [
    ...'create configmap literals --from-literal=a=b --from-literal=empty='.split(' '),
    `--from-file=bin=${binaryFile}`,
  ],
  ...[
    'create configmap nothing',
    `create secret generic generic --from-literal=password=x --from-file=bin=${binaryFile}`,
    'create secret generic own --type=example.com/own',
    'create secret docker-registry registry --docker-username=u --docker-password=p',
    'create serviceaccount account',
    'create deployment web --image=nginx --replicas=3 --port=80',
    'create deployment none --image=busybox --replicas=0 -- sleep 1',
    'create job once --image=busybox -- date',
    'create cronjob often --image=busybox --schedule=@hourly --restart=OnFailure -- date',
    'create service externalname out --external-name=example.com',
    'create service clusterip headless --clusterip=None --tcp=80:8080 --tcp=443:https',
    'create ingress in --class=a --rule=example.com/path*=svc:80,tls=cert --default-backend=svc:http --annotation=a=b',
    'create role reader --verb=get,list --resource=pods,deployments.apps --resource-name=x',
    'create rolebinding readers --role=reader --user=u --group=g --serviceaccount=default:account',
    'create clusterrole paths --verb=get --non-resource-url=/logs/*',
    'create clusterrole all --aggregation-rule=a=b',
    'create clusterrolebinding everybody --clusterrole=all --group=g',
    'create quota amounts --hard=cpu=1,memory=1Gi,pods=2 --scopes=NotBestEffort',
    'create poddisruptionbudget half --min-available=50% --selector=app=web',
    'create poddisruptionbudget one --max-unavailable=0 --selector=app=web',
    'create priorityclass nothing --value=0',
    'create priorityclass never --value=-5 --preemption-policy=Never --description=d',
    'autoscale deployment web --max=5 --min=2 --cpu-percent=80',
  ].map((command) => command.split(' ')),
];

/** Where objects of this type are. */
function collectionOf({ apiVersion, kind }: KubeObject, namespace: string): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const resource = resources.find((each) => apiVersionOf(each) === apiVersion && each.kind === kind);
  if (!resource) throw new Error(`${apiVersion} ${kind} is not served`);
  return `${root}${resource.namespaced ? `/namespaces/${namespace}` : ''}/${resource.plural}`;
}

/** Without what differs between any two objects. */
function comparable({ metadata, ...object }: KubeObject): object {
  const { uid = '', resourceVersion, creationTimestamp, namespace, managedFields, ...rest } = metadata;
  const text = JSON.stringify({ ...object, metadata: rest });
  return JSON.parse(text.replaceAll(uid, 'UID').replaceAll(`"${namespace}"`, '"NAMESPACE"'));
}

/** Flags stand before the words of a container's command. */
function withFlags(command: readonly string[], ...flags: string[]): string[] {
  const at = command.indexOf('--');
  const end = at < 0 ? command.length : at;
  return [...command.slice(0, end), ...flags, ...command.slice(end)];
}

for (const version of ['1.34', '1.35'] as const) {
  const binary = `binary-${version.replace('.', '-')}`;
  const text = `text-${version.replace('.', '-')}`;

  t.test(`kubectl ${version}`, async (t) => {
    const command = kubectl(version);
    const create = async (...args: string[]) => {
      sent.length = 0;
      await command(...args);
      t.same(sent, ['POST application/vnd.kubernetes.protobuf'], `kubectl ${args.join(' ')}`);
    };
    await create('create', 'namespace', binary);
    await create('create', 'namespace', text);

    t.test('creates the same objects in protobuf and in JSON', async (t) => {
      for (const generator of GENERATORS) {
        const what = generator.slice(0, 4).join(' ');
        await create(...withFlags(generator, '-n', binary));
        const output = ['--dry-run=client', '-o', 'json'];
        const printed: KubeObject = JSON.parse(await command(...withFlags(generator, '-n', text, ...output)));
        const name = printed.metadata.name;
        const stored = await hub.get(`${collectionOf(printed, binary)}/${name}`);
        const isShared = collectionOf(printed, binary) === collectionOf(printed, text);
        if (isShared) await hub.delete(`${collectionOf(printed, binary)}/${name}`);
        const posted = await hub.post(collectionOf(printed, text), printed);
        t.equal(posted.code, 201, `${what}: ${posted.text}`);
        t.same(comparable(stored.body), comparable(posted.body), what);
        if (isShared) await hub.delete(`${collectionOf(printed, text)}/${name}`);
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
      await command('drain', device.metadata.name, '--force', '--disable-eviction', '--timeout=60s');
      t.ok(sent.includes('DELETE application/vnd.kubernetes.protobuf'), sent.join());
      t.match(await hub.get(`/api/v1/namespaces/${binary}/pods/p`), { code: 404 });
    });

    t.test('asks who it is, what it may and for a token', async (t) => {
      sent.length = 0;
      t.match(await command('auth', 'whoami', '-o', 'json'), /"username": "admin"/);
      t.equal(await command('auth', 'can-i', 'create', 'pods'), 'yes\n');
      const token = await command('create', 'token', 'account', '-n', binary, '--duration=1h');
      t.match(token, /^[\w-]+\.[\w-]+\.[\w-]+\n?$/);
      t.same(sent, Array(3).fill('POST application/vnd.kubernetes.protobuf'));
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

t.test('nothing went wrong inside', async (t) => {
  t.same(hub.errors, []);
});
