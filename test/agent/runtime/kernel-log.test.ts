import t from 'tap';
import { tellsOf } from '../../../agent/runtime/kernel-log.ts';

/* Of real kernels: test/e2e/{docker,podman}-engine.test.ts */

t.test('what the kernel says of who had no memory', async (t) => {
  const line = (group: string) =>
    `6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=libpod-b,mems_allowed=0,oom_memcg=${group},task_memcg=${group},task=sh,pid=1,uid=0\n`;
  t.ok(tellsOf(line('/libpod_parent/libpod-a1'), 'a1'));
  t.ok(tellsOf(line('/machine.slice/libpod-a1.scope/container'), 'a1'));
  t.ok(tellsOf(line('/docker/a1'), 'a1'));
  t.ok(tellsOf(line('/system.slice/docker-a1.scope'), 'a1'));
  t.notOk(tellsOf(line('/libpod_parent/libpod-a1'), 'b2'), 'of another');
  t.notOk(tellsOf('6,1,2,-;device a1 entered promiscuous mode', 'a1'), 'something else');
  t.notOk(tellsOf(line('/libpod_parent/libpod-a1').replace('oom-kill', 'x'), 'a1'));
});
