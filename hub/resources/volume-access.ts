import type { FieldError } from './api-error.ts';
import { forbiddenField, invalidValue, notSupported, required } from './field-errors.ts';
import { parseQuantity } from './quantity.ts';

/* What volumes and the claims on them have in common. */

const MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
const SHORT_MODES = new Map([
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
]);
export const VOLUME_MODES = ['Block', 'Filesystem'];
/** How a class was named before there was a field for it. */
const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';

export function accessModeErrors(
  modes: readonly string[] = [],
  field: string,
  missing?: string,
): FieldError[] {
  if (modes.length === 0) return [required(field, missing)];
  const errors = modes
    .filter((mode) => !MODES.includes(mode))
    .map((mode) => notSupported(field, mode, MODES));
  if (modes.includes('ReadWriteOncePod') && new Set(modes).size > 1)
    errors.push(forbiddenField(field, 'may not use ReadWriteOncePod with other access modes'));
  return errors;
}

export function storageErrors(amount: string, field: string): FieldError[] {
  const quantity = parseQuantity(amount);
  if (quantity && quantity.value > 0n) return [];
  return [invalidValue(field, amount, 'must be greater than zero')];
}

/** `RWO,ROX` */
export function accessModesText(modes: readonly string[] = []): string {
  return [...SHORT_MODES]
    .filter(([mode]) => modes.includes(mode))
    .map(([, short]) => short)
    .join(',');
}

export function storageClassText(
  annotations: Readonly<Record<string, string>> | undefined,
  storageClassName: string | undefined,
): string {
  return annotations?.[CLASS_ANNOTATION] ?? storageClassName ?? '';
}
