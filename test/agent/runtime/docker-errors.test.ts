import t from 'tap';
import { runtimeError } from '../../../agent/runtime/docker-errors.ts';

/* What engines answer in the words of each, and what the plan is told. */

const ROWS: readonly (readonly [engine: string, statusCode: number, message: string, kind: string])[] = [
  ['Docker', 404, 'No such container: 1a2b', 'gone'],
  ['Docker', 404, 'No such image: app:1', 'image-absent'],
  ['Docker', 409, 'Container 1a2b is not running', 'gone'],
  [
    'Docker',
    409,
    'Conflict. The container name "/hf.a" is already in use by container "1a2b". You have to remove it',
    'name-taken',
  ],
  [
    'Docker',
    500,
    'driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated',
    'port-taken',
  ],
  ['Docker', 500, 'no space left on device', 'disk-full'],
  ['Docker', 400, 'invalid reference format: repository name must be lowercase', 'image-name'],
  [
    'Podman',
    400,
    'normalizing name "App": invalid reference format: repository name must be lowercase',
    'image-name',
  ],
  ['Docker', 500, 'Get "https://r/v2/app/manifests/1": no basic auth credentials', 'image-denied'],
  ['Docker', 404, 'pull access denied for r/app, repository does not exist', 'image-denied'],
  ['Docker', 500, 'unauthorized: authentication required', 'image-denied'],
  ['Podman', 404, 'no container with name or ID "1a2b" found: no such container', 'gone'],
  ['Podman', 500, 'container 1a2b does not exist in database: no such container', 'gone'],
  ['Podman', 404, 'no such image: app:1: image not known', 'image-absent'],
  ['Podman', 404, 'failed to find image app:1: docker.io/library/app:1: No such image', 'image-absent'],
  [
    'Podman',
    500,
    'can only kill running containers. 1a2b is in state exited: container state improper',
    'gone',
  ],
  [
    'Podman',
    500,
    'container create: creating container storage: the container name "hf.a" is already in use by 1a2b. You have to remove that container to be able to reuse that name: that name is already in use',
    'name-taken',
  ],
  [
    'Podman',
    500,
    'cannot listen on the TCP port: listen tcp4 :80: bind: address already in use',
    'port-taken',
  ],
];

for (const [engine, statusCode, message, kind] of ROWS)
  t.test(`${engine}: ${message.slice(0, 60)}`, async (t) => {
    t.match(runtimeError('start container', { statusCode, json: { message } }), {
      kind,
      message: `start container: ${message}`,
    });
  });
