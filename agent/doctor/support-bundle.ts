import { readdirSync, readFileSync } from 'node:fs';
import { loadavg, totalmem, uptime } from 'node:os';
import { join, resolve } from 'node:path';
import { bundleName, type Parts, unitLog, writeSupportBundle } from '../../proto/support/support-bundle.ts';
import { readLocalStatus } from '../local/client.ts';
import { agentVersion } from '../version.ts';
import { checkDevice } from './checks.ts';
import { askEngine, type Survey, surveyDevice } from './survey.ts';

/**
 * `holdfast-agent support-bundle [FILE]`: collects what others need to find out what is wrong, without secrets. Resolves
 * with what to print.
 */
export async function supportBundle(
  file: string | undefined,
  survey: Survey,
  settings: object,
): Promise<string> {
  const path = resolve(file ?? bundleName(Date.now()));
  const paths = await writeSupportBundle(path, partsOf(survey, settings));
  return `"${path}" has ${paths.length} files: look into it before you give it away`;
}

function partsOf(survey: Survey, settings: object): Parts {
  const { dataDir, runDir, dockerHost } = survey;
  const read = (file: string) => async () => readFileSync(file, 'utf8');
  return {
    'about.json': async () => ({
      ...{ version: agentVersion(), node: process.version, now: new Date().toISOString() },
      ...{ memory: totalmem(), load: loadavg(), upSeconds: uptime() },
    }),
    'settings.json': async () => settings,
    'doctor.json': async () => checkDevice(await surveyDevice(survey)),
    'status.json': () => readLocalStatus(runDir),
    'agent.log': () => unitLog('holdfast-agent.service'),
    'facts.json': read(join(dataDir, 'facts.json')),
    'snapshots.json': async () => readdirSync(join(dataDir, 'snapshots')),
    'engine/info.json': () => askEngine(dockerHost, '/info'),
    'engine/version.json': () => askEngine(dockerHost, '/version'),
    'engine/containers.json': () =>
      askEngine(
        dockerHost,
        `/containers/json?all=1&filters=${encodeURIComponent('{"label":["holdfast.dev/node"]}')}`,
      ),
    'engine/images.json': () => askEngine(dockerHost, '/images/json'),
    'system/meminfo': read('/proc/meminfo'),
    'system/mounts': read('/proc/self/mounts'),
    'system/os-release': read('/etc/os-release'),
    'system/cmdline': read('/proc/cmdline'),
  };
}
