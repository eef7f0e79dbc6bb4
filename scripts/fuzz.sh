#!/usr/bin/env bash
# Fuzzes the parsers of the edge, and the readers of manifests, uploads and buildpacks:
# fuzz.sh [SECONDS PER TARGET] [TARGET…]
#
# libFuzzer is driven directly: the coverage counters it wants are plain code generation options, so
# the compiler that builds the house is enough and cargo-fuzz need not be installed. Sanitizers
# would need a nightly compiler and find what safe Rust does not have.
set -euo pipefail
# shellcheck source=scripts/say.sh
. "$(dirname "$0")/say.sh"
cd "$ROOT"

SECONDS_EACH=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- request response chunked frames host names preface sticky encoding manifest upload contract glob ignore
HOST=$(rustc -vV | sed -n 's/^host: //p')
FOUND=$TARGET_DIR/fuzz/found

command -v c++ >/dev/null || fail "there is no C++ compiler for libFuzzer" "scripts/setup.sh tests"
say "building the fuzz targets"
# The dependencies are those of the house, to the version.
cp Cargo.lock fuzz/Cargo.lock
# Given for the target only, or build scripts would be instrumented as well.
export "CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$HOST")_RUSTFLAGS=-Cpasses=sancov-module \
 -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
 -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build --quiet --release --manifest-path fuzz/Cargo.toml --target "$HOST" --target-dir "$TARGET_DIR/fuzz"

for target in "$@"; do
  say "$target, $SECONDS_EACH s"
  mkdir -p "$FOUND/$target"
  # New inputs are kept in the first folder; the committed ones are only read.
  log=$FOUND/$target.log
  "$TARGET_DIR/fuzz/$HOST/release/$target" "$FOUND/$target" "fuzz/corpus/$target" \
    -max_total_time="$SECONDS_EACH" -max_len=4096 -timeout=5 -rss_limit_mb=1024 \
    -artifact_prefix="$FOUND/$target-" -print_final_stats=1 >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    fail "$target found an input that breaks it (whole output: $log)" \
      "$TARGET_DIR/fuzz/$HOST/release/$target INPUT   # the input's path is above"
  }
  sed -n 's/^stat::number_of_executed_units: */    inputs tried: /p' "$log"
done
