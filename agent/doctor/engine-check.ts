import { engineFindings } from './checks.ts';
import { surveyEngine } from './survey.ts';

/** Which engine answers there. Rejects with what keeps pods from running on it, and what to do. */
export async function checkEngine(host: string): Promise<string> {
  const [first] = engineFindings(await surveyEngine(host));
  if (first?.level === 'problem') throw new Error(`container engine: ${first.found}: ${first.advice}`);
  return first?.found ?? host;
}
