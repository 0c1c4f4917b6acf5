import { ConfigurationError } from './configuration-error.ts';
import type { Container, Pod } from './pod.ts';

/** Whether what the image says decides if the container may run: it must not be root's, and names no user itself. */
export function dependsOnImageUser(pod: Pod, container: Container): boolean {
  return runsAsNonRoot(pod, container) && userOf(pod, container) === undefined;
}

/** Throws ConfigurationError for a container that must not run as root and would, as far as can be known. */
export function refuseRoot(pod: Pod, container: Container, imageUser: string): void {
  if (!runsAsNonRoot(pod, container)) return;
  const why = whyRoot(userOf(pod, container), imageUser);
  if (why === undefined) return;
  const { name, namespace, uid } = pod.metadata;
  throw new ConfigurationError(`${why} (pod: "${name}_${namespace}(${uid})", container: ${container.name})`);
}

function runsAsNonRoot({ spec }: Pod, { securityContext }: Container): boolean {
  return securityContext?.runAsNonRoot ?? spec.securityContext?.runAsNonRoot ?? false;
}

function userOf({ spec }: Pod, { securityContext }: Container): number | undefined {
  return securityContext?.runAsUser ?? spec.securityContext?.runAsUser;
}

/** `imageUser` is as images have it: `user`, `user:group`, or nothing for root. A name may be anybody's, root's too. */
function whyRoot(user: number | undefined, imageUser: string): string | undefined {
  if (user !== undefined) return user === 0 ? "container's runAsUser breaks non-root policy" : undefined;
  const [ofImage = ''] = imageUser.split(':');
  if (ofImage === '' || /^0+$/.test(ofImage)) return 'container has runAsNonRoot and image will run as root';
  if (!/^\d+$/.test(ofImage))
    return `container has runAsNonRoot and image has non-numeric user (${ofImage}), cannot verify user is non-root`;
  return undefined;
}
