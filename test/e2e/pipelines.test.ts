import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { load } from 'js-yaml';
import t from 'tap';
import type { RolloutObject } from '../../hub/fleet/rollout.ts';
import { Fleet } from '../../scripts/fleet-sim/fleet.ts';
import { kubectlPath } from '../../scripts/kubectl.ts';
import { writeCommand } from '../../scripts/local-processes.ts';
import { startHubInProcess } from '../support/hub-in-process.ts';
import type { Outcome } from '../support/kubectl.ts';
import { until } from '../support/until.ts';

/* The recipes for pipelines: the very lines of their files, with the account of rbac.yaml, on a hub and a simulated fleet. */

const RECIPES = 'examples/pipelines';
const SIZE = 6;
const TIMEOUT_MS = 90_000;

const hub = await startHubInProcess();
const fleet = await Fleet.start({
  hub: { host: '127.0.0.1', port: hub.ports.grpc },
  token: await hub.token(SIZE),
  kubeconfig: hub.kubeconfig,
  size: SIZE,
  transport: 'grpc',
  scenario: {
    all: { createMs: 1, startMs: [1, 5], stopMs: 1 },
    images: {
      '*bad': { pullMs: 1, exit: { afterMs: 5, code: 1 } },
      '*slow': { pullMs: 6_000 },
      '*': { pullMs: 1 },
    },
  },
  seed: 1,
});
const work = mkdtempSync(join(tmpdir(), 'hf-pipelines-'));
t.teardown(async () => {
  await fleet.close();
  await hub.close();
  rmSync(work, { recursive: true });
});

const bin = join(work, 'bin');
mkdirSync(bin);
symlinkSync(await kubectlPath(), join(bin, 'kubectl'));
writeCommand(join(bin, 'holdfast'), resolve('hub/main.ts'), [], {});
cpSync(join(RECIPES, 'deploy'), join(work, 'deploy'), { recursive: true });

const { clusters } = load(readFileSync(hub.kubeconfig, 'utf8')) as {
  clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
};
const cluster = clusters[0]?.cluster;
const authority = Buffer.from(cluster?.['certificate-authority-data'] ?? '', 'base64').toString();
writeFileSync(join(work, 'ca.pem'), authority);

function shell(script: string, variables: Readonly<Record<string, string>>): Promise<Outcome> {
  const { NODE_OPTIONS: _, NODE_EXTRA_CA_CERTS: __, ...inherited } = process.env;
  const env = { ...inherited, PATH: `${bin}${delimiter}${process.env['PATH']}`, HOME: work, ...variables };
  return new Promise((settled) => {
    execFile(
      'bash',
      ['-euo', 'pipefail', '-c', script],
      { cwd: work, env, timeout: TIMEOUT_MS },
      (error, out, err) =>
        settled({ out, err, code: typeof error?.code === 'number' ? error.code : error ? -1 : 0 }),
    );
  });
}

const admin = (line: string) => shell(`kubectl ${line}`, { KUBECONFIG: hub.kubeconfig });

await admin('create namespace shop');
const made = await admin(`apply -f ${resolve(RECIPES, 'rbac.yaml')}`);
if (made.code !== 0) throw new Error(made.err);
await hub.api.call('POST', '/apis/fleet.holdfast.dev/v1/namespaces/shop/rolloutpolicies', {
  metadata: { name: 'careful' },
  spec: {
    waves: [{ name: 'canary', limit: 2, approve: 'manual' }],
    gates: { health: { minHealthy: '200ms', maxRestarts: 0, minAttempted: 1 } },
  },
});
const token = (await admin('-n shop create token pipeline --duration=1h')).out.trim();
const lasting = await until('the lasting token is there', async () => {
  const { out } = await admin("-n shop get secret pipeline -o jsonpath='{.data.token}'");
  return out ? Buffer.from(out, 'base64').toString() : undefined;
});

const connected = {
  HOLDFAST_SERVER: cluster?.server ?? '',
  HOLDFAST_CA: join(work, 'ca.pem'),
  HOLDFAST_TOKEN: token,
  KUBECONFIG: join(work, 'kubeconfig'),
};

/** The steps of a recipe as shell, and the variables that its system sets. */
interface Recipe {
  readonly name: string;
  readonly steps: Readonly<Record<'apply' | 'follow' | 'promote' | 'undo', string>>;
  readonly variables: Readonly<Record<string, string>>;
}

function gitlab(): Recipe {
  const file = load(readFileSync(join(RECIPES, 'gitlab-ci.yml'), 'utf8')) as Record<
    string,
    { script: string[] }
  > & {
    default: { before_script: string[] };
  };
  const step = (job: string) => [...file.default.before_script, ...(file[job]?.script ?? [])].join('\n');
  return {
    name: 'GitLab CI',
    steps: { apply: step('apply'), follow: step('follow'), promote: step('promote'), undo: step('undo') },
    variables: {
      CI_PIPELINE_ID: '77',
      CI_COMMIT_SHORT_SHA: 'abc123',
      GITLAB_USER_LOGIN: 'ann',
      HOLDFAST_TOKEN: lasting,
    },
  };
}

function jenkins(): Recipe {
  const file = readFileSync(join(RECIPES, 'Jenkinsfile'), 'utf8');
  const blocks = [...file.matchAll(/stage\('(\w+)'\)|sh '''([\s\S]*?)'''/g)];
  const steps = new Map<string, string>();
  let stage = '';
  for (const [, named, script] of blocks) {
    if (named) stage = named.toLowerCase();
    else if (script && !steps.has(stage)) steps.set(stage, script);
  }
  const step = (name: string) => steps.get(name) ?? '';
  return {
    name: 'Jenkins',
    steps: { apply: step('apply'), follow: step('follow'), promote: step('promote'), undo: step('undo') },
    variables: { JOB_NAME: 'fleet', BUILD_NUMBER: '12' },
  };
}

