#!/usr/bin/env bash
# A domain, its DNS and its certificate, all on this machine: paas answers the DNS of example.test,
# pebble (a certificate authority for tests) proves the domain by asking it, and curl sees HTTPS.
#
#   demo-https.sh          set up, start, deploy examples/static-site, add the domain, show it
#   demo-https.sh clean    destroy the app, stop both servers, delete the folder
set -euo pipefail
# shellcheck source=scripts/say.sh
. "$(dirname "$0")/say.sh"
# shellcheck source=scripts/demo-client.sh
. "$(dirname "$0")/demo-client.sh"
# shellcheck source=scripts/demo-servers.sh
. "$(dirname "$0")/demo-servers.sh"
cd "$ROOT"

APP=shop
SOURCE=$ROOT/examples/static-site
ZONE=example.test
PLATFORM=apps.$ZONE
DOMAIN=$APP.$ZONE
HOME_DIR=${PAAS_DEMO_HTTPS_DIR:-$ROOT/target/demo-https}
BASE=${PAAS_DEMO_HTTPS_PORTS:-18080} # this port and the five after it
HTTP_PORT=$BASE HTTPS_PORT=$((BASE + 1)) API_PORT=$((BASE + 2)) DNS_PORT=$((BASE + 3))
ACME_PORT=$((BASE + 4)) ROOTS_PORT=$((BASE + 5))
START_SECONDS=60

DATA=$HOME_DIR/data
LOG=$HOME_DIR/server.log
PAAS=$HOME_DIR/paas
AUTHORITY=$HOME_DIR/authority
BINARY=${PAAS_DEMO_BINARY:-$TARGET_DIR/debug/paas}
URL=https://$DOMAIN:$HTTPS_PORT/

# The authority's own HTTPS, under a root of its own that the daemon is told to trust.
write_authority() {
  mkdir -p "$AUTHORITY"
  [ -s "$AUTHORITY/server.pem" ] || (
    cd "$AUTHORITY"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
      -subj "/CN=demo root" -keyout root.key -out root.pem
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
      -subj "/CN=localhost" -keyout server.key -out server.csr
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >extensions
    openssl x509 -req -in server.csr -CA root.pem -CAkey root.key -days 30 \
      -extfile extensions -out server.pem
  ) 2>"$AUTHORITY/openssl.log"
  cat >"$AUTHORITY/pebble.json" <<JSON
{ "pebble": {
  "listenAddress": "127.0.0.1:$ACME_PORT", "managementListenAddress": "127.0.0.1:$ROOTS_PORT",
  "certificate": "$AUTHORITY/server.pem", "privateKey": "$AUTHORITY/server.key",
  "httpPort": $HTTP_PORT, "tlsPort": $HTTPS_PORT, "ocspResponderURL": "",
  "certificateValidityPeriod": 7776000 } }
JSON
}

start() {
  running pebble >/dev/null || {
    say "starting pebble, the certificate authority: https://localhost:$ACME_PORT/dir"
    export PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=20
    begin pebble pebble -config "$AUTHORITY/pebble.json" -dnsserver "127.0.0.1:$DNS_PORT"
    await 20 curl -fsS --cacert "$AUTHORITY/root.pem" "https://localhost:$ACME_PORT/dir" ||
      fail "pebble did not come up" "see $HOME_DIR/pebble.log"
  }
  running server >/dev/null || {
    [ -d "$DATA" ] || "$PAAS" init --data "$DATA" --domain "$PLATFORM" --email me@$ZONE \
      --acme "https://localhost:$ACME_PORT/dir" >/dev/null
    say "starting paas: HTTP $HTTP_PORT, HTTPS $HTTPS_PORT, DNS $DNS_PORT, log $LOG"
    # What the world does for a real server, this machine does for itself.
    begin server "$PAAS" server --data "$DATA" --config "$HOME_DIR/config.toml" \
      --http "127.0.0.1:$HTTP_PORT" --https "127.0.0.1:$HTTPS_PORT" \
      --dns "127.0.0.1:$DNS_PORT" --api "127.0.0.1:$API_PORT"
  }
  up() { "$PAAS" login "unix:$DATA/api.sock" && "$PAAS" status; }
  await "$START_SECONDS" up || {
    tail -n 20 "$LOG" >&2
    fail "the daemon did not come up; its last lines are above" \
      "if a port is taken: PAAS_DEMO_HTTPS_PORTS=28080 make demo-https"
  }
}

write_settings() {
  cat >"$HOME_DIR/config.toml" <<TOML
domain = "$PLATFORM"
addresses = ["127.0.0.1"]
resolver = "127.0.0.1:$DNS_PORT"
acme = "https://localhost:$ACME_PORT/dir"
acme_email = "me@$ZONE"
acme_root = "$AUTHORITY/root.pem"
firewall = "off"
TOML
}

ask() {
  curl -fsS --max-time 10 --http2 --cacert "$HOME_DIR/issued-root.pem" \
    --resolve "$DOMAIN:$HTTPS_PORT:127.0.0.1" "$@"
}

demo() {
  [ ${#DATA} -le 90 ] || fail "the path $DATA is too long for a socket" \
    "PAAS_DEMO_HTTPS_DIR=/tmp/paas-demo make demo-https"
  [ -n "${PAAS_DEMO_BINARY:-}" ] || {
    scripts/setup.sh demo-https
    say "building paas (the first time takes some minutes)"
    cargo build --locked --bin paas
  }
  write_client
  write_authority
  write_settings
  start
  say "deploying $SOURCE"
  "$PAAS" describe --app "$APP" >/dev/null 2>&1 || "$PAAS" apps create "$APP"
  "$PAAS" deploy "$SOURCE" --app "$APP"
  say "paas dns zones add $ZONE"
  "$PAAS" dns zones add "$ZONE"
  say "paas domains add $DOMAIN --app $APP --wait"
  "$PAAS" domains add "$DOMAIN" --app "$APP" --wait
  say "paas certs"
  "$PAAS" certs
  curl -fsS --cacert "$AUTHORITY/root.pem" "https://localhost:$ROOTS_PORT/roots/0" \
    >"$HOME_DIR/issued-root.pem"
  say "GET $URL"
  ask "$URL" | head -n 5
  local version
  version=$(ask -o "$HOME_DIR/page" -w '%{http_version}' "$URL")
  say "it was HTTP/$version over TLS, under a certificate that $DOMAIN got by itself"
  cat <<NEXT

What to try next (took ${SECONDS} s):

  alias paas=$PAAS
  paas domains                          where the names lead, and what proves them
  paas domains add www.$ZONE --moved-to $DOMAIN -a $APP
  dig @127.0.0.1 -p $DNS_PORT $DOMAIN
  make clean-demo-https                 remove everything
NEXT
}

clean() {
  if running server >/dev/null; then
    "$PAAS" destroy "$APP" --now --confirm "$APP" || say "the app was not there to destroy"
  fi
  stop server
  stop pebble
  say "deleting $HOME_DIR"
  as_root rm -rf -- "$HOME_DIR"
}

case ${1:-run} in
  run) demo ;;
  clean) clean ;;
  *) fail "unknown word: $1" "scripts/demo-https.sh [clean]" ;;
esac
