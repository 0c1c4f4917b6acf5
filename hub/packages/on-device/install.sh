#!/bin/sh
# Installs the agent of Holdfast on this device, and joins it to the hub that serves this script:
#
#   curl -sfL --cacert ca.crt https://HUB:6443/install.sh | HOLDFAST_TOKEN=... sh -
#
# Nothing is believed but the token: it holds the hash of the hub's certificate, with which everything else is checked.
# Either all is done, or the device is as it was before. The last line of this file begins the work: a script that breaks
# off does nothing.

set -u
umask 022

# The hub writes these two in when it serves this script.
hub_url='@HUB_URL@'
hub_grpc_port='@HUB_GRPC_PORT@'

usage() {
  cat <<'USAGE'
Installs holdfast-agent on this device and joins it to a hub; run again, it upgrades the agent or changes nothing.

  curl -sfL --cacert ca.crt https://HUB:6443/install.sh | HOLDFAST_TOKEN=... sh -s - [flags]

  --dry-run          says what would be done, and changes nothing
  --install-engine   installs Debian's docker.io where there is no container engine
  --no-start         installs only, and leaves the joining to the first start: for images
  --version VERSION  another version than the newest that the hub has (HOLDFAST_VERSION)
  --init SYSTEM      systemd, openrc or plain, where it is not found out rightly (HOLDFAST_INIT)
  --root DIR         below this directory; with --no-start as the root of an image (HOLDFAST_ROOT)
  --arch ARCH        amd64 or arm64, for an image of another machine
  --help             this text

Environment:
  HOLDFAST_TOKEN      the join token: "holdfast token create" on the hub prints one; not needed once joined
  HOLDFAST_URL        https://HOST:PORT of the hub, where it is not the one that served this script
  HOLDFAST_HUB        HOST:PORT of the hub's gRPC port, where that is not on the same host
  HOLDFAST_NODE_NAME  the name to join under (the host's); {hostname}, {serial}, {mac} and {machine-id} stand for the device's
  HOLDFAST_TRANSPORT  auto, mqtt or grpc
  DOCKER_HOST         unix:///path of the engine's socket
USAGE
}

say() { printf '%s\n' "$*"; }
warn() { printf 'install.sh: %s\n' "$*" >&2; }
die() {
  warn "$*"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# ---- what is wanted

is_dry=
is_started_later=
may_install_engine=
token=${HOLDFAST_TOKEN-}
version=${HOLDFAST_VERSION-}
init=${HOLDFAST_INIT-}
root=${HOLDFAST_ROOT-}
node_name=${HOLDFAST_NODE_NAME-}
transport=${HOLDFAST_TRANSPORT-}
wanted_url=${HOLDFAST_URL-}
wanted_join=${HOLDFAST_HUB-}
wanted_engine=${DOCKER_HOST-}
arch=
# The agent takes variables before its files, and those of this shell will not be there when it starts again.
unset HOLDFAST_TOKEN HOLDFAST_VERSION HOLDFAST_INIT HOLDFAST_ROOT HOLDFAST_NODE_NAME HOLDFAST_TRANSPORT HOLDFAST_URL
unset HOLDFAST_HUB HOLDFAST_TOKEN_FILE HOLDFAST_JOIN_FILE HOLDFAST_AGENT_CONFIG HOLDFAST_AGENT_DATA_DIR DOCKER_HOST
unset HOLDFAST_AGENT_RUN_DIR

read_flags() {
  while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --dry-run) is_dry=1 ;;
    --install-engine) may_install_engine=1 ;;
    --no-start) is_started_later=1 ;;
    --version | --init | --root | --arch)
      [ $# -gt 1 ] || die "$1 needs a value: --help tells which"
      case $1 in
      --version) version=$2 ;;
      --init) init=$2 ;;
      --root) root=$2 ;;
      --arch) arch=$2 ;;
      esac
      shift
      ;;
    *) die "no flag \"$1\": --help tells which there are" ;;
    esac
    shift
  done
}

