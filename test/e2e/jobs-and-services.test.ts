import t from 'tap';
import { Engine } from '../support/engine.ts';
import { appImage, makeAppImages } from '../support/images.ts';
import { shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* Jobs, CronJobs and Services with the real kubectl, on a hub and a device. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const stand = new Stand(engine, 'mqtt', 'device-jobs');
t.teardown(() => stand.close());
await makeAppImages(engine, [1]);
await stand.start();

const kubectl = async (...args: string[]) => (await stand.kubectl(...args)).trim();
const wait = (condition: string, name: string) =>
  kubectl('wait', `--for=condition=${condition}`, name, '--timeout=50s');
const field = (name: string, path: string) => kubectl('get', name, '-o', `jsonpath={${path}}`);

function jobOf(name: string, script: string, spec: object = {}, pod: object = {}): object {
  const containers = [{ name: 'main', image: appImage(1), command: shell(script) }];
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: 'default' },
    spec: { ...spec, template: { spec: { restartPolicy: 'Never', containers, ...pod } } },
  };
}

t.test('a Job, from its creation to its end', async (t) => {
  t.equal(
    await kubectl('create', 'job', 'hello', `--image=${appImage(1)}`, '--', 'echo', 'done'),
    'job.batch/hello created',
  );
  t.equal(await wait('complete', 'job/hello'), 'job.batch/hello condition met');
  t.equal(await kubectl('logs', 'job/hello'), 'done');
  const [, line = ''] = (await kubectl('get', 'jobs')).split('\n');
  t.match(line, /^hello +Complete +1\/1 +\d+s +\d+s$/);
  const described = await kubectl('describe', 'job', 'hello');
  t.match(described, /Pods Statuses: +0 Active \(0 Ready\) \/ 1 Succeeded \/ 0 Failed/);
  t.match(described, /Normal +SuccessfulCreate .* job-controller +Created pod: hello-/);
  t.match(described, /Normal +Completed .* Job completed/);
  t.equal(await kubectl('delete', 'job', 'hello'), 'job.batch "hello" deleted from default namespace');
  await kubectl('wait', '--for=delete', 'pod', '-l', 'job-name=hello', '--timeout=60s');
});

t.test('its indexes, in the environment of each', async (t) => {
  const spec = { completions: 3, parallelism: 3, completionMode: 'Indexed' };
  await stand.apply(jobOf('each', 'echo index $JOB_COMPLETION_INDEX', spec));
  await wait('complete', 'job/each');
  t.equal(await field('job/each', '.status.completedIndexes'), '0-2');
  const said = await kubectl('logs', '-l', 'job-name=each');
  t.same(said.split('\n').sort(), ['index 0', 'index 1', 'index 2']);
});

t.test('a container that fails is started again where it is', async (t) => {
  const pod = { restartPolicy: 'OnFailure', volumes: [{ name: 'ctl', emptyDir: {} }] };
  const job = jobOf('again', 'test -f /ctl/tried && exit 0; touch /ctl/tried; exit 1', {}, pod) as {
    spec: { template: { spec: { containers: object[] } } };
  };
  Object.assign(job.spec.template.spec.containers[0] ?? {}, {
    volumeMounts: [{ name: 'ctl', mountPath: '/ctl' }],
  });
  await stand.apply(job);
  await wait('complete', 'job/again');
  t.equal(await field('job/again', '.status.failed'), '', 'no pod has failed');
  t.equal(
    await kubectl(
      'get',
      'pod',
      '-l',
      'job-name=again',
      '-o',
      'jsonpath={.items[*].status.containerStatuses[0].restartCount}',
    ),
    '1',
  );
});

t.test('one that fails for good', async (t) => {
  await stand.apply(jobOf('bad', 'exit 3', { backoffLimit: 0 }));
  t.equal(await wait('failed', 'job/bad'), 'job.batch/bad condition met');
  t.equal(await field('job/bad', '.status.conditions[?(@.type=="Failed")].reason'), 'BackoffLimitExceeded');
  t.equal(await field('job/bad', '.status.failed'), '1');
});

t.test('a CronJob, and a Job of it by hand', async (t) => {
  await kubectl(
    'create',
    'cronjob',
    'tick',
    `--image=${appImage(1)}`,
    '--schedule=0 0 29 2 *',
    '--',
    'echo',
    'tock',
  );
  t.match(await kubectl('get', 'cronjobs'), /^tick +0 0 29 2 \* +<none> +False +0 +<none>/m);
  await kubectl('create', 'job', 'by-hand', '--from=cronjob/tick');
  await wait('complete', 'job/by-hand');
  t.equal(await kubectl('logs', 'job/by-hand'), 'tock');
  await until('the CronJob knows of it', () => field('cronjob/tick', '.status.lastSuccessfulTime'));
  await kubectl('delete', 'cronjob', 'tick');
  await kubectl('wait', '--for=delete', 'job/by-hand', '--timeout=60s');
});

t.test('it ends while the hub is away, and is counted when it is back', async (t) => {
  await stand.apply(jobOf('alone', 'sleep 3'));
  await until('it runs', async () => (await field('job/alone', '.status.ready')) === '1');
  await stand.hub.end('SIGKILL');
  await stand.startHub();
  await wait('complete', 'job/alone');
  t.equal(await field('job/alone', '.status.succeeded'), '1');
});

t.test('Services: addresses, ports and where their pods are', async (t) => {
  t.match(await kubectl('get', 'svc'), /^kubernetes +ClusterIP +10\.96\.0\.1 +<none> +443\/TCP/m);
  await stand.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'main',
          image: appImage(1),
          command: shell('httpd -f -p 80 -h /www'),
          ports: [{ containerPort: 80 }],
        },
      ],
    },
  });
  await kubectl('expose', 'pod', 'web', '--type=NodePort');
  await kubectl('wait', '--for=condition=ready', 'pod/web', '--timeout=50s');
  t.match(await kubectl('get', 'svc', 'web'), /^web +NodePort +10\.96\.\d+\.\d+ +<none> +80:3\d{4}\/TCP/m);
  const address = await field('pod/web', '.status.podIP');
  await until('its endpoint is told', async () =>
    (await kubectl('describe', 'svc', 'web')).includes(`Endpoints:                ${address}:80`),
  );
  t.match(
    await kubectl('get', 'endpointslices', '-l', 'kubernetes.io/service-name=web'),
    new RegExp(`IPv4 +80 +${address}`),
  );
  t.match(await kubectl('get', 'endpoints', 'web'), new RegExp(`^web +${address}:80`, 'm'));
  await kubectl('delete', 'svc,pod', 'web');
});
