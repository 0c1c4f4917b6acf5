import { globSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';

/* Of the first version: where a machine has its own part of each tree, and sees no more of it. */

const TREES = '/sys/fs/cgroup';

/** A shell's lines that put it into a new group of each tree, NAME, and go on with a command that sees that as the root. */
export const JOIN_GROUPS = `
set -e
name=$1
shift
for tree in ${TREES}/*/; do
  [ -e "$tree/tasks" ] || continue
  mkdir "$tree$name"
  case $tree in
  */cpuset/) for each in cpus mems; do cat "$tree/cpuset.$each" >"$tree$name/cpuset.$each"; done ;;
  esac
  echo $$ >"$tree$name/cgroup.procs"
done
exec "$@"
`;

/** A shell's lines that mount them in the root of such a machine, the working directory. */
export const MOUNT_GROUPS = `
mount -t tmpfs none sys/fs/cgroup
sed -n 's/^[0-9]*:\\([^:]\\{1,\\}\\):.*/\\1/p' /proc/self/cgroup | while read -r tree; do
  mkdir "sys/fs/cgroup/\${tree#name=}"
  case $tree in
  name=*) mount -t cgroup -o "none,$tree" none "sys/fs/cgroup/\${tree#name=}" ;;
  *) mount -t cgroup -o "$tree" none "sys/fs/cgroup/$tree" ;;
  esac
done
`;

/** When nothing runs in them any more. */
export function removeGroups(name: string): void {
  const groups = globSync(`${TREES}/*/${name}/**/cgroup.procs`).map((file) => dirname(file));
  for (const group of groups.sort((a, b) => b.length - a.length)) rmdirSync(group); // what is below comes first
}
