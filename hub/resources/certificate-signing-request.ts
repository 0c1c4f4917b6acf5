import { isDeepStrictEqual } from 'node:util';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn } from './cells.ts';
import { defineResource, specOf } from './define.ts';
import type { Requester } from './definition.ts';
import {
  duplicate,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  ruleErrors,
} from './field-errors.ts';
import { humanDuration } from './human-duration.ts';
import { domainPathErrors } from './names.ts';
import type { KubeObject } from './object.ts';
import { formatTime } from './time.ts';
import type { CertificateSigningRequestObject } from './typed.ts';

const SHORTEST_SECONDS = 600;
const LEGACY_SIGNER = 'kubernetes.io/legacy-unknown';
const USAGES = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  'server auth',
  's/mime',
  'signing',
  'timestamping',
];
/** What a person decides: through `approval` only, and never back. */
const VERDICTS = ['Approved', 'Denied'];
/** What is always true when it is said at all. */
const FINAL_CONDITIONS = [...VERDICTS, 'Failed'];
const PEM = /-----BEGIN ([A-Z ]+)-----[A-Za-z0-9+/=\s]+-----END \1-----/;

type Condition = NonNullable<NonNullable<CertificateSigningRequestObject['status']>['conditions']>[number];

const request = (object: KubeObject) => object as CertificateSigningRequestObject;
const conditionsOf = (object: KubeObject): Condition[] => request(object).status?.conditions ?? [];

/** Who asks is who the server saw, never what the client claims. */
function prepareForCreate(object: KubeObject, requester: Requester | undefined): void {
  const spec = specOf<CertificateSigningRequestObject['spec']>(object);
  for (const field of ['username', 'uid', 'groups', 'extra'] as const) delete spec[field];
  if (requester) {
    const { name, groups, uid, extra } = requester;
    Object.assign(spec, {
      username: name,
      groups: [...groups],
      ...(uid && { uid }),
      ...(extra && { extra }),
    });
  }
  object.status = {};
}

/** `certificatesigningrequests/x/approval`: conditions, with their times. */
function approve(given: KubeObject, current: KubeObject, nowMs: number): KubeObject {
  const known = conditionsOf(current);
  const conditions = conditionsOf(given).map((condition) => timed(condition, known, nowMs));
  return { ...current, status: { ...request(current).status, conditions } };
}

function timed(condition: Condition, known: readonly Condition[], nowMs: number): Condition {
  const before = known.find(({ type }) => type === condition.type);
  const now = formatTime(nowMs);
  return {
    ...condition,
    lastUpdateTime: condition.lastUpdateTime ?? now,
    lastTransitionTime:
      condition.lastTransitionTime ??
      (before?.status === condition.status && before?.lastTransitionTime ? before.lastTransitionTime : now),
  };
}

function validate(object: KubeObject, old: KubeObject | undefined, part?: string): FieldError[] {
  return [
    ...specErrors(request(object)),
    ...conditionErrors(conditionsOf(object)),
    ...(old && part ? transitionErrors(object, old, part) : []),
  ];
}

function specErrors({ spec }: CertificateSigningRequestObject): FieldError[] {
  const { signerName, usages = [], expirationSeconds } = spec;
  const errors: FieldError[] = [];
  if (!isCertificateRequest(spec.request ?? ''))
    errors.push(
      invalidValue('spec.request', spec.request ?? '', 'PEM block type must be CERTIFICATE REQUEST'),
    );
  if (usages.length === 0) errors.push(required('spec.usages'));
  const seen = new Set<string>();
  for (const [index, usage] of usages.entries()) {
    if (!USAGES.includes(usage)) errors.push(notSupported(`spec.usages[${index}]`, usage, USAGES));
    if (seen.has(usage)) errors.push(duplicate(`spec.usages[${index}]`, usage));
    seen.add(usage);
  }
  if (!signerName) errors.push(required('spec.signerName'));
  else if (signerName === LEGACY_SIGNER)
    errors.push(
      invalidValue(
        'spec.signerName',
        signerName,
        'the legacy signerName is not allowed via this API version',
      ),
    );
  else errors.push(...ruleErrors('spec.signerName', signerName, domainPathErrors));
  if (expirationSeconds !== undefined && expirationSeconds < SHORTEST_SECONDS)
    errors.push(
      invalidValue(
        'spec.expirationSeconds',
        expirationSeconds,
        'may not specify a duration less than 600 seconds (10 minutes)',
      ),
    );
  return errors;
}

