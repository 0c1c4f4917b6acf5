import { loadavg, totalmem, uptime } from 'node:os';
import { resolve } from 'node:path';
import { bundleName, type Parts, unitLog, writeSupportBundle } from '../../proto/support/support-bundle.ts';
import type { Call, Command } from '../cli/command.ts';
import { hubConfigOf, readHubSettingsAnyway } from '../config.ts';
import { checkHub } from '../doctor/checks.ts';
import { surveyHub } from '../doctor/survey.ts';
import { hubVersion } from '../version.ts';

const FLEET = '/apis/fleet.holdfast.dev/v1';
/** Neither Secrets nor ConfigMaps: what is not asked for can not be lost. */
const LISTS: Readonly<Record<string, string>> = {
  nodes: '/api/v1/nodes',
  namespaces: '/api/v1/namespaces',
  pods: '/api/v1/pods?limit=5000',
  events: '/api/v1/events?limit=5000',
  deployments: '/apis/apps/v1/deployments',
  daemonsets: '/apis/apps/v1/daemonsets',
  jobs: '/apis/batch/v1/jobs',
  rolloutpolicies: `${FLEET}/rolloutpolicies`,
  rollouts: `${FLEET}/rollouts`,
  deviceupdates: `${FLEET}/deviceupdates?limit=5000`,
  gitsources: `${FLEET}/gitsources`,
};

/** `holdfast support-bundle` */
export const supportBundle: Command = {
  arguments: '[FILE]',
  takes: [0, 1],
  about: 'collects what others need to find out what is wrong, without secrets, into a file',
  examples: ['', './hub-support.tar.gz'],
  isClusterWide: true,
  run: async (call) => {
    const file = resolve(call.arguments[0] ?? bundleName(call.now));
    const paths = await writeSupportBundle(file, partsOf(call));
    call.print(`"${file}" has ${paths.length} files: look into it before you give it away`);
    return undefined;
  },
};

function partsOf(call: Call): Parts {
  return {
    'about.json': async () => ({
      ...{ version: hubVersion(), node: process.version, now: new Date(call.now).toISOString() },
      ...{ memory: totalmem(), load: loadavg(), upSeconds: uptime() },
    }),
    'settings.json': async () => (await readHubSettingsAnyway({}, call.surroundings.env)).settings,
    'doctor.json': async () => {
      const { settings, problem } = await readHubSettingsAnyway({}, call.surroundings.env);
      return checkHub(await surveyHub(hubConfigOf(settings), problem));
    },
    'hub.log': () => unitLog('holdfast-hub.service'),
    'metrics.txt': () => call.client.text('GET', '/metrics'),
    ...Object.fromEntries(
      Object.entries(LISTS).map(([name, path]) => [
        `objects/${name}.json`,
        () => call.client.call('GET', path),
      ]),
    ),
  };
}