check_wishes() {
  [ -n "$root" ] || [ "$(id -u)" = 0 ] || die 'root is needed: run it with "sudo sh"'
  case $root in
  '' | /*) root=${root%/} ;;
  *) die "--root must be a whole path, is \"$root\"" ;;
  esac
  case $transport in
  '' | auto | mqtt | grpc) ;;
  *) die "HOLDFAST_TRANSPORT must be auto, mqtt or grpc, is \"$transport\"" ;;
  esac
  case $node_name in
  *[!A-Za-z0-9.{}-]*) die "HOLDFAST_NODE_NAME must be letters, digits, \"-\" and \".\", is \"$node_name\"" ;;
  esac
  # An image meets its mistakes at the first start of each device, where nobody looks.
  case $(printf '%s' "$node_name" | sed -e 's/{hostname}//g; s/{serial}//g; s/{machine-id}//g; s/{mac}//g') in
  *[{}]*) die "HOLDFAST_NODE_NAME may have {hostname}, {serial}, {machine-id} and {mac} in it, is \"$node_name\"" ;;
  esac
  case $wanted_engine in
  *[[:space:]]*) die "DOCKER_HOST must be as unix:///path, is \"$wanted_engine\"" ;;
  esac
  case $version in
  *[!A-Za-z0-9.-]*) die "--version must be as 1.2.3, is \"$version\"" ;;
  esac
  if [ -n "$token" ] && ! printf '%s' "$token" | grep -Eqx 'HF1[0-9a-f]{64}::[a-z0-9]{6}\.[a-z0-9]{32}'; then
    die 'HOLDFAST_TOKEN must be as HF1<64 hex digits>::<id>.<secret>: copy all of what "holdfast token create" printed'
  fi
  find_arch
  find_hub
}

find_arch() {
  machine=$(uname -m)
  case $machine in
  x86_64 | amd64) own_arch=amd64 ;;
  aarch64 | arm64) own_arch=arm64 ;;
  *) own_arch=$machine ;;
  esac
  : "${arch:=$own_arch}"
  case $arch in
  amd64 | arm64) ;;
  *) die "this device is $arch: the agent runs on amd64 (x86_64) and arm64 (aarch64)" ;;
  esac
  [ "$arch" = "$own_arch" ] || [ -n "$is_started_later" ] || die "--arch $arch is for images: use --no-start as well"
}

# Nothing but the characters of addresses is taken: they are written into files.
find_hub() {
  case $hub_url in @*) hub_url= ;; esac
  case $hub_grpc_port in @*) hub_grpc_port=6444 ;; esac
  hub_url=${wanted_url:-$hub_url}
  [ -n "$hub_url" ] || die 'HOLDFAST_URL must say where the hub is: https://HOST:6443'
  hub_at=${hub_url#https://}
  hub_at=${hub_at%/}
  case $hub_url in https://*) ;; *) hub_at= ;; esac
  case $hub_at in
  '' | *[!][A-Za-z0-9.:_-]*) die "HOLDFAST_URL must be https://HOST:PORT, is \"$hub_url\"" ;;
  '['*']' | '['*']':*) hub_host=${hub_at%%']'*}']' ;;
  *) hub_host=${hub_at%%:*} ;;
  esac
  [ "$hub_at" = "$hub_host" ] && hub_at=$hub_host:6443
  hub_url=https://$hub_at
  hub_join=${wanted_join:-$hub_host:$hub_grpc_port}
  case $hub_join in
  *[!][A-Za-z0-9.:_-]*) die "HOLDFAST_HUB must be HOST:PORT, is \"$hub_join\"" ;;
  esac
}

# ---- where things are

mark="# Made by Holdfast's install.sh"

find_places() {
  lib=$root/usr/local/lib/holdfast-agent
  bin=$root/usr/local/bin
  etc=$root/etc/holdfast
  unit=$root/etc/systemd/system/holdfast-agent.service
  openrc=$root/etc/init.d/holdfast-agent
  pid_file=$root/run/holdfast-agent.pid
  log_file=$root/var/log/holdfast-agent.log
  settings=$etc/agent.yaml
  join_file=$etc/join.yaml
  ca_file=$etc/hub-ca.crt
  # Paths as the device itself sees them: in an image, the directory that it is made in is its root.
  own_root=$root
  [ -z "$is_started_later" ] || own_root=
  data=$(setting dataDir)
  : "${data:=$root/var/lib/holdfast/agent}"
  run=$(setting runDir)
  : "${run:=$root/run/holdfast/agent}"
}

# NAME: what the owner of the device has written, if anything.
setting() {
  [ -f "$settings" ] || return 0
  sed -n "s/^$1:[[:space:]]*//p" "$settings" | sed -e 's/[[:space:]]*$//' -e "s/^[\"']//" -e "s/[\"']\$//" | head -n 1
}

find_init() {
  if [ -z "$init" ]; then
    if [ -d "$root/run/systemd/system" ]; then
      init=systemd
    elif [ -e "$root/run/openrc/softlevel" ] || { [ -n "$is_started_later" ] && [ -x "$root/sbin/openrc-run" ]; }; then
      init=openrc
    elif [ -n "$is_started_later" ] && [ -x "$root/lib/systemd/systemd" ]; then
      init=systemd
    else
      init=plain
    fi
  fi
  case $init in
  systemd) have systemctl || die 'systemctl is needed, and is not there' ;;
  openrc) have rc-service || [ -n "$is_started_later" ] || die 'rc-service is needed, and is not there' ;;
  plain) ;;
  *) die "--init must be systemd, openrc or plain, is \"$init\"" ;;
  esac
}

