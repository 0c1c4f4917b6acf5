import type { Registry } from '../../registry/registry.ts';
import { certificateSigningRequests } from '../../resources/table-of-resources.ts';
import { formatTime } from '../../resources/time.ts';
import type { CertificateSigningRequestObject } from '../../resources/typed.ts';
import { type ControllerContext, type Running, startController, unlessGone } from '../controller.ts';
import { changeExisting } from '../status.ts';
import { expiryOf } from './certificate-lifetime.ts';

const NAME = 'certificate-controller';
const SOURCE = { fieldManager: NAME, subresource: 'status' };

/** A certificate in PEM, why there can be none, or undefined for a signer that is somebody else's. */
export type Signing = { readonly certificate: string } | { readonly problem: string } | undefined;

/** Signs what is asked for in `spec`. */
export type Sign = (spec: CertificateSigningRequestObject['spec']) => Promise<Signing>;

/** Signs approved certificate signing requests, and removes those that nobody needs any more. */
export function startCertificateController(context: ControllerContext, sign: Sign): Running {
  const { registry, now } = context;
  return startController(context, {
    name: NAME,
    watches: [
      {
        resource: certificateSigningRequests,
        keys: ({ type, object }) => (type === 'DELETED' ? [] : [object.metadata.name ?? '']),
      },
    ],
    sync: async (name) => {
      const request = registry.get(certificateSigningRequests, undefined, name) as
        | CertificateSigningRequestObject
        | undefined;
      if (!request) return undefined;
      const leftMs = expiryOf(request) - now();
      if (leftMs <= 0) {
        await remove(registry, request);
        return undefined;
      }
      if (isToSign(request)) await answer(context, request, await sign(request.spec));
      return leftMs;
    },
  });
}

function isToSign({ status }: CertificateSigningRequestObject): boolean {
  const has = (wanted: string) =>
    (status?.conditions ?? []).some(({ type, status: is }) => type === wanted && is === 'True');
  return has('Approved') && !has('Denied') && !has('Failed') && !status?.certificate;
}

async function answer(
  { registry, now, events }: ControllerContext,
  request: CertificateSigningRequestObject,
  signing: Signing,
): Promise<void> {
  if (!signing) return;
  const { status } = request;
  const isSigned = 'certificate' in signing;
  const next = isSigned
    ? { ...status, certificate: Buffer.from(signing.certificate).toString('base64') }
    : { ...status, conditions: [...(status?.conditions ?? []), failed(signing.problem, now())] };
  await changeExisting(
    registry,
    certificateSigningRequests,
    request,
    (current) => ({ ...current, status: next }),
    SOURCE,
  );
  events.record(NAME, request, {
    type: isSigned ? 'Normal' : 'Warning',
    reason: isSigned ? 'Issued' : 'SignerValidationFailure',
    message: isSigned ? 'The certificate was issued' : signing.problem,
  });
}

function failed(message: string, nowMs: number) {
  const time = formatTime(nowMs);
  return {
    type: 'Failed',
    status: 'True',
    reason: 'SignerValidationFailure',
    message,
    lastUpdateTime: time,
    lastTransitionTime: time,
  };
}

async function remove(registry: Registry, { metadata }: CertificateSigningRequestObject): Promise<void> {
  const { name = '', uid = '' } = metadata;
  const options = { preconditions: { uid } };
  await unlessGone(registry.delete(certificateSigningRequests, undefined, name, options));
}