function github(): Recipe {
  const file = load(readFileSync(join(RECIPES, 'github-actions.yml'), 'utf8')) as {
    jobs: { fleet: { steps: { name?: string; run?: string }[] } };
  };
  const run = (name: string) => file.jobs.fleet.steps.find((step) => step.name === name)?.run ?? '';
  const step = (name: string) => `${run('Connect')}\n${run(name)}`;
  return {
    name: 'GitHub Actions',
    steps: {
      apply: step('Apply'),
      follow: step('Follow'),
      promote: step('Promote'),
      undo: step('Undo what failed'),
    },
    variables: {
      WHY: 'run 9 by ann',
      HOLDFAST_CA_CERTIFICATE: authority,
      HOLDFAST_CA: join(work, 'ca-of-the-run.pem'),
    },
  };
}

type Listed = { readonly items: readonly RolloutObject[] };
const newest = async () => {
  const { items } = await hub.api.call<Listed>('GET', '/apis/fleet.holdfast.dev/v1/namespaces/shop/rollouts');
  return items.toSorted((a, b) => b.spec.to.number - a.spec.to.number)[0];
};
const awaiting = (phase: string) =>
  until(
    `the newest is ${phase}`,
    async () => ((await newest())?.status?.phase === phase ? newest() : undefined),
    TIMEOUT_MS,
  );

for (const [index, { name, steps, variables }] of [gitlab(), jenkins(), github()].entries()) {
  t.test(name, async (t) => {
    const run = (step: keyof Recipe['steps'], more: Record<string, string> = {}) =>
      shell(steps[step], { ...connected, ...variables, ...more });
    const good = `app:good-${index}`;

    await t.test('applied, followed, promoted by somebody: green', async (t) => {
      t.match(await run('apply', { IMAGE: good }), {
        code: 0,
        out: /daemonset.apps\/app (created|configured)/,
      });
      if (index === 0) {
        t.match(await run('follow'), { code: 0, out: /first revision/ });
        await Promise.all(fleet.devices.map((device) => device.runs(good)));
        return;
      }
      const followed = run('follow');
      await awaiting('AwaitingApproval');
      t.match(await run('promote'), { code: 0 });
      t.match(await followed, { code: 0, out: /Succeeded/ });
      t.match((await newest())?.spec.actions?.at(-1), {
        type: 'promote',
        by: 'system:serviceaccount:shop:pipeline',
      });
      await Promise.all(fleet.devices.map((device) => device.runs(good)));
    });

    await t.test('a gate fails: red, and undone', async (t) => {
      t.match(await run('apply', { IMAGE: `app:${index}-bad` }), { code: 0 });
      t.match(await run('follow'), { code: 1, out: /gate health/ });
      t.match(await run('undo'), { code: 0 });
      const back = await until(
        'it is undone',
        async () => {
          const found = await newest();
          return found?.spec.type === 'undo' && found.status?.phase === 'Succeeded' ? found : undefined;
        },
        TIMEOUT_MS,
      );
      t.equal(back.spec.type, 'undo');
      await Promise.all(fleet.devices.map((device) => device.runs(good)));
      t.match(await run('undo'), { code: 1, err: /--to/ }, 'there is nothing more to undo');
    });

    await t.test('the time is over', async (t) => {
      t.match(await run('apply', { IMAGE: `app:${index}-slow` }), { code: 0 });
      t.match(await run('follow', { ROLLOUT_TIMEOUT: '2s' }), { code: 2, err: /timed out after 2s/ });
      t.match(await run('undo'), { code: 0 });
      await until('it is undone', async () => (await newest())?.spec.type === 'undo', TIMEOUT_MS);
    });

    await t.test('what the hub refuses stops the pipeline with the field', async (t) => {
      const refused = await run('apply', { IMAGE: '' });
      t.match(refused, { err: /spec\.template\.spec\.containers\[0\]\.image/ });
      t.not(refused.code, 0);
    });
  });
}

t.test('the account may nothing else', async (t) => {
  const as = (line: string) => shell(`. deploy/connect.sh; kubectl ${line}`, connected);
  const forbidden = [
    'get secrets',
    'get configmaps',
    'get pods',
    'get nodes',
    'get daemonsets',
    'get daemonset other',
    'delete daemonset app',
    'delete rollouts --all',
    'delete rolloutpolicy careful',
    'get deviceupdates',
    'patch rolloutpolicy careful --type=merge -p {"spec":{"onFail":"continue"}}',
    'create role more --verb=* --resource=*',
    'create token pipeline',
    'get rollouts -n default',
    'get namespaces',
    'logs app',
  ];
  for (const line of forbidden)
    t.match(await as(line.replace(/\{.*\}/, "'$&'")), { code: 1, err: /[Ff]orbidden/ }, line);
  t.match(await as('get daemonset app'), { code: 0 });
  t.match(await as('get rollouts'), { code: 0 });
});

t.test('a token that is none, and a hub that is not the one', async (t) => {
  const line = '. deploy/connect.sh; holdfast rollout list';
  t.match(await shell(line, { ...connected, HOLDFAST_TOKEN: 'none' }), { code: 1, err: /401|Unauthorized/ });
  const other = join(work, 'other.pem');
  const { out } = await shell(
    'openssl req -x509 -newkey ed25519 -nodes -subj /CN=other -days 1 -keyout /dev/null',
    {},
  );
  writeFileSync(other, out);
  t.match(await shell(line, { ...connected, HOLDFAST_CA: other }), { code: 1, err: /certificate/ });
});
