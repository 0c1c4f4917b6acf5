#!/bin/sh
# Removes what install.sh of Holdfast has made on this device: the agent, its service, its data and who the device is.
# Containers go on running unless --containers is given. Run again, it finds nothing to do.

set -u

usage() {
  cat <<'USAGE'
Removes holdfast-agent, its service, its settings and all its data from this device.

  holdfast-agent-uninstall [flags]

  --containers  removes the containers of this device's pods as well; otherwise they go on running, and nobody heals them
  --keep-data   leaves the identity and the pods' volumes: the next install needs no token, and is the same device
  --dry-run     says what would be removed, and removes nothing
  --root DIR    below this directory (HOLDFAST_ROOT)
  --help        this text

The hub keeps the node, as NotReady: "kubectl delete node NAME" removes it there.
USAGE
}

say() { printf '%s\n' "$*"; }
die() {
  printf 'uninstall.sh: %s\n' "$*" >&2
  exit 1
}

root=${HOLDFAST_ROOT-}
is_dry=
with_containers=
keeps_data=
is_found=
mark="# Made by Holdfast's install.sh"

read_flags() {
  while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --dry-run) is_dry=1 ;;
    --containers) with_containers=1 ;;
    --keep-data) keeps_data=1 ;;
    --root)
      [ $# -gt 1 ] || die '--root needs a directory'
      root=$2
      shift
      ;;
    *) die "no flag \"$1\": --help tells which there are" ;;
    esac
    shift
  done
  [ -n "$root" ] || [ "$(id -u)" = 0 ] || die 'root is needed: run it with sudo'
  case $root in
  '' | /*) root=${root%/} ;;
  *) die "--root must be a whole path, is \"$root\"" ;;
  esac
}

find_places() {
  lib=$root/usr/local/lib/holdfast-agent
  bin=$root/usr/local/bin
  etc=$root/etc/holdfast
  unit=$root/etc/systemd/system/holdfast-agent.service
  openrc=$root/etc/init.d/holdfast-agent
  pid_file=$root/run/holdfast-agent.pid
  log_file=$root/var/log/holdfast-agent.log
  settings=$etc/agent.yaml
  [ -f "$settings" ] || settings=/dev/null
  data=$(setting dataDir)
  : "${data:=$root/var/lib/holdfast/agent}"
  run=$(setting runDir)
  : "${run:=$root/run/holdfast/agent}"
  node=$(sed -n 's/.*"node":"\([^"]*\)".*/\1/p' "$data/identity.json" 2>/dev/null)
}

setting() {
  sed -n "s/^$1:[[:space:]]*//p" "$settings" | sed -e 's/[[:space:]]*$//' -e "s/^[\"']//" -e "s/[\"']\$//" | head -n 1
}

is_ours() { grep -qsF "$mark" "$1"; }
is_there() { [ -e "$1" ] || [ -h "$1" ]; }

# PATH...
remove() {
  for each in "$@"; do
    is_there "$each" || continue
    is_found=1
    if [ -n "$is_dry" ]; then
      say "would remove $each"
    else
      problem=$(rm -rf "$each" 2>&1) || die "\"$each\" can not be removed: $(printf '%s' "$problem" | tail -n 1)"
    fi
  done
}

# File systems that the agent mounted for pods, whose containers have mounts of their own. What stays mounted must not
# be removed: it may be a part of the machine's own files.
unmount_below() {
  [ -z "$is_dry" ] || return 0
  for each in $(mounted_below "$1"); do umount -l "$each" 2>/dev/null; done
  [ -z "$(mounted_below "$1")" ] || die "\"$(mounted_below "$1" | head -n 1)\" is mounted and can not be unmounted"
}

mounted_below() {
  while read -r _ _ _ _ point _; do
    case $point in "$1"/*) say "$point" ;; esac
  done 2>/dev/null </proc/self/mountinfo
}

# Directories that others may use as well.
remove_empty() {
  [ -z "$is_dry" ] || return 0
  for each in "$@"; do rmdir "$each" 2>/dev/null; done
}

# WHAT COMMAND...: what fails because there is nothing to do is no matter.
act() {
  what=$1
  shift
  is_found=1
  if [ -n "$is_dry" ]; then say "would $what"; else "$@" >/dev/null 2>&1; fi
}

stop_service() {
  if is_ours "$unit"; then
    act 'stop and disable holdfast-agent.service' systemctl disable --now holdfast-agent.service
    remove "$unit"
    [ -n "$is_dry" ] || systemctl daemon-reload >/dev/null 2>&1
  fi
  if is_ours "$openrc"; then
    act 'stop the service holdfast-agent' rc-service holdfast-agent stop
    act 'take it out of the runlevel' rc-update del holdfast-agent
    remove "$openrc"
  fi
  pid=$(cat "$pid_file" 2>/dev/null)
  if [ -n "$pid" ] && is_supervisor "$pid"; then
    act "stop the agent (process $pid)" stop_process "$pid"
  fi
  remove "$pid_file"
}

# What has ended and was not waited for has a process still, but no command line.
is_supervisor() { [ -r "/proc/$1/cmdline" ] && tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF "$lib/supervise"; }

stop_process() {
  kill -TERM "$1"
  waited=0
  while is_supervisor "$1" && [ $waited -lt 150 ]; do
    sleep 0.2 2>/dev/null || sleep 1
    waited=$((waited + 1))
  done
}

# By the agent itself, which knows which are its own; it must still be there.
remove_containers() {
  agent=$bin/holdfast-agent
  [ -x "$agent" ] && [ -f "$data/identity.json" ] || return 0
  if [ -n "$is_dry" ]; then
    say "would remove the containers of $node"
    return
  fi
  set -- engine remove-containers
  [ "$settings" = /dev/null ] || set -- "$@" --config "$settings"
  said=$("$agent" "$@" 2>&1 </dev/null) ||
    die "the containers can not be removed, and nothing else was: $(say "$said" | grep '^holdfast-agent' | head -n 1)"
  say "$said" | tail -n 1
}

remove_settings() {
  remove "$etc/join.yaml"
  [ -n "$keeps_data" ] || remove "$etc/hub-ca.crt" # whom a device trusts is a part of who it is
  if is_ours "$settings"; then
    remove "$settings"
  elif [ "$settings" != /dev/null ]; then
    say "$settings stays: it was not made by install.sh"
  fi
}

main() {
  read_flags "$@"
  find_places
  stop_service
  [ -z "$with_containers" ] || remove_containers
  case $(readlink "$bin/holdfast-agent" 2>/dev/null) in
  ../lib/holdfast-agent/*) remove "$bin/holdfast-agent" "$bin/holdfast-agent-uninstall" ;;
  esac
  unmount_below "$run"
  remove "$run"
  [ -n "$keeps_data" ] || remove "$data"
  remove_settings
  remove "$log_file" "$log_file.1" "$lib"
  remove_empty "$root/run/holdfast" "$root/var/lib/holdfast" "$etc"
  tell_result
}

tell_result() {
  if [ -z "$is_found" ]; then
    say 'holdfast-agent is not installed: there is nothing to remove'
  elif [ -n "$is_dry" ]; then
    say 'nothing was changed'
  else
    say "holdfast-agent is removed${keeps_data:+; who the device is stays in $data}"
    [ -n "$with_containers" ] || [ -z "$node" ] ||
      say "Containers of its pods go on running: docker rm -f \$(docker ps -aq --filter label=holdfast.dev/node=$node)"
    [ -z "$node" ] || say "On the hub: kubectl delete node $node"
  fi
}

main "$@"