# What is called as ours is called, and is not ours, is left alone.
refuse_foreign() {
  for each in "$unit" "$openrc" "$lib/supervise"; do
    [ ! -e "$each" ] || grep -qF "$mark" "$each" ||
      die "\"$each\" is there, and was not made by this script: remove it, or install by hand"
  done
  for each in "$root/lib/systemd/system" "$root/usr/lib/systemd/system"; do
    [ ! -e "$each/holdfast-agent.service" ] ||
      die 'the Debian package holdfast-agent is installed: upgrade it with apt-get, or remove it first'
  done
  each=$bin/holdfast-agent
  if [ -e "$each" ] || [ -h "$each" ]; then
    case $(readlink "$each") in
    ../lib/holdfast-agent/*) ;;
    *) die "\"$each\" is there, and was not made by this script: remove it first" ;;
    esac
  fi
}

# The nearest directory that is there tells whether what is to come below it can be made.
refuse_read_only() {
  for each in "$lib" "$bin" "$etc" "$(service_file)" "$data"; do
    near=$each
    while [ ! -d "$near" ]; do near=$(dirname "$near"); done
    [ -w "$near" ] || die "\"$near\" can not be written: is it read-only?"
  done
}

service_file() {
  case $init in
  systemd) say "$unit" ;;
  openrc) say "$openrc" ;;
  *) say "$lib/supervise" ;;
  esac
}

# ---- what was done, so that it can be undone

work=
undo_list=
is_done=
was_running=
is_disturbed=
before=0

note() { # WHAT NUMBER PATH
  undo_list="$1 $2 $3
$undo_list"
}

# Before a file is changed or made.
remember() {
  before=$((before + 1))
  if [ -e "$1" ] || [ -h "$1" ]; then
    attempt "keep \"$1\" as it was" cp -pP "$1" "$work/before.$before"
    note file "$before" "$1"
  else
    note new 0 "$1"
  fi
}

make_directory() {
  [ ! -d "$1" ] || return 0
  make_directory "$(dirname "$1")"
  mkdir "$1" 2>/dev/null || [ -d "$1" ] || die "\"$1\" can not be made: $(mkdir "$1" 2>&1)"
  note directory 0 "$1"
}

# WHAT COMMAND...: or dies with what the command said. It is kept in memory: the disk may be full.
attempt() {
  what=$1
  shift
  problem=$("$@" 2>&1 </dev/null) || die "$what: $(last_line "$problem")"
}

# Of what a program said, the line that tells most. OpenRC goes on to talk after an error.
last_line() {
  printf '%s\n' "$1" | grep -m 1 'No space left' || printf '%s\n' "$1" | sed -n 's/^ \* ERROR: //p' | grep -m 1 . ||
    printf '%s\n' "$1" | grep . | tail -n 1 | grep . || say 'it said nothing'
}

undo() {
  [ -z "$is_disturbed" ] || [ -n "$is_dry" ] || service stop >/dev/null 2>&1
  printf '%s' "$undo_list" | while read -r what number path; do
    case $what in
    file) cp -pP "$work/before.$number" "$path.undo" && mv -f "$path.undo" "$path" ;;
    new) rm -f "$path" ;;
    tree) rm -rf "$path" ;;
    enabled) service disable >/dev/null 2>&1 ;;
    esac
  done
  [ -z "$is_disturbed" ] || service forget >/dev/null 2>&1
  [ -z "$is_disturbed" ] || [ -z "$was_running" ] || service start >/dev/null 2>&1
}

finish() {
  code=$1
  trap - EXIT
  trap : INT TERM HUP # not '': what is started here would ignore them for ever
  [ -n "$is_done" ] || undo
  [ -z "$work" ] || rm -rf "$work"
  if [ -z "$is_done" ]; then
    printf '%s' "$undo_list" | while read -r what _ path; do
      [ "$what" != directory ] || rmdir "$path" 2>/dev/null
    done
  fi
  exit "$code"
}

# A place to work in, on the disk where the result goes to; also what keeps two of this script apart.
begin_work() {
  trap 'finish $?' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  if [ -n "$is_dry" ]; then
    work=$(mktemp -d) || die 'a temporary directory is needed: is the disk full?'
    return
  fi
  make_directory "$lib"
  if ! mkdir "$lib/.install" 2>/dev/null; then
    other=$(cat "$lib/.install/pid" 2>/dev/null)
    [ -z "$other" ] || ! kill -0 "$other" 2>/dev/null || die "another install.sh is at work here (process $other)"
    rm -rf "$lib/.install" # one that was cut off
    problem=$(mkdir "$lib/.install" 2>&1) || die "\"$lib\" can not be written: $problem"
  fi
  work=$lib/.install
  chmod 700 "$work"
  : >"$work/no-settings"
  { echo $$ >"$work/pid"; } 2>/dev/null || die "\"$lib\" can not be written: the disk is full"
}

# ---- what the hub says

find_tools() {
  for each in openssl tar gzip sha256sum sed grep; do
    have "$each" || die "\"$each\" is needed: on Debian, apt-get install -y $each"
  done
  if have curl; then
    fetcher=curl
  elif have wget && wget --version 2>/dev/null | grep -q 'GNU Wget'; then
    fetcher=wget
  else
    die 'curl or GNU wget is needed: on Debian, apt-get install -y curl'
  fi
}

# PATH FILE [unverified]
fetch() {
  case $fetcher in
  curl) fetch_with_curl "$@" ;;
  wget) fetch_with_wget "$@" ;;
  esac
}

fetch_with_curl() {
  from=$hub_url$1
  to=$2
  if [ "${3-}" = unverified ]; then set -- -k; else set -- --cacert "$work/ca.crt"; fi
  # Standard output has the status, or else what went wrong.
  status=$(curl -sS "$@" --connect-timeout 15 --max-time 60 --max-filesize 1048576 -o "$to" -w '%{http_code}' "$from" \
    2>&1 </dev/null)
  code=$?
  [ $code = 0 ] || fetch_failed "$code" "${status%???}"
  [ "$status" = 200 ] || die "the hub refuses \"$from\" ($status): $(head -n 1 "$to")"
}

fetch_with_wget() {
  from=$hub_url$1
  to=$2
  if [ "${3-}" = unverified ]; then set -- --no-check-certificate; else set -- --ca-certificate="$work/ca.crt"; fi
  problem=$(wget -nv "$@" --tries=1 --timeout=15 --content-on-error -O "$to" "$from" 2>&1 </dev/null)
  code=$?
  [ $code != 8 ] || die "the hub refuses \"$from\": $(head -n 1 "$to")"
  [ $code = 0 ] || fetch_failed "$code" "$problem"
}

fetch_failed() { # the code of curl or wget, and what it said
  why=$(last_line "$2")
  case $fetcher$1 in
  curl60 | wget5) die "the hub does not prove to be \"$hub_host\": its setting tlsSan must have that name ($why)" ;;
  curl23 | wget3) die "\"$work\" can not be written: is the disk full? ($why)" ;;
  *) die "the hub at $hub_url can not be reached: check the address, and that the port is open ($why)" ;;
  esac
}

# The certificate is what all trust comes from: it is the one that the token pins, or the one of the hub that this device
# has joined already.
fetch_ca() {
  wanted=
  if [ -f "$ca_file" ]; then
    wanted=$(fingerprint "$ca_file")
    [ -z "$token" ] || [ "$wanted" = "$(token_pin)" ] || [ ! -f "$data/identity.json" ] ||
      die 'this device has joined another hub than the one of this token: holdfast-agent-uninstall removes it first'
  fi
  [ -z "$token" ] || wanted=$(token_pin)
  [ -n "$wanted" ] || die 'HOLDFAST_TOKEN is needed: "holdfast token create" on the hub prints one'
  fetch /cacerts "$work/ca.crt" unverified
  found=$(fingerprint "$work/ca.crt")
  [ "$found" = "$wanted" ] ||
    die "the hub at $hub_url is not the one that made this token: its certificate has another hash; check the address, or make a new token there"
}

token_pin() {
  pin=${token#HF1}
  say "${pin%%::*}"
}

fingerprint() {
  openssl x509 -in "$1" -outform DER 2>/dev/null | openssl dgst -sha256 -r | sed 's/ .*//'
}

