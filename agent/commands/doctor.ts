import { readConfigAnyway, readWords } from '../config.ts';
import type { Command } from './command.ts';

/** `holdfast-agent doctor`: exit code 1 when something must be done. */
export const doctor: Command = async (args, env) => {
  const [{ survey, config: found }, { doctor: examine }] = await Promise.all([
    surveyed(args, env),
    import('../doctor/doctor.ts'),
  ]);
  const { text, code } = await examine(survey, found.output);
  console.log(text);
  process.exitCode = code;
};

/** `holdfast-agent support-bundle [FILE]` */
export const supportBundle: Command = async (args, env) => {
  const [{ survey, config: found }, { supportBundle: collect }] = await Promise.all([
    surveyed(args, env),
    import('../doctor/support-bundle.ts'),
  ]);
  const [file, ...more] = readWords(args, []).words;
  if (more.length > 0) throw new Error(`"${more[0]}" is too much: say "support-bundle [FILE]"`);
  console.log(await collect(file, survey, found));
};

/** Where to look, also where the settings are wrong. */
async function surveyed(...[args, env]: Parameters<Command>) {
  const { config: found, problem } = await readConfigAnyway(args, env);
  const { dataDir, runDir, dockerHost } = found;
  return {
    config: found,
    survey: { dataDir, runDir, dockerHost, ...(problem && { settingsError: problem }) },
  };
}
