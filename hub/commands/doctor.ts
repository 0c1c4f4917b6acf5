import { exitCodeOf, formatFindings } from '../../proto/diagnosis.ts';
import type { Command } from '../cli/command.ts';
import { hubConfigOf, readHubSettingsAnyway } from '../config.ts';
import { checkHub } from '../doctor/checks.ts';
import { surveyHub } from '../doctor/survey.ts';
import { SETTING_FLAGS } from './setting-flags.ts';

/** `holdfast doctor`: exit code 1 when something must be done. */
export const doctor: Command = {
  arguments: '',
  takes: [0, 0],
  about: 'says what keeps a hub on this machine from its work, and what to do about it',
  flags: SETTING_FLAGS,
  examples: ['', '--data-dir /srv/holdfast', '-o json'],
  outputs: ['json'],
  isLocal: true,
  run: async (call) => {
    const { settings, problem } = await readHubSettingsAnyway(call.values, call.surroundings.env);
    const findings = checkHub(await surveyHub(hubConfigOf(settings), problem));
    call.print(call.output === 'json' ? JSON.stringify(findings, undefined, 2) : formatFindings(findings));
    return exitCodeOf(findings);
  },
};
