#!/usr/bin/env bash
# From nothing to a running app behind the proxy, in a folder of its own; run it again at will.
#
#   demo.sh          set up, build, start the daemon, deploy examples/node-express, show it
#   demo.sh stop     stop the daemon (the app's containers go on, as they do over an upgrade)
#   demo.sh clean    destroy the app, stop the daemon, delete the folder
set -euo pipefail
# shellcheck source=scripts/say.sh
. "$(dirname "$0")/say.sh"
# shellcheck source=scripts/demo-client.sh
. "$(dirname "$0")/demo-client.sh"
cd "$ROOT"

APP=node-express
SOURCE=$ROOT/examples/$APP
HOME_DIR=${PAAS_DEMO_DIR:-$ROOT/target/demo}
HTTP_PORT=${PAAS_DEMO_HTTP_PORT:-8080}
API_PORT=${PAAS_DEMO_API_PORT:-8443}
START_SECONDS=60

DATA=$HOME_DIR/data
LOG=$HOME_DIR/server.log
PID=$HOME_DIR/server.pid
PAAS=$HOME_DIR/paas
HOST=$APP.localhost
URL=http://$HOST:$HTTP_PORT/
BINARY=$TARGET_DIR/debug/paas

# Out of the terminal's reach, so that Ctrl-C in it ends no daemon. sudo must stay within reach: it
# may have to ask for a password.
DETACH=(setsid)
[ "$(id -u)" -eq 0 ] || DETACH=(nohup)

# The command lines, in one place.
build() { cargo build --locked --bin paas; }
initialise() { "$PAAS" init --data "$DATA"; }
# What the firewall makes would outlive the demo.
server() {
  exec "${DETACH[@]}" env PAAS_FIREWALL=off "$PAAS" server --data "$DATA" \
    --http "127.0.0.1:$HTTP_PORT" --api "127.0.0.1:$API_PORT"
}
login() { "$PAAS" login "unix:$DATA/api.sock"; }
deploy() { created || "$PAAS" apps create "$APP"; "$PAAS" deploy "$SOURCE" --app "$APP"; }
created() { "$PAAS" describe --app "$APP" >/dev/null 2>&1; }
answers() { "$PAAS" status; }
# Names under .localhost are this machine for browsers, but not for every curl.
ask() { curl -fsS --max-time 10 --resolve "$HOST:$HTTP_PORT:127.0.0.1" "$URL"; }

# The process in the pid file, if it is alive and is ours; a number alone could be anyone's.
running() {
  [ -s "$PID" ] && grep -qsaF -- "$DATA" "/proc/$(cat "$PID")/cmdline" && cat "$PID"
}

start() {
  if running >/dev/null && [ "$BINARY" -nt "$PID" ]; then
    say "paas was built anew"
    stop
  fi
  if running >/dev/null; then
    say "the daemon is already running (pid $(cat "$PID"))"
    return
  fi
  [ -d "$DATA" ] || {
    say "creating the data folder $DATA"
    initialise
  }
  say "starting the daemon: HTTP on 127.0.0.1:$HTTP_PORT, API on 127.0.0.1:$API_PORT, log $LOG"
  server >>"$LOG" 2>&1 </dev/null &
  local job=$!
  echo "$job" >"$PID"
  disown "$job"
  login_when_up() { kill -0 "$job" 2>/dev/null || return 0; login && answers; }
  await "$START_SECONDS" login_when_up || true
  answers >/dev/null 2>&1 || {
    tail -n 20 "$LOG" >&2
    fail "the daemon did not come up; its last lines are above" \
      "if a port is taken: PAAS_DEMO_HTTP_PORT=18080 PAAS_DEMO_API_PORT=18443 make demo"
  }
}

stop() {
  local pid
  pid=$(running) || {
    say "no daemon of the demo is running"
    return 0
  }
  say "stopping the daemon (pid $pid); it drains first"
  as_root kill -TERM "$pid"
  await 60 test ! -e "/proc/$pid" || fail "the daemon did not stop within 60 s" "see $LOG"
  rm -f "$PID"
}

demo() {
  # A unix socket's path has room for 107 bytes.
  [ ${#DATA} -le 90 ] || fail "the path $DATA is too long for a socket" "PAAS_DEMO_DIR=/tmp/paas-demo make demo"
  scripts/setup.sh
  say "building paas (the first time takes some minutes)"
  build
  write_client
  start
  say "deploying $SOURCE"
  deploy
  say "GET $URL"
  ask
  echo
  say "paas ps"
  "$PAAS" ps --app "$APP"
  cat <<NEXT

It runs: $URL (took ${SECONDS} s). What to try next:

  alias paas=$PAAS
  paas scale web=3 -a $APP       three instances, balanced
  paas logs -f -a $APP           their output, live
  paas config set GREETING=hello -a $APP
  paas deploy $SOURCE -a $APP    after an edit there
  paas releases -a $APP          what was live when
  paas rollback -a $APP          the release before, code and config
  make demo-stop                          stop the daemon
  make clean-demo                         remove everything
NEXT
}

clean() {
  if running >/dev/null; then
    "$PAAS" destroy "$APP" --now --confirm "$APP" || say "the app was not there to destroy"
  fi
  stop
  say "deleting $HOME_DIR"
  as_root rm -rf -- "$HOME_DIR"
}

case ${1:-run} in
  run) demo ;;
  stop) stop ;;
  clean) clean ;;
  *) fail "unknown word: $1" "scripts/demo.sh [stop|clean]" ;;
esac