# Sets package, checksum, version.
choose_package() {
  fetch /packages/SHA256SUMS "$work/sums"
  fetch /packages/SHA256SUMS.sig "$work/sums.sig"
  problem=$(openssl x509 -in "$work/ca.crt" -noout -pubkey 2>&1 >"$work/key.pem") ||
    die "the hub's key can not be read: $(last_line "$problem")"
  openssl dgst -sha256 -verify "$work/key.pem" -signature "$work/sums.sig" "$work/sums" >/dev/null 2>&1 ||
    die "the list of packages at $hub_url is not signed by the hub: somebody changed it on its way"
  grep -qx '# holdfast packages v1' "$work/sums" || die 'the list of packages is of a kind that this script does not know'
  pattern='[0-9][0-9A-Za-z.-]*'
  [ -z "$version" ] || pattern=$(say "$version" | sed 's/\./\\./g')
  line=$(grep -E "^[0-9a-f]{64}  holdfast-agent-$pattern-linux-$arch\\.tar\\.gz\$" "$work/sums" | tail -n 1)
  [ -n "$line" ] ||
    die "the hub has no agent ${version:+$version }for $arch: there are $(sed -n 's/^[0-9a-f]*  //p' "$work/sums" | tr '\n' ' ')- on the hub, \"holdfast packages add FILE\" adds one"
  checksum=${line%% *}
  package=${line##* }
  version=${package#holdfast-agent-}
  version=${version%-linux-*}
  home=$lib/$version-$(say "$checksum" | cut -c 1-12)
}

# ---- the package

# Goes on where it broke off.
download() {
  tries=0
  while :; do
    problem=$(download_rest 2>&1 </dev/null)
    code=$?
    [ $code != 0 ] || return 0
    tries=$((tries + 1))
    case $fetcher$code in curl23 | wget3) fetch_failed $code "$problem" ;; esac
    [ $tries -lt 5 ] || die "\"$package\" can not be downloaded: $(last_line "$problem")"
    sleep $tries
  done
}

download_rest() {
  from=$hub_url/packages/$package
  case $fetcher in
  curl) curl -sSf --cacert "$work/ca.crt" --connect-timeout 15 --speed-limit 100 --speed-time 60 -C - -o "$work/package" "$from" ;;
  wget) wget -nv --ca-certificate="$work/ca.crt" --tries=1 --timeout=60 -c -O "$work/package" "$from" ;;
  esac
}

