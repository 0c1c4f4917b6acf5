import { isSshUrl } from '../../fleet/git-source.ts';
import { configEnvironment } from './git.ts';

/** What git gets to reach one repository. */
export interface Credentials {
  readonly env: Readonly<Record<string, string>>;
  /** By name, to be written into `directory` for as long as git runs: nobody else may read them. */
  readonly files: Readonly<Record<string, string>>;
}

export type SecretData = Readonly<Record<string, string>>;

/** For every repository: nothing but the fetch, and nowhere else than where it was sent. */
const SETTINGS: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.bigFileThreshold', '1m'], // larger files are not taken into memory
  ['credential.helper', ''],
  ['fetch.unpackLimit', '1'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['pack.threads', '1'],
  ['http.followRedirects', 'false'], // they would take the credentials elsewhere
  ['http.lowSpeedLimit', '1000'],
  ['http.lowSpeedTime', '20'],
];

/** Expanded by the shell that git runs it in. */
const SSH = 'exec ssh -F "$HOLDFAST_SSH_CONFIG"';

/** How git proves who it is; `problem` says what the Secret lacks. `secret` is decoded. */
export function credentialsFor(
  url: string,
  secret: SecretData | undefined,
  directory: string,
): Credentials | { readonly problem: string } {
  return isSshUrl(url) ? forSsh(secret ?? {}, directory) : forHttps(url, secret ?? {}, directory);
}

function forHttps(url: string, secret: SecretData, directory: string): Credentials | { problem: string } {
  const { username, password, bearerToken } = secret;
  if (bearerToken !== undefined && password !== undefined)
    return { problem: 'has both bearerToken and password: leave one out' };
  if ((username === undefined) !== (password === undefined))
    return {
      problem: `has ${username === undefined ? 'password' : 'username'} alone: https needs username and password`,
    };
  const authorization =
    bearerToken !== undefined
      ? `Bearer ${bearerToken.trim()}`
      : password !== undefined
        ? `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
        : undefined;
  if (authorization !== undefined && /[\r\n]/.test(authorization))
    return { problem: 'has a bearerToken of more than one line' };
  const authority = secret['ca.crt'] ?? secret['caFile'];
  return {
    env: {
      GIT_ALLOW_PROTOCOL: 'https',
      ...configEnvironment([
        ...SETTINGS,
        ...(authorization
          ? [[`http.${new URL(url).origin}/.extraHeader`, `Authorization: ${authorization}`] as const]
          : []),
        ...(authority ? [['http.sslCAInfo', `${directory}/ca.crt`] as const] : []),
      ]),
    },
    files: authority ? { 'ca.crt': authority } : {},
  };
}

function forSsh(secret: SecretData, directory: string): Credentials | { problem: string } {
  const { identity, known_hosts: knownHosts } = secret;
  if (!identity?.trim()) return { problem: 'lacks identity: ssh needs a private key' };
  if (!knownHosts?.trim())
    return { problem: 'lacks known_hosts: without it nobody could tell the server from another' };
  return {
    env: {
      GIT_ALLOW_PROTOCOL: 'ssh',
      GIT_SSH_COMMAND: SSH,
      GIT_SSH_VARIANT: 'ssh',
      HOLDFAST_SSH_CONFIG: `${directory}/config`,
      ...configEnvironment(SETTINGS),
    },
    files: {
      identity: `${identity.trim()}\n`,
      known_hosts: `${knownHosts.trim()}\n`,
      config: sshConfig(directory),
    },
  };
}

/** In place of the machine's and the user's. */
function sshConfig(directory: string): string {
  const path = (name: string) => `"${directory.replaceAll('%', '%%')}/${name}"`;
  const lines = [
    'Host *',
    `  IdentityFile ${path('identity')}`,
    '  IdentitiesOnly yes',
    '  IdentityAgent none',
    `  UserKnownHostsFile ${path('known_hosts')}`,
    '  GlobalKnownHostsFile /dev/null',
    '  StrictHostKeyChecking yes',
    '  UpdateHostKeys no',
    '  BatchMode yes',
    '  PasswordAuthentication no',
    '  KbdInteractiveAuthentication no',
    '  ForwardAgent no',
    '  ForwardX11 no',
    '  ClearAllForwardings yes',
    '  ConnectTimeout 20',
    '  ServerAliveInterval 10',
    '  ServerAliveCountMax 2',
    '  LogLevel ERROR',
  ];
  return `${lines.join('\n')}\n`;
}
