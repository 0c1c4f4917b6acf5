import { exitCodeOf, formatFindings } from '../../proto/diagnosis.ts';
import { readLocalStatus } from '../local/client.ts';
import { checkDevice } from './checks.ts';
import { type Survey, surveyDevice } from './survey.ts';

/** `holdfast-agent doctor`: resolves with what to print, and with the exit code: 1 when something must be done. */
export async function doctor(
  survey: Omit<Survey, 'agent'>,
  output: 'text' | 'json',
): Promise<{ text: string; code: number }> {
  const facts = await surveyDevice({ ...survey, ...(await runningAgent(survey.runDir)) });
  const findings = checkDevice(facts);
  const text = output === 'json' ? JSON.stringify(findings, undefined, 2) : formatFindings(findings);
  return { text, code: exitCodeOf(findings) };
}

async function runningAgent(runDir: string): Promise<Pick<Survey, 'agent'>> {
  try {
    const { connected, transport, connectionError } = await readLocalStatus(runDir);
    return {
      agent: {
        connected,
        ...(transport && { transport }),
        ...(connectionError && { error: connectionError }),
      },
    };
  } catch {
    return {};
  }
}
