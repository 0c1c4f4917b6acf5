import type { ServiceSpec } from 'kubernetes-types/core/v1.d.ts';
import type { Registry } from '../../registry/registry.ts';
import { apiVersionOf, type ResourceDefinition } from '../../resources/definition.ts';
import { type KubeObject, objectKey } from '../../resources/object.ts';
import { endpointSlices, services } from '../../resources/table-of-resources.ts';
import {
  type ControllerContext,
  type RunningController,
  startController,
  unlessGone,
} from '../controller.ts';

const NAMESPACE = 'default';
const NAME = 'kubernetes';
const SOURCE = 'kube-apiserver';
const HTTPS = 443;

export interface ApiServiceOptions {
  /** The Service's own: the first that there is. */
  readonly clusterAddress: string;
  /** Where the API really is, as far as the hub knows an address that others can use. */
  readonly address: string | undefined;
  readonly port: number;
}

/** Keeps `default/kubernetes`, by which clients, and charts, know that they speak to a cluster. */
export function startApiService(
  context: Pick<ControllerContext, 'registry' | 'log'>,
  { clusterAddress, address, port }: ApiServiceOptions,
): RunningController {
  const wanted = [
    { resource: services, object: serviceOf(clusterAddress, port) },
    { resource: endpointSlices, object: address === undefined ? undefined : sliceOf(address, port) },
  ];
  const key = `${NAMESPACE}/${NAME}`;
  const controller = startController(context, {
    name: 'api-service',
    watches: wanted.map(({ resource }) => ({
      resource,
      keys: ({ object }) => (objectKey(object) === key ? [key] : []),
    })),
    sync: async () => {
      for (const { resource, object } of wanted) await unlessGone(keep(context.registry, resource, object));
      return undefined;
    },
  });
  controller.add(key);
  return controller;
}

/** Without an object, there is to be none. */
async function keep(
  registry: Registry,
  resource: ResourceDefinition,
  object: KubeObject | undefined,
): Promise<void> {
  if (object)
    await registry.modify(resource, NAMESPACE, NAME, (current) => restored(current, object), {
      fieldManager: SOURCE,
    });
  else if (registry.get(resource, NAMESPACE, NAME)) await registry.delete(resource, NAMESPACE, NAME, {});
}

/** What somebody added (labels, a traffic policy) is left alone, as is the address that it once got. */
function restored(current: KubeObject | undefined, wanted: KubeObject): KubeObject {
  if (!current) return wanted;
  if (!wanted.spec) return { ...current, endpoints: wanted['endpoints'], ports: wanted['ports'] };
  const { ports, type } = wanted.spec as ServiceSpec;
  return { ...current, spec: { ...(current.spec as ServiceSpec), ports, type } };
}

function serviceOf(clusterAddress: string, port: number): KubeObject {
  return {
    apiVersion: apiVersionOf(services),
    kind: services.kind,
    metadata: {
      name: NAME,
      namespace: NAMESPACE,
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: clusterAddress,
      clusterIPs: [clusterAddress],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'https', port: HTTPS, protocol: 'TCP', targetPort: port }],
    },
  };
}

function sliceOf(address: string, port: number): KubeObject {
  return {
    apiVersion: apiVersionOf(endpointSlices),
    kind: endpointSlices.kind,
    metadata: { name: NAME, namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': NAME } },
    addressType: address.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  };
}
