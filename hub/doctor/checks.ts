import { type Finding, ok, problem, warning } from '../../proto/diagnosis.ts';

/* What is known of a hub's machine, and what is to be said of it. Pure: survey.ts is what looks. */

/** One of the hub's ports, and who has it. */
export interface PortFacts {
  readonly name: 'API' | 'gRPC' | 'MQTT';
  readonly port: number;
  /** `hub`: this hub answers; `stranger`: somebody else does; `free`: nobody; `forbidden`: not ours to open. */
  readonly holder: 'hub' | 'stranger' | 'free' | 'forbidden';
  readonly error?: string;
}

export interface HubFacts {
  readonly nowMs: number;
  /** What is wrong with the settings. */
  readonly settingsError?: string;
  readonly dataDir: {
    readonly path: string;
    /** Why it can not be used. */
    readonly error?: string;
    readonly freeBytes?: number;
    readonly totalBytes?: number;
    /** Files that others than their owner may read, and must not. */
    readonly exposed: readonly string[];
  };
  /** Undefined until a hub has been here. */
  readonly ca?: { readonly fromMs: number; readonly untilMs: number };
  readonly ports: readonly PortFacts[];
  /** Names that the certificate of the running hub does not have, and this machine or the settings do. */
  readonly missingNames: readonly string[];
  readonly isClockSynchronised?: boolean;
  /** Of git, which followed repositories need. */
  readonly gitVersion?: string;
  /** How many files and connections a process may have open. */
  readonly openFiles: number;
  readonly memoryBytes: number;
}

const MIB = 1024 * 1024;
const LEAST_FREE_BYTES = 500 * MIB;
const LEAST_MEMORY_BYTES = 256 * MIB;
/** What is not for devices: database, logs, connections of operators. */
const OWN_FILES = 200;
const SOON_MS = 90 * 86_400_000;

export function checkHub(facts: HubFacts): Finding[] {
  return [
    facts.settingsError
      ? problem('settings', facts.settingsError, 'correct them; "holdfast config check" looks again')
      : ok('settings', 'right'),
    ...dataDirectory(facts),
    certificates(facts),
    ...facts.ports.map(portFinding),
    names(facts),
    clock(facts),
    openFiles(facts),
    memory(facts),
    facts.gitVersion
      ? ok('git', facts.gitVersion)
      : warning('git', 'it is not installed', 'GitSources need it: install the package "git"'),
  ];
}

function dataDirectory({ dataDir }: HubFacts): Finding[] {
  const { path, error, freeBytes = 0, totalBytes = 0, exposed } = dataDir;
  if (error)
    return [
      problem(
        'data',
        `"${path}": ${error}`,
        'run this as the user of the hub, and see whose the directory is',
      ),
    ];
  const room = `"${path}" has ${mebibytes(freeBytes)} free of ${mebibytes(totalBytes)}`;
  const space =
    freeBytes < LEAST_FREE_BYTES
      ? problem('data', room, 'make room: a hub without any refuses all writes')
      : ok('data', room);
  if (exposed.length === 0) return [space];
  return [
    space,
    problem('secrets', `others may read ${exposed.join(', ')}`, `chmod go-rwx ${exposed.join(' ')}`),
  ];
}

function certificates({ ca, nowMs }: HubFacts): Finding {
  if (!ca) return ok('CA', 'made when the hub starts for the first time');
  const until = new Date(ca.untilMs).toISOString().slice(0, 10);
  if (nowMs < ca.fromMs)
    return problem(
      'CA',
      'it is younger than what the clock says',
      'set the clock: nobody trusts the hub before',
    );
  if (ca.untilMs < nowMs + SOON_MS)
    return problem(
      'CA',
      `good until ${until}`,
      'plan a new hub: devices trust this CA alone, and have to join anew',
    );
  return ok('CA', `good until ${until}`);
}

function portFinding({ name, port, holder, error = '' }: PortFacts): Finding {
  const check = `port ${port}`;
  switch (holder) {
    case 'hub':
      return ok(check, `${name}: this hub answers`);
    case 'free':
      return warning(check, `${name}: nobody listens`, 'start the hub: "systemctl start holdfast-hub"');
    case 'forbidden':
      return problem(check, `${name}: ${error}`, 'ports below 1024 need root, or CAP_NET_BIND_SERVICE');
    case 'stranger':
      return problem(
        check,
        `${name}: another program has it${error && `: ${error}`}`,
        `see who ("ss -ltnp"), or give the hub another: --${name.toLowerCase()}-port`,
      );
  }
}

function names({ missingNames, ports }: HubFacts): Finding {
  if (!ports.some(({ holder }) => holder === 'hub'))
    return ok('names', 'in its certificate once the hub runs');
  if (missingNames.length === 0) return ok('names', 'the certificate has all of this machine');
  return warning(
    'names',
    `the certificate lacks ${missingNames.join(', ')}`,
    'restart the hub: it makes a new certificate at each start',
  );
}

function clock({ nowMs, isClockSynchronised }: HubFacts): Finding {
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  return isClockSynchronised === false
    ? warning('clock', `${now}, and no time server sets it`, 'start one: systemd-timesyncd, chrony, ntpd')
    : ok('clock', `${now}${isClockSynchronised ? ', set by a time server' : ''}`);
}

function openFiles({ openFiles: most }: HubFacts): Finding {
  const devices = Math.max(0, most - OWN_FILES);
  const told = `${most} at once: enough for about ${devices} devices`;
  return most < 4096
    ? warning('files', told, 'raise the limit: "LimitNOFILE=" of the unit, or "ulimit -n"')
    : ok('files', told);
}

function memory({ memoryBytes }: HubFacts): Finding {
  return memoryBytes < LEAST_MEMORY_BYTES
    ? warning(
        'memory',
        mebibytes(memoryBytes),
        'a hub of some devices needs 150 MiB, one of 10,000 about 1.5 GiB',
      )
    : ok('memory', mebibytes(memoryBytes));
}

const mebibytes = (bytes: number) => `${Math.floor(bytes / MIB)} MiB`;