unpack() {
  found=$(sha256sum "$work/package" | sed 's/ .*//')
  [ "$found" = "$checksum" ] ||
    die "\"$package\" is damaged: its SHA-256 must be $checksum, is $found; on the hub, add it again"
  attempt "\"$package\" can not be unpacked" mkdir "$work/unpacked"
  attempt "\"$package\" can not be unpacked" tar -xzf "$work/package" -C "$work/unpacked"
  rm -f "$work/package"
  fresh=$work/unpacked/${package%.tar.gz}
  grep -q "\"arch\": \"$arch\"" "$fresh/package.json" 2>/dev/null ||
    die "\"$package\" is not for $arch: somebody gave it a wrong name"
}

# A package that is there is whole: it came by a rename.
get_package() {
  if [ -d "$home" ]; then
    fresh=$home
    return
  fi
  say "downloading $package"
  download
  unpack
}

place_package() {
  [ "$fresh" != "$home" ] || return 0
  sync # what the name stands for must be on the disk before the name is
  attempt "put the agent in \"$home\"" mv "$fresh" "$home"
  note tree 0 "$home"
  fresh=$home
}

can_run_it() { [ "$arch" = "$own_arch" ]; }

check_program() {
  can_run_it || return 0
  attempt 'the agent does not run on this device' "$fresh/bin/holdfast-agent" help
}

# ---- the container engine

# Sets engines: where one may answer, the best first.
find_engines() {
  engines=${wanted_engine:-$(setting dockerHost)}
  [ -z "$engines" ] || return 0
  for each in /var/run/docker.sock /run/podman/podman.sock; do
    [ ! -S "$each" ] || engines="$engines unix://$each"
  done
}

is_debian() { grep -Eqs '^(ID|ID_LIKE)=.*(debian|ubuntu)' /etc/os-release; }

need_engine() {
  [ -z "$is_started_later" ] || return 0
  find_engines
  [ -z "$engines" ] || return 0
  if [ -n "$may_install_engine" ] && is_debian && have apt-get; then
    install_engine
    return
  fi
  is_debian || die 'there is no container engine: install Docker 20.10, or Podman 4.3 with its socket, then run this again'
  die 'there is no container engine: "apt-get install -y docker.io" installs one, and so does --install-engine'
}

install_engine() {
  if [ -n "$is_dry" ]; then
    would 'install the package docker.io with apt-get'
    engines=unix:///var/run/docker.sock
    return
  fi
  say 'installing the package docker.io'
  for each in update 'install -y --no-install-recommends docker.io'; do
    # shellcheck disable=SC2086 # words of a command
    attempt "\"apt-get $each\" fails" env DEBIAN_FRONTEND=noninteractive apt-get -q $each
  done
  find_engines
  [ -n "$engines" ] || die 'docker.io is installed, and its engine does not run: start it, then run this again'
}

# Sets engine: the first that answers and is recent enough.
check_engine() {
  engine=
  [ -z "$is_started_later" ] || return 0
  first_problem=
  for each in $engines; do
    if problem=$("$fresh/bin/holdfast-agent" engine check --docker-host "$each" --config "$work/no-settings" 2>&1 </dev/null); then
      engine=$each
      return
    fi
    : "${first_problem:=$problem}"
  done
  die "$(without_name "$first_problem")"
}

# What the agent said went wrong, in one line.
without_name() {
  printf '%s' "$1" | grep -v '^{' | tr '\n' ' ' | sed -e 's/^holdfast-agent [a-z]*: *//' -e 's/  *because:/ because:/g' -e 's/ *$//' |
    grep . || say 'the agent ended, and did not say why: is the disk full?'
}

# ---- files

