#!/usr/bin/env bash
# Formatting, clippy and the dependencies' advisories, licences, duplicates and sources.
set -euo pipefail
# shellcheck source=scripts/say.sh
. "$(dirname "$0")/say.sh"
cd "$ROOT"

say "formatting"
cargo fmt --all --check

say "clippy"
cargo clippy --workspace --all-targets --locked --quiet -- -D warnings

say "scripts"
command -v shellcheck >/dev/null || fail "there is no shellcheck" "scripts/setup.sh tests"
shellcheck -x -P scripts scripts/*.sh .ci/run

say "dependencies"
if ! cargo deny --version >/dev/null 2>&1; then
  # Not optimised: it checks two seconds longer, and is compiled in a fraction of the time.
  say "installing cargo-deny (a minute or two, once)"
  cargo install --locked --quiet --debug cargo-deny
fi
cargo deny --log-level error check bans licenses sources

# The advisory database is a git repository of its own. Where it is out of reach and none was
# fetched before, that is said rather than passed over; on CI it is an error.
if timeout 60 cargo deny --log-level error fetch db >/dev/null 2>&1; then
  cargo deny --log-level error check advisories
elif [ "${GITHUB_ACTIONS:-}" = true ]; then
  fail "the advisory database could not be fetched"
else
  say "NOT checked: advisories (their database could not be fetched from here)"
fi
