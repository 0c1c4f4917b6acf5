import t from 'tap';
import { isUnstartable, runtimeError } from '../../../agent/runtime/docker-errors.ts';

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
  [
    'Podman',
    500,
    'normalizing image: normalizing name for compat API: repository name must be lowercase',
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

/* As Docker 20.10 and Podman 4.3.1 say it, both with runc 1.1. */
const INIT = 'runc create failed: unable to start container process';
const OF_INIT = `${INIT}: error during container init`;
for (const [what, message, wanted] of [
  ['no command', `${INIT}: exec: "nosuch": executable file not found in $PATH: unknown`, true],
  ['no file of users', `${INIT}: unable to setup user: unable to find user 0: read /etc/passwd`, true],
  ['no user', 'unable to find user nosuch: no matching entries in passwd file', true],
  [
    'a mount on a file',
    `${OF_INIT}: error mounting "/a" to rootfs at "/b": mount /a:/b: not a directory`,
    true,
  ],
  [
    'too little memory',
    `${OF_INIT}: error setting cgroup config for procHooks process: unable to set memory limit to 65536`,
    true,
  ],
  ['a folder that is a file', 'workdir "/f" exists on container 1a2b, but is not a directory', true],
  ['a network that ends', `${INIT}: cannot open /proc/12/ns/net: no such file or directory`, false],
  ['a control group in use', `${OF_INIT}: error setting cgroup config for procHooks process: EBUSY`, false],
  ['nothing', '', false],
] as const)
  t.test(`whether it cannot run as it is: ${what}`, async (t) => t.equal(isUnstartable(message), wanted));
