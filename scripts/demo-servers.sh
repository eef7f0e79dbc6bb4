# Servers of a demo that has several, in the background, each with a log and a pid file. Sourced; needs HOME_DIR.
# shellcheck shell=bash

# Out of the terminal's reach, so that Ctrl-C in it ends no server.
DETACH=(setsid)
[ "$(id -u)" -eq 0 ] || DETACH=(nohup)

# The process in a pid file, if it is alive and is ours; a number alone could be anyone's.
running() {
  local file=$HOME_DIR/$1.pid
  [ -s "$file" ] && grep -qsaF -- "$HOME_DIR" "/proc/$(cat "$file")/cmdline" && cat "$file"
}

# begin NAME COMMAND…: starts a server in the background.
begin() {
  local name=$1
  shift
  "${DETACH[@]}" "$@" >>"$HOME_DIR/$name.log" 2>&1 </dev/null &
  echo "$!" >"$HOME_DIR/$name.pid"
  disown "$!"
}

# stop NAME: ends it, and waits until it has.
stop() {
  local pid
  pid=$(running "$1") || return 0
  say "stopping $1 (pid $pid)"
  as_root kill -TERM "$pid"
  await 60 test ! -e "/proc/$pid" || fail "$1 did not stop within 60 s" "see $HOME_DIR/$1.log"
  rm -f "$HOME_DIR/$1.pid"
}
