#!/usr/bin/env bash
# Makes a Debian or Ubuntu machine that has only Rust ready for the other scripts.
# Installs only what is missing, says each thing it does, and may be run at any time.
#
#   setup.sh              what paas needs to be built and run
#   setup.sh tests        and what its tests need besides
#   setup.sh demo-https   and what `make demo-https` proves domains with
#   setup.sh benches      and what `make bench-proxy` and `make bench-dns` compare with
set -euo pipefail
# shellcheck source=scripts/say.sh
. "$(dirname "$0")/say.sh"

DOCKER_SOCKET=/var/run/docker.sock
DOCKER_PID=/var/run/docker.pid
DOCKER_LOG=${PAAS_DOCKERD_LOG:-/var/log/paas-dockerd.log}
DOCKER_START_SECONDS=60

# What must be there, and the package that brings it. Commands are looked for rather than
# packages, so that a Docker or a compiler from elsewhere is respected.
NEEDED_COMMANDS="
  dockerd:docker.io         runs the containers
  iptables:iptables         dockerd's networks, our firewall, and the faults that tests inject
  mmdebstrap:mmdebstrap     makes the base images where no image registry answers
  musl-gcc:musl-tools       the static binary
  cc:gcc                    the C parts of the TLS library
  cmake:cmake               the same
  make:make                 the Makefile
  git:git                   what was pushed; the tidy test lists files by it
  curl:curl                 asks Docker and the demo's app
  wrk:wrk                   the load of the zero-downtime test
  mkfs.ext4:e2fsprogs       the store's power-cut test
  xz:xz-utils               unpacks toolchains
  zstd:zstd                 unpacks toolchains
"
NEEDED_FILES="
  /usr/include/stdio.h:libc6-dev
  /usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring
  /etc/ssl/certs/ca-certificates.crt:ca-certificates
"

# Only the tests need these: real package managers on the host, and programs for tiny images.
NEEDED_BY_TESTS="
  ip:iproute2               machines on one machine
  nsenter:util-linux        the same
  ssh:openssh-client        pushes over SSH
  node:nodejs               runs builds without a container
  npm:npm                   the same
  losetup:mount             the store's power-cut test
  slowhttptest:slowhttptest slow clients of the edge
  nghttp:nghttp2-client     HTTP/2 by its reference implementation
  openssl:openssl           TLS by another library
  chromium:chromium         a page with a WebSocket, as people see it
  pebble:pebble             a certificate authority that tells no one
  dig:bind9-dnsutils        questions to the DNS server
  c++:g++                   the fuzzer's own code
  shellcheck:shellcheck     reads these scripts
  age:age                   reads our backups, and we read its files
"
NEEDED_FILES_BY_TESTS="
  /usr/share/doc/busybox-static/copyright:busybox-static
"

# Only the demo of HTTPS needs these.
NEEDED_BY_DEMO_HTTPS="
  pebble:pebble             a certificate authority that tells no one
  openssl:openssl           the authority's own certificate
"

# Only the benches need these: other proxies and DNS servers, and load for them.
NEEDED_BY_BENCHES="
  nginx:nginx-light         a proxy to be measured against
  haproxy:haproxy           another
  caddy:caddy               another
  h2load:nghttp2-client     load over HTTP/2
  knotd:knot                a DNS server to be measured against
  named:bind9               another
  dnsperf:dnsperf           load over DNS
"

case "${1:-}" in
  tests)
    NEEDED_COMMANDS+=$NEEDED_BY_TESTS
    NEEDED_FILES+=$NEEDED_FILES_BY_TESTS
    ;;
  demo-https) NEEDED_COMMANDS+=$NEEDED_BY_DEMO_HTTPS ;;
  benches) NEEDED_COMMANDS+=$NEEDED_BY_BENCHES ;;
esac

