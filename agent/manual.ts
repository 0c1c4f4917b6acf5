import { SHELLS } from '../proto/manual/completion.ts';
import type { Manual, ManualCommand, ManualFlag } from '../proto/manual/manual.ts';
import type { Setting } from '../proto/settings/settings.ts';
import { CONFIG_FILE, type Config, SETTINGS } from './config.ts';

/* All that can be told of `holdfast-agent`. Loaded when somebody asks. */

type Told = Omit<ManualCommand, 'flags'> & {
  readonly flags?: readonly ManualFlag[];
  /** Those that matter to it; it takes the others as well. */
  readonly settings: readonly (keyof Config)[];
};

const ALL = (Object.keys(SETTINGS) as (keyof Config)[]).filter((name) => name !== 'output');
const ASKS_THE_AGENT: readonly (keyof Config)[] = ['runDir', 'output'];

const COMMANDS: readonly Told[] = [
  {
    words: ['run'],
    arguments: '',
    about:
      'runs what the hub wants on this device, connected or not; joins first, when it is told a hub and a token, or has a join file',
    settings: ALL,
    examples: ['', '--hub hub.example --token-file /etc/holdfast/token', '--transport grpc --log-level warn'],
  },
  {
    words: ['join'],
    arguments: '',
    about: 'makes this device one of a hub, once and for all',
    settings: ['hub', 'token', 'tokenFile', 'joinFile', 'nodeName', 'dataDir', 'logLevel'],
    examples: [
      '--hub hub.example --token-file ./token',
      '--hub 10.0.0.5:6444 --token-file ./token --node-name press-17',
    ],
  },
  {
    words: ['status'],
    arguments: '',
    about: 'tells what the device runs, and whether its hub can be reached; asks no hub',
    settings: ['runDir', 'dataDir', 'output'],
    examples: ['', '--output json'],
  },
  {
    words: ['doctor'],
    arguments: '',
    about:
      'says what keeps this device from its work, and what to do about it; exit code 1 when there is something',
    settings: [...ALL, 'output'],
    examples: ['', '--output json'],
  },
  {
    words: ['support-bundle'],
    arguments: '[FILE]',
    about:
      'collects what others need to find out what is wrong with this device, without secrets, into a file',
    settings: ['dataDir', 'runDir', 'dockerHost'],
    examples: ['', './press-17.tar.gz'],
  },
  {
    words: ['lease', 'hold'],
    arguments: 'NAME',
    about: 'asks that no update begins for a while: for all pods, or for one',
    flags: [
      { name: 'for', value: 'TIME', about: 'how long: 90s, 10m, 1h30m; it ends by itself' },
      { name: 'pod', value: 'NAMESPACE/NAME', about: 'for this one only' },
      { name: 'reason', value: 'TEXT', about: 'told to whoever waits' },
    ],
    settings: ASKS_THE_AGENT,
    examples: ['backup --for 10m', 'surgery --for 1h30m --pod default/monitor --reason "in use"'],
  },
  {
    words: ['lease', 'release'],
    arguments: 'NAME',
    about: 'gives a lease back before its time',
    settings: ASKS_THE_AGENT,
    examples: ['backup'],
  },
  {
    words: ['lease', 'list'],
    arguments: '',
    about: 'lists the leases that stand',
    settings: ASKS_THE_AGENT,
    examples: ['', '--output json'],
  },
  {
    words: ['image', 'pull'],
    arguments: 'NAME',
    about: 'gets an image from the hub and gives it to the engine; exit code 3 when the hub has none',
    settings: ['dataDir', 'dockerHost', 'peerPort'],
    examples: ['app:1.4'],
  },
  {
    words: ['image', 'import'],
    arguments: 'FILE',
    about:
      'gives the engine the images of an archive, as "docker save" makes it or an OCI image layout, packed or not; they are never removed to make room',
    settings: ['dataDir', 'dockerHost'],
    examples: ['/media/usb/app.tar.gz'],
  },
  {
    words: ['bundle', 'import'],
    arguments: 'FILE',
    about:
      'gives the engine the images of a bundle of the hub, and keeps its packages; what runs is not touched',
    settings: ['dataDir', 'dockerHost', 'output'],
    examples: ['/media/usb/site.bundle'],
  },
  {
    words: ['bundle', 'inspect'],
    arguments: 'FILE',
    about: 'checks that a bundle is whole and of the hub of this device, and says what is in it',
    settings: ['dataDir', 'output'],
    examples: ['/media/usb/site.bundle', '/media/usb/site.bundle --output json'],
  },
  {
    words: ['engine', 'check'],
    arguments: '',
    about: 'says whether pods can run on the container engine',
    settings: ['dockerHost'],
    examples: ['', '--docker-host unix:///run/podman/podman.sock'],
  },
  {
    words: ['engine', 'remove-containers'],
    arguments: '',
    about: "removes the containers of this device's pods, once the agent has been stopped for good",
    settings: ['dataDir', 'dockerHost'],
    examples: [''],
  },
  {
    words: ['config', 'check'],
    arguments: '[FILE]',
    about: `says what is wrong with a file of settings (${CONFIG_FILE.path})`,
    settings: [],
    examples: ['', './agent.yaml'],
  },
  {
    words: ['config', 'schema'],
    arguments: '',
    about: 'prints the JSON schema of such files, for editors',
    settings: [],
    examples: ['> agent.schema.json'],
  },
  {
    words: ['version'],
    arguments: '',
    about: 'prints the version of this program',
    settings: [],
    examples: [''],
  },
  {
    words: ['completion'],
    arguments: SHELLS.join('|'),
    about: 'prints what completes commands and flags in a shell',
    settings: [],
    examples: [
      'bash > /etc/bash_completion.d/holdfast-agent',
      'fish > ~/.config/fish/completions/holdfast-agent.fish',
    ],
  },
];

const HELP: ManualFlag = { name: 'help', short: 'h', about: 'this text' };
const CONFIG: ManualFlag = {
  name: CONFIG_FILE.flag,
  value: 'FILE',
  about: `settings that are no flags, as YAML; ${CONFIG_FILE.env} (${CONFIG_FILE.path})`,
};

export const MANUAL: Manual = {
  program: 'holdfast-agent',
  about: 'Runs what its hub wants on this device, connected or not.',
  groups: {
    bundle: 'images and packages from a file, without a network',
    engine: 'the container engine below',
    lease: 'asks for updates to wait, and gives leave',
    config: 'checks files of settings',
  },
  commands: COMMANDS.map(({ settings, flags = [], ...command }) => ({
    ...command,
    flags: [
      ...flags,
      ...(settings.length > 0 ? [CONFIG] : []),
      ...settings.map((name) => flagOf(SETTINGS[name])),
      HELP,
    ],
  })),
  settings: SETTINGS,
  file: CONFIG_FILE,
};

function flagOf({ flag, env, about, oneOf, fallback, type }: Setting): ManualFlag {
  const kind = {
    integer: 'NUMBER',
    boolean: 'true|false',
    list: 'A,B',
    words: 'JSON',
    map: 'A=B,C=D',
    text: 'TEXT',
  }[type ?? 'text'];
  return {
    name: flag,
    value: oneOf ? oneOf.join('|') : kind,
    about: `${about}; ${env}${fallback ? ` (${fallback})` : ''}`,
  };
}
