#!/usr/bin/env bash
# Times warm redeploys of node-express after a one-line change, against the demo's daemon.
#
# Two figures per round: until `paas deploy` returns, and until the proxy answers with the new
# text. Both count from the start of the command, so the client's own start-up is in them.
set -euo pipefail
# shellcheck source=scripts/say.sh
. "$(dirname "$0")/say.sh"
cd "$ROOT"

ROUNDS=${ROUNDS:-20}
APP=bench-express
HOME_DIR=${PAAS_DEMO_DIR:-$ROOT/target/demo}
PAAS=$HOME_DIR/paas
HTTP_PORT=${PAAS_DEMO_HTTP_PORT:-8080}
HOST=$APP.localhost
MARK='bench round'

"$PAAS" status >/dev/null 2>&1 || scripts/demo.sh

work=$(mktemp -d)
finish() {
  rm -rf -- "$work"
  "$PAAS" destroy "$APP" --confirm "$APP" >/dev/null 2>&1 || true
}
trap finish EXIT
cp -r examples/node-express/. "$work"
main=$work/$(sed -n 's/.*"main": *"\([^"]*\)".*/\1/p' "$work/package.json")
[ -f "$main" ] || fail "examples/node-express names no main file" "set \"main\" in its package.json"

now() { date +%s%N; }
page() { curl -fsS --max-time 5 --resolve "$HOST:$HTTP_PORT:127.0.0.1" "http://$HOST:$HTTP_PORT/__bench"; }
says() { page | grep -q "$MARK $1$"; }

# The change: a route of its own whose text carries the round. It goes in after `express()`.
edit() {
  sed -i "/__bench/d" "$main"
  sed -i "0,/^\(const\|let\|var\) \([a-z]*\) = express();*/s//&\n\2.get('\/__bench', (_, res) => res.send('$MARK $1'));/" "$main"
  grep -q "$MARK $1" "$main" || fail "found no \`const app = express();\` in $main"
}

# percentile P FILE: the P-th percentile of a file of numbers, by nearest rank.
percentile() { sort -n "$2" | awk -v p="$1" '{ v[NR] = $1 } END { r = int((NR * p + 99) / 100); print v[r] }'; }

say "the first deploy of $APP, not counted"
edit 0
"$PAAS" deploy "$work" --app "$APP"
await 30 says 0 || fail "the first deploy does not answer"

say "$ROUNDS rounds"
for round in $(seq "$ROUNDS"); do
  edit "$round"
  start=$(now)
  "$PAAS" deploy "$work" --app "$APP" >/dev/null 2>&1
  echo $((($(now) - start) / 1000000)) >>"$work.returned"
  await 30 says "$round" || fail "round $round does not answer with its own text"
  echo $((($(now) - start) / 1000000)) >>"$work.answered"
done
for figure in returned answered; do
  printf '%-9s p50 %6s ms   p95 %6s ms   (%s rounds)\n' "$figure" \
    "$(percentile 50 "$work.$figure")" "$(percentile 95 "$work.$figure")" "$ROUNDS"
  rm -f "$work.$figure"
done
