import type { ObjectFieldSelector, ResourceFieldSelector } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { invalidValue, notFoundField, notSupported, required } from './field-errors.ts';

/* What a pod may be told of itself, in variables and in files. */

const MAP_ENTRY = "metadata\\.(labels|annotations)\\['.+'\\]";
const VARIABLE_FIELDS = new RegExp(
  `^(metadata\\.(name|namespace|uid)|${MAP_ENTRY}|spec\\.(nodeName|serviceAccountName)|status\\.(hostIPs?|podIPs?))$`,
);
const FILE_FIELDS = new RegExp(`^(metadata\\.(name|namespace|uid|labels|annotations)|${MAP_ENTRY})$`);
const RESOURCES = ['limits', 'requests'].flatMap((part) =>
  ['cpu', 'ephemeral-storage', 'memory'].map((name) => `${part}.${name}`),
);
const CPU_DIVISORS = /^(0|1|1m)$/;
const BYTE_DIVISORS = /^(0|1([kMGTPE]|[KMGTPE]i)?)$/;

/** Where the reference stands: a file may have what a variable cannot, and the other way round. */
type Reader = 'variable' | 'file';

export function fieldReferenceErrors(
  { fieldPath: path }: ObjectFieldSelector,
  field: string,
  reader: Reader,
): FieldError[] {
  const at = `${field}.fieldPath`;
  if (!path) return [required(at)];
  if ((reader === 'file' ? FILE_FIELDS : VARIABLE_FIELDS).test(path)) return [];
  return [invalidValue(at, path, `error converting fieldPath: field label not supported: ${path}`)];
}

/** A variable is of its own container unless it says otherwise; a file is of none. */
export function resourceReferenceErrors(
  { containerName, resource, divisor = '0' }: ResourceFieldSelector,
  field: string,
  reader: Reader,
  containers: ReadonlySet<string>,
): FieldError[] {
  if (reader === 'file' && !containerName) return [required(`${field}.containerName`)];
  const errors: FieldError[] = [];
  if (containerName && !containers.has(containerName))
    errors.push(notFoundField(`${field}.containerName`, containerName));
  if (!resource) return [...errors, required(`${field}.resource`)];
  if (!RESOURCES.includes(resource) && !/^(limits|requests)\.hugepages-/.test(resource))
    return [...errors, notSupported(`${field}.resource`, resource, RESOURCES)];
  const isCpu = resource.endsWith('.cpu');
  if (!(isCpu ? CPU_DIVISORS : BYTE_DIVISORS).test(divisor))
    errors.push(
      invalidValue(
        `${field}.divisor`,
        divisor,
        isCpu
          ? "only divisor's values 1m and 1 are supported with the cpu resource"
          : "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory resource",
      ),
    );
  return errors;
}