# The staged settings are the owner's, with what is needed besides.
stage_settings() {
  staged=$work/agent.yaml
  if [ -f "$settings" ]; then
    cat "$settings" >"$staged"
  else
    rm -f "$staged"
  fi
  if [ -n "$own_root" ]; then
    want_setting dataDir "$data"
    want_setting runDir "$run"
    want_setting joinFile "$join_file"
  fi
  [ -z "$transport" ] || [ "$transport" = auto ] || want_setting transport "$transport"
  case ${engine:-unix:///var/run/docker.sock} in
  unix:///var/run/docker.sock) ;;
  *) want_setting dockerHost "$engine" ;;
  esac
  # For what is asked of the agent from here on.
  [ -z "$own_root" ] || export HOLDFAST_AGENT_CONFIG="$staged"
  [ -f "$staged" ] && can_run_it || return 0
  problem=$("$fresh/bin/holdfast-agent" config check "$staged" 2>&1 </dev/null) ||
    die "\"$settings\" is wrong: $(without_name "$problem" | sed "s|\"$staged\": *||g")"
}

want_setting() {
  [ -f "$staged" ] || say "$mark; what you write here stays. \"holdfast-agent help\" tells of all settings." >"$staged"
  ! grep -q "^$1:" "$staged" || return 0
  [ -z "$(tail -c 1 "$staged")" ] || echo >>"$staged"
  say "$1: \"$2\"" >>"$staged"
}

stage_service() {
  staged_service=$work/service
  case $init in
  systemd) systemd_unit ;;
  openrc) openrc_script ;;
  plain) supervisor ;;
  esac >"$staged_service"
}

# The package's own, with where things are.
systemd_unit() {
  say "$mark: holdfast-agent-uninstall removes it."
  set -- -e "s|^ExecStart=.*|ExecStart=$own_root/usr/local/bin/holdfast-agent run|"
  # shellcheck disable=SC1003 # what is appended is the next expression
  [ -z "$own_root" ] || set -- "$@" -e '/^\[Service\]/a\' -e "Environment=HOLDFAST_AGENT_CONFIG=$settings"
  sed "$@" "$fresh/share/systemd/holdfast-agent.service"
}

# For a scratch root only: elsewhere the agent's settings are where it looks by itself.
settings_line() {
  [ -z "$own_root" ] || say "export HOLDFAST_AGENT_CONFIG='$settings'"
}

openrc_script() {
  cat <<SCRIPT
#!/sbin/openrc-run
$mark: holdfast-agent-uninstall removes it.
description="Holdfast agent: runs what the hub wants on this device"
supervisor=supervise-daemon
command="$own_root/usr/local/bin/holdfast-agent"
command_args="run"
$(settings_line)
respawn_delay=2
respawn_max=0
output_log="$own_root/var/log/holdfast-agent.log"
error_log="$own_root/var/log/holdfast-agent.log"
extra_started_commands="reload"
depend() {
  use localmount # which not every OpenRC has
  after docker podman net
}
reload() {
  supervise-daemon "\$RC_SVCNAME" --signal HUP
}
SCRIPT
}

supervisor() {
  cat <<SCRIPT
#!/bin/sh
$mark: runs the agent, and again when it has ended, until it is told to end.
# Have this run when the device starts; holdfast-agent-uninstall removes it.
pid_file='$own_root/run/holdfast-agent.pid'
log='$own_root/var/log/holdfast-agent.log'
$(settings_line)
SCRIPT
  cat <<'SCRIPT'
is_ended=
agent=
trap 'is_ended=1; [ -z "$agent" ] || kill -TERM "$agent" 2>/dev/null' TERM INT
trap '[ -z "$agent" ] || kill -HUP "$agent" 2>/dev/null' HUP
echo $$ >"$pid_file"
while [ -z "$is_ended" ]; do
  size=$(wc -c <"$log" 2>/dev/null) && [ "$size" -gt 1048576 ] && mv -f "$log" "$log.1"
SCRIPT
  cat <<SCRIPT
  '$own_root/usr/local/bin/holdfast-agent' run >>"\$log" 2>&1 </dev/null &
SCRIPT
  cat <<'SCRIPT'
  agent=$!
  while kill -0 "$agent" 2>/dev/null; do wait "$agent"; done
  [ -n "$is_ended" ] || sleep 2
done
rm -f "$pid_file"
SCRIPT
}

# FROM TO [MODE]: says whether something has changed. Without a MODE, it stays as it is.
put() {
  if [ -f "$2" ] && cmp -s "$1" "$2"; then return 1; fi
  remember "$2"
  make_directory "$(dirname "$2")"
  rm -f "$2.new"
  if [ -f "$2" ]; then attempt "\"$2\" can not be written" cp -p "$2" "$2.new"; fi
  note new 0 "$2.new"
  problem=$( (umask 077 && cat "$1" >"$2.new") 2>&1) || die "\"$2\" can not be written: $(last_line "$problem")"
  [ -z "${3-}" ] || chmod "$3" "$2.new"
  attempt "\"$2\" can not be written" mv -f "$2.new" "$2"
}

put_link() { # TARGET LINK
  [ "$(readlink "$2" 2>/dev/null)" != "$1" ] || return 1
  remember "$2"
  make_directory "$(dirname "$2")"
  rm -f "$2.new"
  attempt "make \"$2\"" ln -s "$1" "$2.new"
  attempt "make \"$2\"" mv -f "$2.new" "$2"
}

