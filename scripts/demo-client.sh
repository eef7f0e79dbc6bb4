# What all demos have in common: a `paas` of their own. Sourced; needs HOME_DIR, BINARY and PAAS.
# shellcheck shell=bash

# A `paas` of the demo's own: it keeps its login beside the data and leaves yours alone.
write_client() {
  mkdir -p "$HOME_DIR/client"
  local as=env
  [ "$(id -u)" -eq 0 ] || as='sudo env'
  printf '#!/usr/bin/env bash\nexec %s XDG_CONFIG_HOME=%q %q "$@"\n' \
    "$as" "$HOME_DIR/client" "$BINARY" >"$PAAS"
  chmod +x "$PAAS"
}