/** What is in it is for the signer to look at. */
function isCertificateRequest(base64: string): boolean {
  const [, type] = PEM.exec(Buffer.from(base64, 'base64').toString('latin1')) ?? [];
  return type === 'CERTIFICATE REQUEST' || type === 'NEW CERTIFICATE REQUEST';
}

function conditionErrors(conditions: readonly Condition[]): FieldError[] {
  const types = conditions.map(({ type }) => type);
  return conditions.flatMap(({ type, status }, index) => {
    const field = `status.conditions[${index}]`;
    const errors: FieldError[] = [];
    if (!type) errors.push(required(`${field}.type`));
    if (types.indexOf(type) !== index) errors.push(duplicate(`${field}.type`, type));
    if (!status) errors.push(required(`${field}.status`));
    else if (FINAL_CONDITIONS.includes(type) && status !== 'True')
      errors.push(notSupported(`${field}.status`, status, ['True']));
    const other = VERDICTS.find((verdict) => verdict !== type);
    if (VERDICTS.includes(type) && types.slice(0, index).some((each) => each === other))
      errors.push(
        invalidValue(`${field}.type`, type, 'Approved and Denied conditions are mutually exclusive'),
      );
    return errors;
  });
}

function transitionErrors(object: KubeObject, old: KubeObject, part: string): FieldError[] {
  const [now, before] = [conditionsOf(object), conditionsOf(old)];
  const errors: FieldError[] = [];
  for (const type of FINAL_CONDITIONS) {
    const [next, previous] = [now, before].map((list) => list.find((each) => each.type === type));
    if (previous && !next)
      errors.push(forbiddenField('status.conditions', `update may not remove a condition of type "${type}"`));
    const isVerdict = VERDICTS.includes(type);
    if (part === 'status' && isVerdict && next && !previous)
      errors.push(forbiddenField('status.conditions', `update may not add a condition of type "${type}"`));
    if (part === 'status' && isVerdict && next && previous && !isDeepStrictEqual(next, previous))
      errors.push(forbiddenField('status.conditions', `update may not modify a condition of type "${type}"`));
  }
  return errors;
}

function conditionText(object: KubeObject): string {
  const has = (wanted: string) => conditionsOf(object).some(({ type }) => type === wanted);
  const verdict = has('Approved') ? 'Approved' : has('Denied') ? 'Denied' : 'Pending';
  const isIssued = Boolean(request(object).status?.certificate);
  return `${verdict}${has('Failed') ? ',Failed' : ''}${isIssued ? ',Issued' : ''}`;
}

export const certificateSigningRequests = defineResource({
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  singular: 'certificatesigningrequest',
  shortNames: ['csr'],
  namespaced: false,
  schema: 'io.k8s.api.certificates.v1.CertificateSigningRequest',
  hasStatus: true,
  hasGeneration: false,
  nameRule: 'path',
  parts: { approval: approve },
  setDefaults: (object) => {
    specOf(object);
  },
  prepareForCreate,
  /** What was asked for is what is approved. */
  prepareForUpdate: (object, old) => {
    object.spec = structuredClone(old.spec);
  },
  validate,
  fieldSelectors: { 'spec.signerName': (object) => request(object).spec.signerName ?? '' },
  columns: [
    nameColumn,
    ageColumn,
    column('SignerName', 'Who is to sign it.', (object) => request(object).spec.signerName),
    column('Requestor', 'Who asks.', (object) => request(object).spec.username ?? ''),
    column('RequestedDuration', 'For how long.', (object) => {
      const { expirationSeconds } = request(object).spec;
      return expirationSeconds === undefined ? '<none>' : humanDuration(expirationSeconds * 1000);
    }),
    column('Condition', 'What was decided.', conditionText),
  ],
});
