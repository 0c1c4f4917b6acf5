import type { Container } from './pod.ts';

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restart-rules; newer than our types. */
interface RestartRule {
  readonly action: string;
  readonly exitCodes?: { readonly operator: string; readonly values?: readonly number[] };
}

/** What a container says itself of whether it is to run again; undefined when that is for the pod to say. Pure. */
export function ownRestart(container: Container, exitCode: number): boolean | undefined {
  const { restartPolicy, restartPolicyRules = [] } = container as Container & {
    readonly restartPolicyRules?: readonly RestartRule[];
  };
  if (!restartPolicy) return undefined;
  if (restartPolicyRules.some((rule) => rule.action === 'Restart' && matches(rule, exitCode))) return true;
  return restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && exitCode !== 0);
}

function matches({ exitCodes }: RestartRule, exitCode: number): boolean {
  const { operator, values = [] } = exitCodes ?? {};
  if (operator === 'In') return values.includes(exitCode);
  return operator === 'NotIn' && !values.includes(exitCode);
}
