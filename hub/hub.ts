import { renameSync, statfsSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import type { EnrolResponse } from '../proto/gen/holdfast/v1/enrolment_pb.ts';
import { makeDirectory } from '../proto/make-directory.ts';
import { openAccess } from './access.ts';
import { openPolicies } from './admission/open-policies.ts';
import type { Access } from './api/access.ts';
import { ManifestWriter } from './api/manifest-writer.ts';
import { ApiServer } from './api/server.ts';
import { podToken } from './authentication/pod-tokens.ts';
import { bootstrapObjects } from './bootstrap-objects.ts';
import { advertisedAddress, type HubConfig, ownHosts } from './config.ts';
import { startApiService } from './controllers/api-service/api-service.ts';
import { GitPushes } from './controllers/git-source/git-pushes.ts';
import { NodeConnections } from './controllers/node-health/node-liveness.ts';
import { forgetDecisions } from './controllers/rollout/replaced-device.ts';
import { startControllers } from './controllers/start-controllers.ts';
import { CustomResources } from './custom-resources/custom-resources.ts';
import { Dispatcher } from './dispatch/dispatcher.ts';
import { gitHooks } from './hooks/git-hooks.ts';
import { DeviceServer } from './images/device-server.ts';
import { ImageStore } from './images/image-store.ts';
import { SitePeers } from './images/peers.ts';
import { answerPull } from './images/registry-paths.ts';
import { GrpcServer } from './link/grpc-server.ts';
import { JoinRequests } from './link/join-requests.ts';
import { LinkHandler } from './link/link-handler.ts';
import { MirrorPods } from './link/mirror-pods.ts';
import { MqttBroker } from './link/mqtt-broker.ts';
import { MqttServer } from './link/mqtt-server.ts';
import { NodeRegistration } from './link/node-registration.ts';
import { NodeStreams } from './link/node-streams.ts';
import { NodeUsages } from './link/node-usages.ts';
import { Sessions } from './link/sessions.ts';
import { StatusIntake } from './link/status-intake.ts';
import type { Logger } from './log.ts';
import { agentPackages } from './packages/agent-packages.ts';
import { devicePaths } from './packages/device-paths.ts';
import { PackageStore } from './packages/package-store.ts';
import { StoreRegistry } from './registry/store-registry.ts';
import { trackFields } from './registry/track-fields.ts';
import { readinessOf } from './resources/node-matching.ts';
import type { KubeObject } from './resources/object.ts';
import { nodes, pods, resources } from './resources/table-of-resources.ts';
import type { NodeObject } from './resources/typed.ts';
import { signRequest } from './security/certificate-signer.ts';
import { clientPair, type HubKeys, loadHubKeys } from './security/hub-keys.ts';
import { JOIN_SIGNER } from './security/join-approval.ts';
import { kubeconfig } from './security/kubeconfig.ts';
import {
  holderOf,
  isRevoked,
  NODES_GROUP,
  nodeOfUser,
  sealingKeyOf,
  userOfNode,
} from './security/node-identity.ts';
import { startCompaction } from './store/compaction.ts';
import { SqliteStore } from './store/sqlite-store.ts';
import { AuditLog } from './telemetry/audit-log.ts';
import { HubMetrics } from './telemetry/metrics.ts';
import { hubVersion } from './version.ts';

/** Grows when a hub is restored from a backup, which is not done yet. */
const EPOCH = 1n;
/** With less than that on the disk, the hub is not ready: SQLite needs room for its log. */
const LEAST_FREE_BYTES = 1024 * 1024;

/** Nodes with the same value share a network. */
const SITE_LABEL = 'topology.holdfast.dev/site';

/** Who manages the fields of what comes from a repository. */
const GIT_MANAGER = 'holdfast-git';

/** The ports that a hub listens on: those of its configuration, or free ones where that says 0. */
export interface HubPorts {
  readonly api: number;
  readonly grpc: number;
  readonly mqtt: number;
}

export interface RunningHub {
  readonly ports: HubPorts;
  /** Takes over the settings that reload; the audit log's file is opened anew. Throws, and then all is as it was. */
  reload(config: HubConfig): void;
  /** Ends what is under way and lets go of the database. */
  close(): Promise<void>;
}

/** Starts a hub: builds its parts in the order of the data flow and joins them. Rejects with what to do about it. */
export async function startHub(config: HubConfig, log: Logger): Promise<RunningHub> {
  makeDirectory(config.dataDir, 'data-dir');
  const store = SqliteStore.open(join(config.dataDir, 'hub.db')); // first: nobody else has the directory then
  const keys = await loadHubKeys(config.dataDir, [...ownHosts(config.bind), ...config.hosts]);
  const stopCompaction = startCompaction(store);
  const registry = new StoreRegistry({ store, definitions: resources, trackFields });
  const customResources = new CustomResources(registry);
  const access = await openAccess({ registry, tokenKey: keys.accountKey });
  const gateServers = new Set(config.gateServers);
  const policies = openPolicies(registry, {
    serviceRanges: config.serviceRanges,
    gateServers,
    authorize: (user, question) => access.authorizer.authorize(user, question),
  });
  await bootstrapObjects(registry);

  const tls = { ...keys.server, ca: keys.ca.certificate };
  const sessions = new Sessions();
  const mirrors = new MirrorPods({
    registry,
    check: (node, object) => checkMirror(access, node, object),
    log: log.child({ part: 'status' }),
  });
  const streams = new NodeStreams(sessions, (pod) => mirrors.deviceUidOf(pod));
  const usages = new NodeUsages({
    sessions,
    ask: (node, signal) => streams.stats(node, signal),
    objectUid: (node, podUid) => mirrors.objectUidOf(node, podUid),
    now: Date.now,
    log: log.child({ part: 'link' }),
  });
  const requests = new JoinRequests({ registry });
  const registration = new NodeRegistration({
    registry,
    ca: keys.ca,
    requests,
    now: Date.now,
    onReplacing: (node) => forgetDecisions(registry, node),
    onReplaced: (node) => {
      sessions.dismiss(node, 'another device has taken the place of this one');
      broker.endIfStranger(node);
      dispatcher.nodeReplaced(node);
    },
  });
  const served: { port: number | undefined } = { port: undefined };
  const dispatcher = new Dispatcher({
    registry,
    store,
    cluster: keys.cluster,
    epoch: EPOCH,
    apiPort: () => served.port ?? config.apiPort,
    signingKey: keys.snapshotKey,
    send: (node, snapshot) => {
      const session = sessions.get(node);
      if (session?.transport === 'grpc') session.offer(snapshot);
      mqttServer.publishDesired(node, snapshot);
    },
    log: log.child({ part: 'dispatch' }),
  });
  const connections = new NodeConnections();
  sessions.onChange((node, session) => {
    if (session) {
      connections.connected(node);
      return;
    }
    log.info({ node }, 'node disconnected');
    connections.disconnected(node);
    dispatcher.nodeGone(node);
  });
  const handler = new LinkHandler({
    sessions,
    registration,
    status: new StatusIntake(registry, mirrors, log.child({ part: 'status' })),
    streams,
    tokenOf: (node, request) => podToken(registry, access.accountTokens, node, request),
    sealingKeyOf: (node) => sealingKeyOf(registry.get(nodes, undefined, node)),
    onHeld: (node, held) => dispatcher.nodeHolds(node, held),
    hubVersion: hubVersion(),
    log: log.child({ part: 'link' }),
  });

  const isDeviceOf = (node: string, keyHash: string) => registration.isDeviceOf(node, keyHash);
  const broker = new MqttBroker({
    cluster: keys.cluster,
    tls,
    isDeviceOf,
    log: log.child({ part: 'broker' }),
  });
  const mqttPort = await listening('MQTT', config.mqttPort, broker.listen(config.bind, config.mqttPort));
  const mqttServer = new MqttServer({
    cluster: keys.cluster,
    broker: { host: loopbackOf(config.bind), port: mqttPort },
    ca: keys.ca.certificate,
    pair: keys.brokerClient,
    handler,
    sessions,
    log: log.child({ part: 'link' }),
  });
  await mqttServer.start();
  const images = new ImageStore(config.dataDir);
  const peers = new SitePeers({
    find: (name) => {
      const node = registry.get(nodes, undefined, name) as NodeObject | undefined;
      return (
        node && {
          site: node.metadata.labels?.[SITE_LABEL],
          address: node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address,
          isReady: readinessOf(node) === 'True',
        }
      );
    },
    random: Math.random,
  });
  const deviceServer = new DeviceServer({
    nodeOf: (certificate) => {
      const { user, keyHash } = holderOf(certificate);
      const node = nodeOfUser(user);
      return node !== undefined && isDeviceOf(node, keyHash) ? node : undefined;
    },
    answer: (node, request, response) => answerPull({ store: images, peers }, node, request, response),
    log: log.child({ part: 'images' }),
  });
  const grpcServer = new GrpcServer({
    tls,
    onHttp: (socket) => deviceServer.accept(socket),
    handler,
    sessions,
    isDeviceOf,
    enrol: async (request) => {
      const enrolled = await registration.enrol(request);
      return 'pending' in enrolled ? pending(enrolled.pending) : answer(enrolled.certificate, keys, mqttPort);
    },
    awaitApproval: async (request, signal) =>
      answer(await registration.awaitApproval(request, signal), keys, mqttPort),
    log: log.child({ part: 'link' }),
  });
  const grpcPort = await listening('gRPC', config.grpcPort, grpcServer.listen(config.bind, config.grpcPort));

  const stopDismissing = registry.watch(nodes, { fromRevision: registry.revision }, (event) => {
    if (event.type === 'SYNCED') return;
    const { name = '' } = event.object.metadata;
    if (event.type === 'DELETED') sessions.dismiss(name, 'the Node of this device was deleted');
    else if (isRevoked(event.object)) {
      sessions.dismiss(name, 'the access of this device was revoked');
      broker.endIfStranger(name);
    }
  });
  dispatcher.start();
  mirrors.start();
  const metrics = new HubMetrics({
    registry,
    connections: () => sessions.counts(),
    version: hubVersion(),
  });
  const audit = new AuditLog(config.auditLog, (error) =>
    log.error({ err: error }, 'the audit log can not be written'),
  );
  const observers = [metrics.requests, audit];
  const pushes = new GitPushes();
  const packages = new PackageStore(config.dataDir);
  const controllers = startControllers({
    registry,
    log: log.child({ part: 'controllers' }),
    liveness: connections,
    quotas: policies.quotas,
    nodeMonitorGracePeriodMs: config.nodeGraceSeconds * 1000,
    gates: { usageOf: (node, sinceMs) => usages.of(node, sinceMs), servers: gateServers },
    identities: {
      rootCertificate: keys.ca.certificate,
      issue: (account, secret) => access.accountTokens.issueLegacy(account, secret),
      sign: (spec) =>
        spec.signerName === JOIN_SIGNER
          ? registration.admit(spec)
          : signRequest({ registry, ca: keys.ca }, spec),
    },
    git: {
      writer: new ManifestWriter({ registry, access, fieldManager: GIT_MANAGER, observers }),
      pushes,
      directory: join(config.dataDir, 'git'),
    },
    packages: {
      packagesOf: (version, arch) => agentPackages(packages, version, arch),
      port: () => served.port,
    },
  });
  const hooks = gitHooks({ registry, pushes, now: Date.now });
  const forDevices = devicePaths({
    ca: keys.ca,
    packages,
    ownAddress: () => `${advertisedAddress(config.bind) ?? hostname()}:${apiPort}`,
    grpcPort,
    onError: (error) => log.error({ err: error }, 'a request of a device failed'),
  });
  const api = new ApiServer({
    registry,
    access,
    tls,
    streams,
    usage: (node) => usages.of(node),
    metrics,
    observers,
    otherPaths: (request, response) => hooks(request, response) || forDevices(request, response),
    health: { store: () => hasRoom(config.dataDir) },
    onError: (error, id) => log.error({ err: error, id }, 'a request failed'),
  });
  const apiPort = await listening('the API', config.apiPort, api.listen(config.apiPort, config.bind));
  const apiService = startApiService(
    { registry, log: log.child({ part: 'controllers' }) },
    {
      clusterAddress: policies.addresses.firstAddress,
      address: advertisedAddress(config.bind),
      port: apiPort,
    },
  );
  served.port = apiPort;
  await writeKubeconfig(config, keys, apiPort);
  log.info({ api: apiPort, grpc: grpcPort, mqtt: mqttPort, version: hubVersion() }, 'the hub is ready');

  return {
    ports: { api: apiPort, grpc: grpcPort, mqtt: mqttPort },
    reload: (next) => {
      audit.open(next.auditLog);
      gateServers.clear();
      for (const server of next.gateServers) gateServers.add(server);
    },
    close: async () => {
      await api.close();
      await apiService.stop();
      await controllers.stop();
      audit.close();
      await dispatcher.stop();
      await mirrors.stop();
      policies.close();
      customResources.close();
      stopDismissing();
      sessions.closeAll();
      requests.close();
      grpcServer.close();
      deviceServer.close();
      await mqttServer.close();
      await broker.close();
      stopCompaction();
      registry.close();
      store.close();
    },
  };
}

/** A device may show no more of its pods than it could create through the API. */
function checkMirror(access: Access, node: string, object: KubeObject): void {
  const { namespace = '', name = '' } = object.metadata;
  const user = { name: userOfNode(node), groups: [NODES_GROUP], uid: '', extra: {} };
  access.checkWrite({ operation: 'CREATE', user, resource: pods, namespace, name, object });
}

type EnrolAnswer = Omit<EnrolResponse, '$typeName'>;

function answer(certificate: string, keys: HubKeys, mqttPort: number): EnrolAnswer {
  const { ca, cluster, snapshotPublicKey: snapshotKey } = keys;
  return { certificate, caCertificate: ca.certificate, cluster, snapshotKey, mqttPort, pending: '' };
}

/** Nothing of the hub is told to a device that nobody has approved. */
function pending(request: string): EnrolAnswer {
  return {
    certificate: '',
    caCertificate: '',
    cluster: '',
    snapshotKey: new Uint8Array(),
    mqttPort: 0,
    pending: request,
  };
}

/** The administrator's, with a new certificate at each start: nothing else on this machine needs to be kept for it. */
async function writeKubeconfig(config: HubConfig, keys: HubKeys, apiPort: number): Promise<void> {
  const pair = await clientPair(keys.ca, 'admin', ['system:masters']);
  const text = kubeconfig(
    `https://${loopbackOf(config.bind)}:${apiPort}`,
    keys.ca.certificate,
    'admin',
    pair,
  );
  makeDirectory(dirname(config.kubeconfig), 'write-kubeconfig');
  writeFileSync(`${config.kubeconfig}.tmp`, text, { mode: 0o600 });
  renameSync(`${config.kubeconfig}.tmp`, config.kubeconfig);
}

/** Whether a write would find a place on the disk. */
function hasRoom(directory: string): boolean {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize >= LEAST_FREE_BYTES;
}

/** Where this machine itself reaches a server that is bound to `bind`. */
function loopbackOf(bind: string): string {
  return bind === '0.0.0.0' || bind === '::' ? '127.0.0.1' : bind;
}

async function listening(what: string, port: number, listen: Promise<number>): Promise<number> {
  try {
    return await listen;
  } catch (error) {
    throw new Error(`listen on port ${port} for ${what}: is another program using it?`, { cause: error });
  }
}
