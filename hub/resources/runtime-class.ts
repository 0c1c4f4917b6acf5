import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn } from './cells.ts';
import { defineResource } from './define.ts';
import { immutable, invalidValue, required, ruleErrors } from './field-errors.ts';
import { labelErrors } from './metadata-validation.ts';
import { labelNameErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import { tolerationErrors } from './pod-spec-validation.ts';
import { parseQuantity } from './quantity.ts';
import type { RuntimeClassObject } from './typed.ts';

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { handler, overhead, scheduling } = object as RuntimeClassObject;
  const errors = handler ? ruleErrors('handler', handler, labelNameErrors) : [required('handler')];
  if (old && handler !== (old as RuntimeClassObject).handler) errors.push(immutable('handler', handler));
  for (const [name, amount] of Object.entries(overhead?.podFixed ?? {}))
    if ((parseQuantity(amount)?.value ?? -1n) < 0n)
      errors.push(invalidValue(`overhead.podFixed[${name}]`, amount, 'must be greater than or equal to 0'));
  return [
    ...errors,
    ...labelErrors(scheduling?.nodeSelector, 'scheduling.nodeSelector'),
    ...(scheduling?.tolerations ?? []).flatMap((each, index) =>
      tolerationErrors(each, `scheduling.tolerations[${index}]`),
    ),
  ];
}

export const runtimeClasses = defineResource({
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  singular: 'runtimeclass',
  namespaced: false,
  schema: 'io.k8s.api.node.v1.RuntimeClass',
  createOnUpdate: true,
  updateNeedsVersion: true,
  validate,
  columns: [
    nameColumn,
    column('Handler', 'Which runtime of the node it is.', (object) => (object as RuntimeClassObject).handler),
    ageColumn,
  ],
});
