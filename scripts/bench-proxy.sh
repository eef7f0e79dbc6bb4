#!/usr/bin/env bash
# The edge beside nginx, haproxy and caddy on this machine, in a release build. Ten minutes with the build;
# `--quick` only sees that everything runs. Further arguments choose rows by parts of their names.
set -euo pipefail
# shellcheck source=scripts/say.sh
. "$(dirname "$0")/say.sh"
cd "$ROOT"

scripts/setup.sh benches
[ "$(nproc)" -ge 2 ] || fail "one core for the proxies and one for the load are needed; there is only one"
# Ten thousand idle connections have two ends each, but in different processes.
ulimit -n "$(ulimit -Hn)"
[ "$(ulimit -n)" -ge 20000 ] || fail "only $(ulimit -n) files may be open" "ulimit -Hn 20000, as root"
say "building (release)"
cargo bench --locked --quiet -p proxy --bench side-by-side --no-run
say "measuring"
cargo bench --locked --quiet -p proxy --bench side-by-side -- "$@"
