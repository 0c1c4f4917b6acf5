import type { PodObject } from '../../resources/typed.ts';
import { BASELINE, RESTRICTED } from './checks.ts';

export const LEVELS = ['privileged', 'baseline', 'restricted'] as const;
export type Level = (typeof LEVELS)[number];
export const MODES = ['enforce', 'audit', 'warn'] as const;
export type Mode = (typeof MODES)[number];

export const LABEL_PREFIX = 'pod-security.kubernetes.io/';
const CHECKS = { privileged: [], baseline: BASELINE, restricted: RESTRICTED };
const VERSION = /^(latest|v1\.(0|[1-9]\d*))$/;

type Labels = Readonly<Record<string, string>> | undefined;

/** A namespace's rule for one mode; `restricted:latest` as text. A label that cannot be read counts as the strictest. */
export function policyOf(labels: Labels, mode: Mode): { level: Level; text: string } {
  const given = labels?.[LABEL_PREFIX + mode] || 'privileged';
  const level = LEVELS.find((each) => each === given) ?? 'restricted';
  return { level, text: `${level}:${labels?.[`${LABEL_PREFIX}${mode}-version`] || 'latest'}` };
}

/** What is wrong with a namespace's labels: label, value and what was wanted. */
export function labelProblems(labels: Labels): { label: string; value: string; wanted: string }[] {
  return MODES.flatMap((mode) => {
    const [label, versionLabel] = [LABEL_PREFIX + mode, `${LABEL_PREFIX}${mode}-version`];
    const [value, version] = [labels?.[label], labels?.[versionLabel]];
    return [
      ...(value !== undefined && !LEVELS.some((each) => each === value)
        ? [{ label, value, wanted: `must be one of ${LEVELS.join(', ')}` }]
        : []),
      ...(version !== undefined && !VERSION.test(version)
        ? [{ label: versionLabel, value: version, wanted: 'must be "latest" or "v1.x"' }]
        : []),
    ];
  });
}

/** What a pod does that its level does not allow, as text; empty when nothing. Rules are those of the newest version. */
export function violationsOf(level: Level, spec: PodObject['spec'], annotations: Labels): string {
  return CHECKS[level]
    .flatMap((check) => check(spec, annotations ?? {}) ?? [])
    .map(({ reason, detail }) => `${reason} (${detail})`)
    .join(', ');
}
