#!/usr/bin/env bash
# Runs every test of the workspace against the real Docker. Arguments go to the test runner.
#
# cargo-nextest is used where it is installed: it bounds how many tests use Docker at once and
# ends a hung one (.config/nextest.toml). Without it plain `cargo test` runs the same tests, three
# threads at a time; building nextest takes longer than that saves on a machine that is new.
set -euo pipefail
# shellcheck source=scripts/say.sh
. "$(dirname "$0")/say.sh"
cd "$ROOT"
scripts/setup.sh tests

# Some tests mount loop devices and talk to Docker. Cargo runs as you, the tests as root.
if [ "$(id -u)" -ne 0 ]; then
  host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
  export "CARGO_TARGET_${host}_RUNNER=sudo -E"
fi

# A daemon asks npm and pip where this machine gets packages, which takes them a second. The tests start hundreds
# of daemons, so they are asked here, once; whoever tests the asking gives a daemon empty variables.
index() {
  python3 -m pip config get global.index-url || python3 -c \
    'from pip._internal.models.index import PyPI; print(PyPI.simple_url)'
} 2>/dev/null
export NPM_CONFIG_REGISTRY=${NPM_CONFIG_REGISTRY:-$(npm config get registry 2>/dev/null || :)}
export PIP_INDEX_URL=${PIP_INDEX_URL:-$(index || :)}

run() {
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked "$@"
  else
    RUST_TEST_THREADS=${RUST_TEST_THREADS:-3} \
      cargo test --workspace --locked --lib --bins --tests --no-fail-fast "$@"
  fi
}

if [ $# -eq 0 ]; then
  # All of it side by side: what the documentation's examples need of it is compiled by one core for minutes.
  say "building the tests"
  run --no-run
  say "the documentation's examples"
  cargo test --workspace --locked --doc --quiet
fi

# Last, so that the runner's own summary is the last thing said.
if cargo nextest --version >/dev/null 2>&1; then
  say "tests, by cargo-nextest"
else
  say "tests, by cargo test (cargo install --locked cargo-nextest makes this faster)"
fi
run "$@"