# ---- the service

# start, stop, restart, enable, disable, forget (what was read of its file), is-running
service() {
  case $init in
  systemd) systemd_service "$1" ;;
  openrc) openrc_service "$1" ;;
  plain) plain_service "$1" ;;
  esac
}

systemd_service() {
  case $1 in
  enable | disable)
    if [ -n "$is_started_later" ]; then systemctl --root="$root/" "$1" holdfast-agent.service; else systemctl "$1" holdfast-agent.service; fi
    ;;
  forget) systemctl daemon-reload ;;
  is-running) systemctl is-active --quiet holdfast-agent.service ;;
  *) systemctl "$1" holdfast-agent.service ;;
  esac
}

openrc_service() {
  case $1 in
  enable) rc-update add holdfast-agent default ;;
  disable) rc-update del holdfast-agent default ;;
  forget) : ;;
  is-running) rc-service holdfast-agent status ;;
  *) rc-service holdfast-agent "$1" ;;
  esac
}

plain_service() {
  case $1 in
  start) if have setsid; then setsid sh "$lib/supervise"; else nohup sh "$lib/supervise"; fi </dev/null >/dev/null 2>&1 & ;;
  stop) stop_plain ;;
  restart)
    stop_plain
    plain_service start
    ;;
  is-running) plain_pid >/dev/null ;;
  *) : ;;
  esac
}

# The process of the pid file, if it is what we started.
plain_pid() {
  pid=$(cat "$pid_file" 2>/dev/null) && [ -n "$pid" ] && command_line "$pid" | grep -qF "$lib/supervise" && say "$pid"
}

command_line() { [ ! -r "/proc/$1/cmdline" ] || tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null; }

stop_plain() {
  stopping=$(plain_pid) || return 0
  kill -TERM "$stopping"
  waited=0
  while [ "$(plain_pid)" = "$stopping" ] && [ $waited -lt 150 ]; do
    pause
    waited=$((waited + 1))
  done
}

pause() { sleep 0.2 2>/dev/null || sleep 1; }

# ---- joining

is_joined() { [ -f "$data/identity.json" ]; }

write_join_file() {
  {
    say "$mark: what this device joins with; removed once it has."
    say "hub: \"$hub_join\""
    say "token: \"$token\""
    [ -z "$node_name" ] || say "nodeName: \"$node_name\""
  } >"$work/join.yaml"
  put "$work/join.yaml" "$join_file" 600 || :
}

# In the foreground: what is wrong with a token is known before anything has started. One that asks for an approval waits;
# then the service goes on with it.
join_hub() {
  say "joining the hub at $hub_join"
  [ -e "$data" ] || note tree 0 "$data"
  make_directory "$(dirname "$data")"
  "$fresh/bin/holdfast-agent" join >/dev/null 2>"$work/complaint" </dev/null &
  joining=$!
  while kill -0 "$joining" 2>/dev/null; do
    if grep -qs '"waits":' "$data/joining.json"; then
      kill -TERM "$joining" 2>/dev/null
      wait "$joining"
      return
    fi
    pause
  done
  wait "$joining" || die "$(without_name "$(cat "$work/complaint")")"
}

# From here on the hub knows this device: its identity stays, whatever happens, and whom it trusts with it.
keep_identity() {
  is_joined || return 0
  undo_list=$(printf '%s' "$undo_list" | grep -vxF -e "tree 0 $data" -e "new 0 $join_file" -e "new 0 $ca_file")
  undo_list="$undo_list
"
}

status_says() { grep -qs -e "$1" -e "${2-$1}" "$work/status"; }

# Until the agent says that it is connected, or for a while.
await_agent() {
  waited=0
  while [ $waited -lt 100 ]; do
    if [ -S "$run/agent.sock" ] || grep -qs '"waits":' "$data/joining.json"; then
      "$fresh/bin/holdfast-agent" status --output json >"$work/status" 2>/dev/null </dev/null &&
        status_says '"connected": true' '"waitsForApproval"' && return
    fi
    service is-running >/dev/null 2>&1 || [ $waited -lt 25 ] || break
    pause
    waited=$((waited + 1))
  done
  [ -s "$work/status" ] || die "the agent does not start: $(why_not_started)"
}

why_not_started() {
  case $init in
  systemd) say '"journalctl -u holdfast-agent" says why' ;;
  *) last_line "$(tail -n 20 "$log_file")" ;;
  esac
}

# ---- all of it

is_changed=

would() { say "would $*"; }

