import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Programs that stand for systemd's and OpenRC's own where neither is: they note how they were called, read the file of the
 * service as those do, and start and stop the real process that it names.
 */

const SYSTEMCTL = `
unit=$root/etc/systemd/system/holdfast-agent.service
program=$(sed -n 's/^ExecStart=//p' "$unit" 2>/dev/null)
config=$(sed -n 's/^Environment=//p' "$unit" 2>/dev/null)
verb=$1
[ "$verb $2" != 'disable --now' ] || verb=stop
`;
const RC_SERVICE = `
service=$root/etc/init.d/holdfast-agent
program="$(sed -n 's/^command="\\(.*\\)"/\\1/p' "$service" 2>/dev/null) run"
config=$(sed -n "s/^export \\(.*\\)'\\(.*\\)'/\\1\\2/p" "$service" 2>/dev/null)
verb=$2
`;
const ACT = `
running() { pid=$(cat "$here/pid" 2>/dev/null) && grep -qs holdfast "/proc/$pid/cmdline"; }
stop() { running && kill "$pid" && while running; do sleep 0.1; done; rm -f "$here/pid"; }
start() { running || { setsid env "$config" $program </dev/null >>"$here/log" 2>&1 & echo $! >"$here/pid"; }; }
case $verb in
start) start ;;
stop) stop ;;
restart) stop; start ;;
is-active | status) running ;;
esac
`;

export class ServiceManager {
  /** To be the first of PATH. */
  readonly bin: string;
  readonly #dir: string;

  /** `root`: of the device. */
  constructor(dir: string, root: string) {
    this.#dir = dir;
    this.bin = join(dir, 'bin');
    mkdirSync(this.bin, { recursive: true });
    const put = (name: string, text: string) => {
      const head = `#!/bin/sh\nhere='${dir}'\nroot='${root}'\necho "${name} $*" >>"$here/calls"\n`;
      writeFileSync(join(this.bin, name), head + text, { mode: 0o755 });
    };
    put('systemctl', SYSTEMCTL + ACT);
    put('rc-service', RC_SERVICE + ACT);
    put('rc-update', '');
  }

  /** What was asked of it since the last time; questions are left out. */
  calls(): string[] {
    const file = join(this.#dir, 'calls');
    const all = readFileSync(file, 'utf8').split('\n').filter(Boolean);
    writeFileSync(file, '');
    return all.filter((call) => !/is-active| status$/.test(call));
  }
}
