import { isDeepStrictEqual } from 'node:util';
import { forbidden } from '../resources/api-error.ts';
import type { KubeObject } from '../resources/object.ts';
import { certificateSigningRequests } from '../resources/table-of-resources.ts';
import type { CertificateSigningRequestObject } from '../resources/typed.ts';
import { CLIENT_SIGNER, parseCertificateRequest } from '../security/certificate-request.ts';
import type { Authorizer, User } from './attributes.ts';
import { ADMINISTRATORS } from './authorizers.ts';
import type { AdmittedWrite } from './write-checks.ts';

/*
 * Who may approve or sign requests for certificates is a matter of the signer: it takes the verb `approve` or `sign` on
 * `signers` of that name, or of its domain and a star.
 */

/** Throws 403 for approving or signing without being allowed to, and for asking for too much. */
export function checkSignerPermissions(authorizer: Authorizer, write: AdmittedWrite): void {
  const { resource, operation, subresource, object, old, user, name } = write;
  if (resource !== certificateSigningRequests || !object) return;
  if (operation === 'CREATE') {
    refuseAdministrators(object as CertificateSigningRequestObject);
    return;
  }
  const verb = subresource === 'approval' ? 'approve' : isSigning(write) ? 'sign' : undefined;
  const signer = (old as CertificateSigningRequestObject | undefined)?.spec.signerName ?? '';
  if (!verb || isAllowed(authorizer, user, verb, signer)) return;
  const why = `user not permitted to ${verb} requests with signerName ${JSON.stringify(signer)}`;
  throw forbidden(resource, name, why);
}

function isAllowed(authorizer: Authorizer, user: User, verb: string, signer: string): boolean {
  const domain = signer.split('/')[0] ?? '';
  return [signer, `${domain}/*`].some(
    (name) =>
      authorizer.authorize(user, {
        type: 'resource',
        verb,
        group: 'certificates.k8s.io',
        resource: 'signers',
        name,
      }).allowed,
  );
}

function isSigning({ subresource, object, old }: AdmittedWrite): boolean {
  if (subresource !== 'status') return false;
  const parts = (each: KubeObject | undefined) => {
    const { certificate, conditions = [] } =
      (each as CertificateSigningRequestObject | undefined)?.status ?? {};
    return {
      certificate: certificate || undefined,
      failed: conditions.find(({ type }) => type === 'Failed'),
    };
  };
  return !isDeepStrictEqual(parts(object), parts(old));
}

/** Nobody becomes an administrator by a certificate that somebody may have approved without a look at the groups. */
function refuseAdministrators(request: CertificateSigningRequestObject): void {
  if (request.spec?.signerName !== CLIENT_SIGNER) return;
  const parsed = parseCertificateRequest(request.spec.request ?? '');
  if (!parsed?.organizations.includes(ADMINISTRATORS)) return;
  const why = `use of ${CLIENT_SIGNER} signer with ${ADMINISTRATORS} group is not allowed`;
  throw forbidden(certificateSigningRequests, request.metadata.name ?? '', why);
}
