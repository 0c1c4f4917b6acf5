import { join } from 'node:path';

/** The repository. */
export const ROOT = join(import.meta.dirname, '..');

const HOME = join(ROOT, '.holdfast');

/** Everything that `npm start` leaves on this machine outside the container engine. */
export const files = {
  home: HOME,
  hubData: join(HOME, 'hub'),
  agentData: join(HOME, 'agent'),
  run: join(HOME, 'run'),
  bin: join(HOME, 'bin'),
  cache: join(HOME, 'cache'),
  kubeconfig: join(HOME, 'kubeconfig.yaml'),
  ports: join(HOME, 'ports.json'),
  hubSettings: join(HOME, 'hub.yaml'),
  /** The agent's name; there once it has joined. */
  node: join(HOME, 'node'),
  /** There once the example was applied: what a user does to it afterwards is theirs. */
  applied: join(HOME, 'example-applied'),
  token: join(HOME, 'join-token'),
  hubPid: join(HOME, 'hub.pid'),
  agentPid: join(HOME, 'agent.pid'),
  enginePid: join(HOME, 'dockerd.pid'),
  hubLog: join(HOME, 'hub.log'),
  agentLog: join(HOME, 'agent.log'),
  engineLog: join(HOME, 'dockerd.log'),
} as const;
