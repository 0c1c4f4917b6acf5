import { exitCodeOf, formatFindings } from '../../proto/diagnosis.ts';
import type { HubConfig } from '../config.ts';
import { checkHub } from './checks.ts';
import { surveyHub } from './survey.ts';

/** `holdfast doctor`: resolves with what to print, and with the exit code: 1 when something must be done. */
export async function doctor(
  { config, problem }: { config: HubConfig; problem?: string },
  output: string,
): Promise<{ text: string; code: number }> {
  const findings = checkHub(await surveyHub(config, problem));
  const text = output === 'json' ? JSON.stringify(findings, undefined, 2) : formatFindings(findings);
  return { text, code: exitCodeOf(findings) };
}
