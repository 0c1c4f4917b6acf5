import { ageColumn, column, nameColumn } from './cells.ts';
import { defineResource, specOf } from './define.ts';
import { invalidValue } from './field-errors.ts';
import { countErrors } from './template-validation.ts';
import type { LeaseObject } from './typed.ts';

export const leases = defineResource({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  singular: 'lease',
  namespaced: true,
  schema: 'io.k8s.api.coordination.v1.Lease',
  createOnUpdate: true,
  updateNeedsVersion: true,
  setDefaults: (object) => {
    specOf(object);
  },
  validate: (object) => {
    const { leaseDurationSeconds: duration, leaseTransitions } = (object as LeaseObject).spec;
    const errors = countErrors(leaseTransitions, 'spec.leaseTransitions');
    if (duration !== undefined && duration <= 0)
      errors.push(invalidValue('spec.leaseDurationSeconds', duration, 'must be greater than 0'));
    return errors;
  },
  columns: [
    nameColumn,
    column('Holder', 'Who holds the lease.', (object) => (object as LeaseObject).spec.holderIdentity ?? ''),
    ageColumn,
  ],
});