missing_packages() {
  local entry
  while read -r entry _; do
    [ -z "$entry" ] || command -v "${entry%%:*}" >/dev/null || echo "${entry##*:}"
  done <<<"$NEEDED_COMMANDS"
  while read -r entry; do
    [ -z "$entry" ] || [ -e "${entry%%:*}" ] || echo "${entry##*:}"
  done <<<"$NEEDED_FILES"
  # Where the kernel enforces AppArmor, dockerd cannot start a container without its parser.
  if grep -qs Y /sys/module/apparmor/parameters/enabled && ! command -v apparmor_parser >/dev/null; then
    echo apparmor
  fi
}

install_packages() {
  local packages
  mapfile -t packages < <(missing_packages | sort -u)
  [ ${#packages[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    fail "missing: ${packages[*]}" "this script knows Debian and Ubuntu; install these by hand elsewhere"
  can_be_root || fail "installing ${packages[*]} needs root" "run this as root, or install sudo"
  say "installing ${packages[*]}"
  local log
  log=$(mktemp)
  if ! { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install ${packages[*]} (whole output: $log)"
  fi
  # Debian 13 and later ship Docker's command apart from its daemon.
  command -v docker >/dev/null || as_root apt-get install -y --no-install-recommends docker-cli >"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; fail "apt-get could not install docker-cli (whole output: $log)"; }
  rm -f "$log"
  stop_services "${packages[@]}"
}

# Debian starts what it installs. These are here to be measured, not to serve this machine.
stop_services() {
  local package
  [ -d /run/systemd/system ] || return 0
  for package in "$@"; do
    case "$package" in
      nginx-light) as_root systemctl disable --quiet --now nginx ;;
      haproxy | caddy | knot) as_root systemctl disable --quiet --now "$package" ;;
      bind9) as_root systemctl disable --quiet --now named ;;
    esac
  done
}

# As whoever runs this, or as root: a member of the group `docker` needs no sudo here.
docker_answers() { ping_docker || { can_be_root && ping_docker as_root; }; }
ping_docker() { "$@" curl -fsS --max-time 5 --unix-socket "$DOCKER_SOCKET" http://localhost/_ping; }

# Up, or down for good: there is no point in waiting for a daemon that has ended.
docker_settled() { docker_answers || { [ -n "${ended:-}" ] && [ -e "$ended" ]; }; }

start_docker() {
  local ended
  ! docker_answers >/dev/null 2>&1 || return 0
  can_be_root ||
    fail "Docker does not answer to $(id -un), and starting it needs root" "run this as root, or install sudo"
  if [ -d /run/systemd/system ]; then
    say "starting docker by systemd"
    as_root systemctl enable --now docker >/dev/null 2>&1 || true
  else
    ended=$(mktemp -u)
    say "no systemd here: starting dockerd in the background, log $DOCKER_LOG"
    # A pid file left by a machine that was switched off makes dockerd refuse to start as soon
    # as any process has that number again.
    if [ -e "$DOCKER_PID" ] && ! grep -qs dockerd "/proc/$(cat "$DOCKER_PID")/comm"; then
      as_root rm -f "$DOCKER_PID"
    fi
    # It runs itself three times for each container, and each time collects the garbage of its own start; it
    # is told not to be that thorough, as there is memory enough.
    as_root setsid sh -c "GOGC=400 dockerd >>'$DOCKER_LOG' 2>&1 </dev/null; touch '$ended'" >/dev/null 2>&1 </dev/null &
  fi
  await "$DOCKER_START_SECONDS" docker_settled || true
  docker_answers >/dev/null 2>&1 || {
    if [ -d /run/systemd/system ]; then
      as_root journalctl -u docker -n 20 --no-pager >&2 || true
    else
      as_root tail -n 20 "$DOCKER_LOG" >&2 || true
    fi
    fail "Docker does not answer; its last words are above" \
      "run dockerd in a terminal to see why, then this again"
  }
  say "docker answers"
}

command -v cargo >/dev/null || fail "there is no cargo on the PATH" "install Rust 1.95 or newer with rustup"
[ "$(uname -s)" = Linux ] || fail "paas runs on Linux only"
install_packages
start_docker
