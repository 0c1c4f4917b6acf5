import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { monotonicMs } from '../../../agent/monotonic.ts';
import { Probes } from '../../../agent/pod/probes.ts';
import { EventRecorder } from '../../../agent/reconcile/event-recorder.ts';
import { PodEvents } from '../../../agent/reconcile/pod-events.ts';
import { until } from '../../support/until.ts';
import { container, makePod, observed } from '../builders.ts';

t.test('a probe that is led elsewhere has succeeded, and is told as a warning', async (t) => {
  const server = createServer(({ url }, response) =>
    url === '/elsewhere'
      ? response.writeHead(302, { location: 'http://elsewhere.invalid/' }).end('see there')
      : response.writeHead(503).end(),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const readinessProbe = { httpGet: { path: '/elsewhere', port }, periodSeconds: 1 };
  const livenessProbe = { httpGet: { path: '/broken', port }, periodSeconds: 1 };
  const pod = makePod({ containers: [container('main', { readinessProbe, livenessProbe })] });
  const [spec] = pod.spec.containers;
  const running = observed(pod);
  const recorder = new EventRecorder(Date.now, () => {});
  const events = new PodEvents(recorder, { pods: new Map([[pod.metadata.uid, pod]]) });
  const probes = new Probes({
    runtime: { exec: () => Promise.reject(new Error('no command is probed')) },
    monotonicMs,
    onChange: () => {},
    onFailure: (_, kind, why) => events.probeFailed(running, kind, why),
    onWarning: (_, kind, text) => events.probeWarned(running, kind, text),
  });
  t.teardown(() => {
    probes.close();
    server.close();
    server.closeAllConnections();
  });
  if (spec) probes.watch({ id: running.id, container: spec, ip: '127.0.0.1' });
  await until('it is ready', () => probes.health(running.id).ready);
  const told: string[] = [];
  await until('both are told', () => {
    told.push(...recorder.take().events.map(({ type, reason, message }) => `${type} ${reason} ${message}`));
    return told.length >= 2;
  });
  t.same(told.sort(), [
    'Warning ProbeWarning Readiness probe warning: Probe terminated redirects, Response body: see there',
    'Warning Unhealthy Liveness probe failed: it answered with status 503',
  ]);
});
