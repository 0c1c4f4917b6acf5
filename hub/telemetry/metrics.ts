import { collectDefaultMetrics, Gauge, Registry as Metrics } from 'prom-client';
import type { Registry } from '../registry/registry.ts';
import { RequestMetrics } from './request-metrics.ts';

/** A timer that is due: every 10 ms, the default, would be most of what an idle hub does. */
const LAG_PRECISION_MS = 1_000;

export interface MetricsOptions {
  readonly registry: Registry;
  /** Devices that are connected now, by transport. */
  readonly connections: () => ReadonlyMap<string, number>;
  readonly version: string;
}

/** What `/metrics` tells, in Prometheus' text format. */
export class HubMetrics {
  readonly requests: RequestMetrics;
  readonly contentType: string;
  readonly #metrics = new Metrics();

  constructor({ registry, connections, version }: MetricsOptions) {
    const registers = [this.#metrics];
    this.contentType = this.#metrics.contentType;
    this.requests = new RequestMetrics(this.#metrics);
    collectDefaultMetrics({ register: this.#metrics, eventLoopMonitoringPrecision: LAG_PRECISION_MS });
    new Gauge({
      name: 'apiserver_storage_objects',
      help: 'Stored objects, by kind.',
      labelNames: ['resource'],
      registers,
      collect() {
        this.reset();
        for (const resource of registry.definitions) {
          const { group, plural } = resource;
          this.set({ resource: group ? `${plural}.${group}` : plural }, registry.count(resource));
        }
      },
    });
    new Gauge({
      name: 'holdfast_connected_nodes',
      help: 'Devices that are connected, by transport.',
      labelNames: ['transport'],
      registers,
      collect() {
        this.reset();
        for (const [transport, count] of connections()) this.set({ transport }, count);
      },
    });
    new Gauge({
      name: 'kubernetes_build_info',
      help: 'The version of the Kubernetes API that is served, and of the hub.',
      labelNames: ['git_version', 'hub_version'],
      registers,
    }).set({ git_version: 'v1.34.1', hub_version: version }, 1);
  }

  text(): Promise<string> {
    return this.#metrics.metrics();
  }
}
