import 'reflect-metadata'; // the x509 package needs it loaded first
import { execFile } from 'node:child_process';
import { webcrypto } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import t, { type Test } from 'tap';
import { startControllers } from '../../hub/controllers/start-controllers.ts';
import { signRequest } from '../../hub/security/certificate-signer.ts';
import { type KubectlVersion, kubectlPath } from '../../scripts/kubectl.ts';
import { startHub } from '../hub/api/test-hub.ts';
import { silent } from '../hub/controllers/cluster.ts';

/* Who may do what, as one sees and sets it with the real kubectl. */

interface Outcome {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

/** A hub of its own with the controllers of identities, and kubectl for its administrator. */
async function setUp(t: Test, version: KubectlVersion) {
  const hub = await startHub(t);
  const { registry, access, authority } = hub;
  const controllers = startControllers({
    registry,
    log: silent,
    identities: {
      rootCertificate: authority.certificate,
      issue: (account, secret) => access.accountTokens.issueLegacy(account, secret),
      sign: (spec) => signRequest({ registry, ca: authority }, spec),
    },
  });
  t.teardown(() => controllers.stop());
  const program = await kubectlPath(version);
  const admin = await hub.writeKubeconfig();
  const cache = ['--cache-dir', join(hub.directory, 'cache')];
  const run = (kubeconfig: string, args: readonly string[]): Promise<Outcome> =>
    new Promise((resolve) => {
      const all = ['--kubeconfig', kubeconfig, ...cache, ...args];
      execFile(program, all, { timeout: 90_000 }, (error, out, err) =>
        resolve({ out, err, code: typeof error?.code === 'number' ? error.code : error ? -1 : 0 }),
      );
    });
  const succeeds = async (line: string, kubeconfig = admin) => {
    const outcome = await run(kubeconfig, line.split(' '));
    t.equal(outcome.code, 0, `kubectl ${line}${outcome.code === 0 ? '' : `: ${outcome.err}`}`);
    return outcome.out;
  };
  const fails = async (line: string, kubeconfig = admin) => {
    const outcome = await run(kubeconfig, line.split(' '));
    t.equal(outcome.code, 1, `kubectl ${line} fails`);
    return `${outcome.out}${outcome.err}`;
  };
  const fileWith = async (name: string, content: string) => {
    await writeFile(join(hub.directory, name), content);
    return join(hub.directory, name);
  };
  /** A kubeconfig of the same cluster for somebody else. */
  const kubeconfigFor = async (name: string, user: object, namespace = 'default') => {
    const config = JSON.parse(await readFile(admin, 'utf8'));
    config.users = [{ name: 'somebody', user }];
    config.contexts = [{ name: 'test', context: { cluster: 'test', user: 'somebody', namespace } }];
    return fileWith(name, JSON.stringify(config));
  };
  return { hub, succeeds, fails, fileWith, kubeconfigFor };
}

const DEPLOYMENT = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "nginx:1.27"}]}
`;
const ROLES = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: looker, namespace: default}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: lookers, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: looker}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: lou}]
`;

