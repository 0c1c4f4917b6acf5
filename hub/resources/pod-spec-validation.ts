import type { Container, PodSpec, Toleration, Volume } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { localPathErrors, validateContainer } from './container-validation.ts';
import { duplicate, forbiddenField, invalidValue, notSupported, required } from './field-errors.ts';
import { labelErrors } from './metadata-validation.ts';
import { labelNameErrors, qualifiedNameErrors, subdomainNameErrors } from './names.ts';

const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const TAINT_EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

/** What is wrong with the spec of a pod or of a template; `field` is where it stands. */
export function validatePodSpec(spec: PodSpec, field: string): FieldError[] {
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  return [
    ...volumesErrors(spec.volumes ?? [], `${field}.volumes`),
    ...containersErrors(spec, field, volumes),
    ...policyErrors(spec, field),
    ...labelErrors(spec.nodeSelector, `${field}.nodeSelector`),
    ...nameErrors(spec, field),
    ...(spec.tolerations ?? []).flatMap((each, index) =>
      tolerationErrors(each, `${field}.tolerations[${index}]`),
    ),
  ];
}

function containersErrors(spec: PodSpec, field: string, volumes: ReadonlySet<string>): FieldError[] {
  const errors: FieldError[] = spec.containers?.length ? [] : [required(`${field}.containers`)];
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  for (const [index, container] of (spec.ephemeralContainers ?? []).entries())
    errors.push(...validateContainer(container, `${field}.ephemeralContainers[${index}]`, volumes));
  for (const list of ['initContainers', 'containers'] as const) {
    for (const [index, container] of (spec[list] ?? []).entries()) {
      const at = `${field}.${list}[${index}]`;
      errors.push(...validateContainer(container, at, volumes));
      if (container.name && names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
      names.add(container.name);
      if (list === 'containers') errors.push(...hostPortErrors(container, at, hostPorts));
    }
  }
  return errors;
}

function hostPortErrors(container: Container, field: string, taken: Set<string>): FieldError[] {
  return (container.ports ?? []).flatMap(({ hostPort, protocol = 'TCP', hostIP = '' }, index) => {
    if (!hostPort) return [];
    const key = `${protocol}/${hostIP}/${hostPort}`;
    if (taken.has(key)) return [duplicate(`${field}.ports[${index}].hostPort`, key)];
    taken.add(key);
    return [];
  });
}

function policyErrors(spec: PodSpec, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const {
    restartPolicy,
    dnsPolicy,
    terminationGracePeriodSeconds: grace,
    activeDeadlineSeconds: deadline,
  } = spec;
  if (!restartPolicy) errors.push(required(`${field}.restartPolicy`));
  else if (!RESTART_POLICIES.includes(restartPolicy))
    errors.push(notSupported(`${field}.restartPolicy`, restartPolicy, RESTART_POLICIES));
  if (dnsPolicy && !DNS_POLICIES.includes(dnsPolicy))
    errors.push(notSupported(`${field}.dnsPolicy`, dnsPolicy, DNS_POLICIES));
  if (dnsPolicy === 'None' && !spec.dnsConfig?.nameservers?.length)
    errors.push(
      required(
        `${field}.dnsConfig.nameservers`,
        'must provide at least one DNS nameserver when `dnsPolicy` is None',
      ),
    );
  if (grace !== undefined && grace < 0)
    errors.push(
      invalidValue(`${field}.terminationGracePeriodSeconds`, grace, 'must be greater than or equal to 0'),
    );
  if (deadline !== undefined && (deadline < 1 || deadline > 2147483647))
    errors.push(
      invalidValue(`${field}.activeDeadlineSeconds`, deadline, 'must be between 1 and 2147483647, inclusive'),
    );
  if (spec.shareProcessNamespace && spec.hostPID)
    errors.push(
      invalidValue(
        `${field}.shareProcessNamespace`,
        true,
        'ShareProcessNamespace and HostPID cannot both be enabled',
      ),
    );
  return errors;
}

function nameErrors(spec: PodSpec, field: string): FieldError[] {
  const check = (
    key: 'hostname' | 'subdomain' | 'serviceAccountName' | 'nodeName',
    rule: (name: string) => string[],
  ) => {
    const name = spec[key];
    return name ? rule(name).map((detail) => invalidValue(`${field}.${key}`, name, detail)) : [];
  };
  return [
    ...check('hostname', labelNameErrors),
    ...check('subdomain', labelNameErrors),
    ...check('serviceAccountName', subdomainNameErrors),
    ...check('nodeName', subdomainNameErrors),
    ...(spec.imagePullSecrets ?? []).flatMap(({ name }, index) =>
      name ? [] : [required(`${field}.imagePullSecrets[${index}].name`)],
    ),
    ...hostNetworkErrors(spec, field),
  ];
}

function hostNetworkErrors(spec: PodSpec, field: string): FieldError[] {
  if (!spec.hostNetwork) return [];
  return (spec.containers ?? []).flatMap(({ ports = [] }, container) =>
    ports.flatMap(({ hostPort, containerPort }, index) =>
      hostPort === containerPort
        ? []
        : [
            invalidValue(
              `${field}.containers[${container}].ports[${index}].hostPort`,
              hostPort,
              'must match `containerPort` when `hostNetwork` is true',
            ),
          ],
    ),
  );
}

/** Also for the tolerations that a runtime brings with it. */
export function tolerationErrors(toleration: Toleration, field: string): FieldError[] {
  const { key, operator = 'Equal', value, effect, tolerationSeconds } = toleration;
  const errors: FieldError[] = [];
  if (key)
    errors.push(...qualifiedNameErrors(key).map((detail) => invalidValue(`${field}.key`, key, detail)));
  else if (operator !== 'Exists')
    errors.push(
      invalidValue(
        `${field}.operator`,
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    );
  if (operator !== 'Exists' && operator !== 'Equal')
    errors.push(notSupported(`${field}.operator`, operator, ['Equal', 'Exists']));
  if (operator === 'Exists' && value)
    errors.push(invalidValue(`${field}.operator`, value, "value must be empty when `operator` is 'Exists'"));
  if (effect && !TAINT_EFFECTS.includes(effect))
    errors.push(notSupported(`${field}.effect`, effect, TAINT_EFFECTS));
  if (tolerationSeconds !== undefined && effect !== 'NoExecute')
    errors.push(
      invalidValue(
        `${field}.effect`,
        effect ?? '',
        "effect must be 'NoExecute' when `tolerationSeconds` is set",
      ),
    );
  return errors;
}

function volumesErrors(volumes: readonly Volume[], field: string): FieldError[] {
  const names = new Set<string>();
  return volumes.flatMap((volume, index) => {
    const at = `${field}[${index}]`;
    const errors: FieldError[] = volume.name
      ? labelNameErrors(volume.name).map((detail) => invalidValue(`${at}.name`, volume.name, detail))
      : [required(`${at}.name`)];
    if (volume.name && names.has(volume.name)) errors.push(duplicate(`${at}.name`, volume.name));
    names.add(volume.name);
    return [...errors, ...sourceErrors(volume, at)];
  });
}

function sourceErrors(volume: Volume, field: string): FieldError[] {
  const sources = Object.entries(volume).filter(([key, value]) => key !== 'name' && value);
  const errors = sources
    .slice(1)
    .map(([key]) => forbiddenField(`${field}.${key}`, 'may not specify more than 1 volume type'));
  if (volume.configMap && !volume.configMap.name) errors.push(required(`${field}.configMap.name`));
  if (volume.secret && !volume.secret.secretName) errors.push(required(`${field}.secret.secretName`));
  if (volume.persistentVolumeClaim && !volume.persistentVolumeClaim.claimName)
    errors.push(required(`${field}.persistentVolumeClaim.claimName`));
  if (volume.hostPath) errors.push(...hostPathErrors(volume.hostPath, `${field}.hostPath`));
  for (const kind of ['configMap', 'secret'] as const)
    for (const [index, item] of (volume[kind]?.items ?? []).entries()) {
      const at = `${field}.${kind}.items[${index}]`;
      if (!item.key) errors.push(required(`${at}.key`));
      if (!item.path) errors.push(required(`${at}.path`));
      else errors.push(...localPathErrors(item.path, `${at}.path`));
    }
  return errors;
}

function hostPathErrors({ path, type }: NonNullable<Volume['hostPath']>, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!path) errors.push(required(`${field}.path`));
  else if (path.split('/').includes('..'))
    errors.push(invalidValue(`${field}.path`, path, "must not contain '..'"));
  if (type !== undefined && !HOST_PATH_TYPES.includes(type))
    errors.push(notSupported(`${field}.type`, type, HOST_PATH_TYPES));
  return errors;
}