tell_plan() {
  link=../lib/holdfast-agent/${home##*/}/bin/holdfast-agent
  [ -d "$home" ] || would "download $package, check it, and unpack it to $home"
  [ "$(readlink "$bin/holdfast-agent" 2>/dev/null)" = "$link" ] || would "link $bin/holdfast-agent to it"
  [ -f "$ca_file" ] || would "keep the hub's certificate in $ca_file"
  [ -z "$own_root" ] || [ -f "$settings" ] || would "write $settings"
  [ -f "$(service_file)" ] || would "write $(service_file) ($init)"
  if [ -n "$is_started_later" ]; then
    [ -z "$token" ] || is_joined || would "write $join_file, with which the device joins when it first starts"
  else
    is_joined || would "join the hub at $hub_join"
    would "ask the container engine (${engines# }) whether it is recent enough"
    would 'start the agent where it does not run, or has changed, and wait until it is connected'
  fi
  say 'nothing was changed'
}

install_all() {
  get_package
  check_program
  check_engine
  stage_settings
  stage_service
  place_package
  put "$work/ca.crt" "$ca_file" 644 && is_changed=1
  [ ! -f "$staged" ] || { put "$staged" "$settings" "$([ -f "$settings" ] || echo 644)" && is_changed=1; }
  put_link "../lib/holdfast-agent/${home##*/}/share/uninstall.sh" "$bin/holdfast-agent-uninstall" && is_changed=1
  ! service is-running >/dev/null 2>&1 || was_running=1
  needs_restart=
  put_link "../lib/holdfast-agent/${home##*/}/bin/holdfast-agent" "$bin/holdfast-agent" && needs_restart=1
  put "$staged_service" "$(service_file)" "$([ "$init" = systemd ] && echo 644 || echo 755)" && needs_restart=1
  if ! is_joined && [ -n "$token" ]; then write_join_file; fi
  if [ -n "$is_started_later" ]; then
    [ "$init" = plain ] || enable_service
    return 0
  fi
  if ! is_joined; then
    needs_restart=1
    join_hub
    keep_identity
  fi
  run_service
}

enable_service() {
  note enabled 0 -
  is_disturbed=1
  [ -n "$is_started_later" ] || attempt 'the service can not be read' service forget
  attempt 'the service can not be enabled' service enable
}

run_service() {
  if [ -n "$was_running" ] && [ -z "$needs_restart" ]; then return; fi
  is_changed=1
  [ "$init" = systemd ] || make_directory "$(dirname "$log_file")"
  [ "$init" != plain ] || make_directory "$(dirname "$pid_file")"
  [ -n "$was_running" ] || enable_service
  is_disturbed=1
  [ -z "$was_running" ] || service forget >/dev/null 2>&1
  say 'starting the agent'
  attempt 'the agent can not be started' service "$(if [ -n "$was_running" ]; then echo restart; else echo start; fi)"
  await_agent
}

# This one and the one before it stay.
remove_old() {
  for each in "$lib"/[0-9]*; do
    case $each in
    "$home" | "$previous") ;;
    *) rm -rf "$each" ;;
    esac
  done
}

tell_result() {
  if [ -n "$is_started_later" ]; then
    say "holdfast-agent $version is installed; it joins when the device first starts"
    [ "$init" != plain ] || say "No service manager is known here: have $own_root/usr/local/lib/holdfast-agent/supervise run at each start."
    return
  fi
  if [ -z "$is_changed" ]; then
    say "holdfast-agent $version is installed and runs: nothing was changed"
    return
  fi
  node=$(sed -n 's/^ *"node": "\(.*\)",*$/\1/p' "$work/status" | head -n 1)
  if status_says '"waitsForApproval"'; then
    say "holdfast-agent $version is installed, and $node waits for approval. On the hub: holdfast node approve $node"
  elif status_says '"connected": true'; then
    say "holdfast-agent $version is installed, and $node is connected to $hub_host"
  else
    why=$(sed -n 's/^ *"connectionError": "\(.*\)",*$/\1/p' "$work/status")
    say "holdfast-agent $version is installed, and $node has joined; it is not connected yet${why:+ ($why)}"
  fi
  say "
  holdfast-agent status       what runs on this device
  holdfast-agent-uninstall    removes it all
  kubectl get node $node      where you operate the fleet"
  [ "$init" != plain ] || say "
No service manager is known here: have $own_root/usr/local/lib/holdfast-agent/supervise run at each start."
}

main() {
  read_flags "$@"
  check_wishes
  find_places
  find_init
  find_tools
  refuse_foreign
  refuse_read_only
  need_token
  begin_work
  need_engine
  fetch_ca
  choose_package
  previous=$(readlink "$bin/holdfast-agent" 2>/dev/null)
  previous=${previous#../lib/holdfast-agent/}
  previous=$lib/${previous%%/*}
  if [ -n "$is_dry" ]; then
    tell_plan
    return
  fi
  install_all
  is_done=1
  remove_old
  tell_result
}

# Before anything is asked of the hub.
need_token() {
  [ -n "$token" ] || is_joined || { [ -n "$is_started_later" ] && [ -f "$ca_file" ]; } ||
    die 'HOLDFAST_TOKEN is needed: "holdfast token create" on the hub prints one'
}

main "$@"
