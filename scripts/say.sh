# How every script here speaks and becomes root. Sourced, never run; changes nothing by itself.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # the scripts that source this use it
TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
# Debian keeps dockerd, iptables and mkfs.ext4 where a plain user's PATH does not look.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '==> %s\n' "$*"; }

# fail WHAT HINT: the last words of a script.
fail() {
  printf 'error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

can_be_root() { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }

# Runs a command as root: directly where we are root, through sudo elsewhere.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif can_be_root; then
    sudo "$@"
  else
    fail "this step needs root: $*" "run it as root, or install sudo"
  fi
}

# await SECONDS COMMAND…: succeeds as soon as the command does.
await() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}
