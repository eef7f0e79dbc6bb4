#!/usr/bin/env bash
# Times deploys of five examples against a server of its own, phase by phase, in a release build.
set -euo pipefail
# shellcheck source=scripts/say.sh
. "$(dirname "$0")/say.sh"
cd "$ROOT"

scripts/setup.sh
say "building (release) and timing ${PAAS_BENCH_ROUNDS:-20} rounds; as root, since it starts a daemon"
cargo bench --locked --bench deploy
