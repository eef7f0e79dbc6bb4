#!/usr/bin/env bash
# Builds the one static binary that is released, and proves that it is static.
set -euo pipefail
# shellcheck source=scripts/say.sh
. "$(dirname "$0")/say.sh"
cd "$ROOT"
TRIPLE=x86_64-unknown-linux-musl

scripts/setup.sh
rustup target list --installed | grep -qx "$TRIPLE" || {
  say "adding the Rust target $TRIPLE"
  rustup target add "$TRIPLE"
}
say "building (the first time takes some minutes)"
cargo build --release --locked --target "$TRIPLE" --bin paas

BINARY=$TARGET_DIR/$TRIPLE/release/paas
if readelf --program-headers "$BINARY" | grep -q INTERP; then
  fail "$BINARY asks for a dynamic linker: it is not static"
fi
say "$("$BINARY" --version), $(du -h "$BINARY" | cut -f1), static: $BINARY"
(cd "$(dirname "$BINARY")" && sha256sum paas)