for (const version of ['1.34', '1.35'] as const) {
  t.test(`kubectl ${version}: a robot that may only apply Deployments in one namespace`, async (t) => {
    const { succeeds, fails, fileWith, kubeconfigFor } = await setUp(t, version);
    await succeeds('create namespace shop');
    await succeeds('-n shop create serviceaccount ci');
    await succeeds('-n shop create role deployer --verb=get,create,patch --resource=deployments.apps');
    await succeeds('-n shop create rolebinding ci --role=deployer --serviceaccount=shop:ci');
    const token = (await succeeds('-n shop create token ci --duration=10m')).trim();
    const ci = await kubeconfigFor('ci', { token }, 'shop');
    const file = await fileWith('web.yaml', DEPLOYMENT);
    t.equal(await succeeds(`apply -f ${file}`, ci), 'deployment.apps/web created\n');
    t.equal(await succeeds(`apply -f ${file}`, ci), 'deployment.apps/web unchanged\n');
    t.equal(
      await succeeds(`apply --server-side --force-conflicts -f ${file}`, ci),
      'deployment.apps/web serverside-applied\n',
    );
    const robot = 'User "system:serviceaccount:shop:ci" cannot';
    t.equal(
      await fails('get pods', ci),
      `Error from server (Forbidden): pods is forbidden: ${robot} list resource "pods" in API group "" in the namespace "shop"\n`,
    );
    t.equal(
      await fails('delete deployment web', ci),
      `Error from server (Forbidden): deployments.apps "web" is forbidden: ${robot} delete resource "deployments" in API group "apps" in the namespace "shop"\n`,
    );
    t.equal(
      await fails('-n default get deployment web', ci),
      `Error from server (Forbidden): deployments.apps "web" is forbidden: ${robot} get resource "deployments" in API group "apps" in the namespace "default"\n`,
    );
    t.equal(
      await fails('get nodes', ci),
      `Error from server (Forbidden): nodes is forbidden: ${robot} list resource "nodes" in API group "" at the cluster scope\n`,
    );
    t.equal(await succeeds('auth can-i create deployments', ci), 'yes\n');
    t.equal(await fails('auth can-i delete deployments', ci), 'no\n');
    t.equal(await fails('auth can-i create deployments -n default', ci), 'no\n');
    const list = await succeeds('auth can-i --list', ci);
    t.match(list, /deployments\.apps +\[\] +\[\] +\[get create patch\]/);
    t.match(list, /selfsubjectreviews\.authentication\.k8s\.io/);
    t.match(await succeeds('auth whoami', ci), /Username +system:serviceaccount:shop:ci/);
    t.match(
      await fails('-n shop create token ci --duration=1m'),
      /may not specify a duration less than 10 minutes/,
    );
    await succeeds('-n shop create secret generic lock');
    t.ok(await succeeds('-n shop create token ci --bound-object-kind Secret --bound-object-name lock'));
    await succeeds('-n shop delete serviceaccount ci');
    t.equal(
      await fails('get deployment web', ci),
      'error: You must be logged in to the server (Unauthorized)\n',
    );
  });

  t.test(`kubectl ${version}: users by certificate`, async (t) => {
    const { succeeds, fails, fileWith, kubeconfigFor } = await setUp(t, version);
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
    const keys = (await webcrypto.subtle.generateKey(algorithm, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair;
    const csr = await x509.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=ann, O=staff',
      keys,
      signingAlgorithm: algorithm,
    });
    const manifest = (name: string) =>
      JSON.stringify({
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name },
        spec: {
          request: Buffer.from(csr.toString('pem')).toString('base64'),
          signerName: 'kubernetes.io/kube-apiserver-client',
          expirationSeconds: 3600,
          usages: ['client auth'],
        },
      });
    for (const name of ['ann', 'denied']) await succeeds(`apply -f ${await fileWith(name, manifest(name))}`);
    t.match(
      await succeeds('get csr ann'),
      /ann +\S+ +kubernetes\.io\/kube-apiserver-client +admin +60m +Pending/,
    );
    t.match(
      await succeeds('certificate approve ann'),
      /certificatesigningrequest\.certificates\.k8s\.io\/ann approved/,
    );
    t.match(await succeeds('certificate deny denied'), /\/denied denied/);
    await succeeds('wait csr/ann --for=jsonpath={.status.certificate} --timeout=60s');
    t.match(await succeeds('get csr ann'), /Approved,Issued/);
    t.match(await succeeds('get csr denied'), /Denied/);
    const certificate = await succeeds('get csr ann -o jsonpath={.status.certificate}');
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`;
    const ann = await kubeconfigFor('ann.kubeconfig', {
      'client-certificate-data': certificate,
      'client-key-data': Buffer.from(key).toString('base64'),
    });
    t.match(await succeeds('auth whoami -o jsonpath={.status.userInfo}', ann), /"username":"ann"/);
    t.match(
      await fails('get pods', ann),
      /User "ann" cannot list resource "pods" in API group "" in the namespace "default"/,
    );
    await succeeds('create clusterrolebinding staff --clusterrole=view --group=staff');
    await succeeds('get pods', ann);
    t.match(await fails('get secrets', ann), /User "ann" cannot list resource "secrets"/);
    t.equal(
      await fails('create clusterrole x --verb=get --resource=pods', ann),
      'Error from server (Forbidden): clusterroles.rbac.authorization.k8s.io is forbidden: User "ann" cannot create resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope\n',
    );
    const asLou = `--as lou --as-group staff`;
    await succeeds(`get pods ${asLou}`);
    t.match(await succeeds(`auth whoami ${asLou}`), /Username +lou\s+Groups +\[staff system:authenticated\]/);
    t.equal(
      await fails(`get pods ${asLou}`, ann),
      'Error from server (Forbidden): users "lou" is forbidden: User "ann" cannot impersonate resource "users" in API group "" at the cluster scope\n',
    );
    t.equal(await succeeds('auth can-i get pods --as lou --as-group staff'), 'yes\n');
    t.equal(await fails('auth can-i get secrets --as lou --as-group staff'), 'no\n');
    t.equal(await succeeds('auth can-i * *'), 'yes\n');
    t.match(await fails('get pods --as nobody --token x', ann), /impersonate/);

    const file = await fileWith('roles.yaml', ROLES);
    t.match(await succeeds(`auth reconcile -f ${file}`), /looker reconciled[\s\S]*lookers reconciled/);
    await succeeds(`auth reconcile -f ${file}`);
    t.equal(await succeeds('auth can-i list pods --as lou'), 'yes\n');
    t.match(await succeeds('describe clusterrole view'), /pods\/log/);
    await succeeds('create clusterrole scaler --verb=patch --resource=deployments.apps/scale');
    await succeeds('create clusterrolebinding admins --clusterrole=cluster-admin --user=root');
    t.equal(await succeeds('auth can-i delete nodes --as root'), 'yes\n');
  });
}
