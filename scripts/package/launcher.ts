import { MOST_STARTS } from '../../agent/update/installation.ts';
import { AGENT_FLAGS, AGENT_MALLOC, HUB_FLAGS } from '../local-processes.ts';

/*
 * A shell's few lines, for any POSIX shell: what the kernel starts must be found from any link to it, and know the runtime
 * beside it.
 */

const HOME = 'home=$(dirname "$(dirname "$(readlink -f "$0")")")';
const program = (entry: string, flags: readonly string[]) =>
  `unset NODE_OPTIONS NODE_EXTRA_CA_CERTS
exec "$home/lib/node" ${flags.join(' ')} "$home/lib/${entry}" "$@"
`;

export const HUB_LAUNCHER = `#!/bin/sh
${HOME}
${program('hub/holdfast.mjs', HUB_FLAGS)}`;

const MALLOC = `export ${Object.entries(AGENT_MALLOC)
  .map(([name, value]) => `${name}=${value}`)
  .join(' ')}`;

/**
 * Takes the version that runs now: the one that somebody installed, this one, or a slot that it was updated in, below the
 * data directory; files and their meaning are told in agent/update/slots.ts. It changes nothing but the counts of starts.
 * While a version is tried, a shell watches it from outside: one that hangs can not end itself.
 */
const SLOTS = `
data_dir() {
  data=\${HOLDFAST_AGENT_DATA_DIR:-} config=\${HOLDFAST_AGENT_CONFIG:-/etc/holdfast/agent.yaml} flag='' last=''
  for word in "$@"; do
    case $last in --data-dir) flag=$word ;; --config) config=$word ;; esac
    case $word in --data-dir=*) flag=\${word#*=} ;; --config=*) config=\${word#*=} ;; esac
    last=$word
  done
  data=\${flag:-$data}
  if [ -z "$data" ] && [ -r "$config" ]; then
    data=$(sed -n "s/^dataDir:[[:space:]]*//p" "$config" | sed "s/[[:space:]]*#.*//; s/^[\\"']//; s/[\\"']*[[:space:]]*$//")
  fi
  echo "\${data:-/var/lib/holdfast/agent}"
}

folder_of() {
  case $1 in a | b) echo "$slots/$1" ;; base) echo "$home" ;; *) return 1 ;; esac
}

is_whole() {
  folder=$(folder_of "$1") && [ -x "$folder/bin/holdfast-agent" ] && [ -x "$folder/lib/node" ] &&
    [ -s "$folder/lib/agent/agent.mjs" ]
}

# The number of starts that are noted in a file.
starts() {
  if [ -r "$1" ]; then wc -l <"$1"; else echo 0; fi
}

# Notes one more start, on the disk.
note() {
  echo started >>"$1" && { sync "$1" 2>/dev/null || sync; }
}

# Ends this process, which has become the agent, unless it has proved itself in time.
watch() {
  left=$1
  while [ "$left" -gt 0 ]; do
    sleep 1
    [ -e "$slots/trial/slot" ] && kill -0 $$ 2>/dev/null || return
    left=$((left - 1))
  done
  echo Hung >"$slots/trial/failed"
  kill -9 $$
  sync "$slots/trial/failed" 2>/dev/null || sync
}

# A start that can not be noted could be one too many.
take_trial() {
  [ -e "$slots/trial/slot" ] && [ ! -e "$slots/trial/failed" ] || return 1
  read -r slot <"$slots/trial/slot" && read -r seconds <"$slots/trial/seconds" && is_whole "$slot" || return 1
  [ "$(starts "$slots/trial/starts")" -lt ${MOST_STARTS.ofTrial} ] && note "$slots/trial/starts" 2>/dev/null || return 1
  (watch "$seconds" </dev/null >/dev/null 2>&1 &)
}

# Who installs another package by hand gets that one.
take_current() {
  [ -r "$slots/current" ] && read -r slot version <"$slots/current" || return 1
  [ "$version" = "$(sed -n 's/^  "version": "\\(.*\\)",*$/\\1/p' "$home/package.json")" ] && is_whole "$slot"
}

# A version that ends again and again before it has done anything gives way to the one that was installed.
start_current() {
  take_current || return 1
  [ "$slot" != base ] || return 0
  [ "$(starts "$slots/starts")" -lt ${MOST_STARTS.inVain} ] || return 1
  note "$slots/starts" 2>/dev/null || true
}

if [ -z "\${HOLDFAST_AGENT_SLOT:-}" ]; then
  slots=$(data_dir "$@")/slots
  case \${1:-} in
    run) take_trial || start_current || slot=base ;;
    *) take_current || slot=base ;;
  esac
  export HOLDFAST_AGENT_SLOTS="$slots" HOLDFAST_AGENT_SLOT="$slot" HOLDFAST_AGENT_BASE="$home"
  if [ "$slot" != base ]; then exec "$slots/$slot/bin/holdfast-agent" "$@"; fi
fi
export HOLDFAST_AGENT_HOME="$home"
`;

export const AGENT_LAUNCHER = `#!/bin/sh
${HOME}
${SLOTS}${MALLOC}
${program('agent/agent.mjs', AGENT_FLAGS)}`;
