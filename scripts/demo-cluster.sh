#!/usr/bin/env bash
# Three machines on this one: this machine controls, two network namespaces with a Docker each join it. An app
# runs on all of them, then one is cut off, and visitors notice nothing.
#
#   demo-cluster.sh          set up, build, start, join, deploy examples/node-express, cut a machine off
#   demo-cluster.sh clean    destroy the app, stop all servers, take the machines away
set -euo pipefail
# shellcheck source=scripts/say.sh
. "$(dirname "$0")/say.sh"
# shellcheck source=scripts/demo-client.sh
. "$(dirname "$0")/demo-client.sh"
# shellcheck source=scripts/demo-servers.sh
. "$(dirname "$0")/demo-servers.sh"
cd "$ROOT"

APP=shop
SOURCE=$ROOT/examples/node-express
NODES=(edge-1 edge-2)
HOME_DIR=${PAAS_DEMO_CLUSTER_DIR:-$ROOT/target/demo-cluster}
NET=${PAAS_DEMO_CLUSTER_NET:-10.98.7} # the first three parts of the machines' addresses
BRIDGE=paas-demo
HTTP_PORT=80 API_PORT=8443 LINK_PORT=7600
BOX=$NET.254
START_SECONDS=60

DATA=$HOME_DIR/data
PAAS=$HOME_DIR/paas
BINARY=${PAAS_DEMO_BINARY:-$TARGET_DIR/debug/paas}

# The address of a machine by its name: edge-1 has the first.
address() { [ "$1" = box ] && echo "$BOX" || echo "$NET.${1#edge-}"; }
namespace() { echo "$BRIDGE-$1"; }
cable() { echo "pdemo-$1"; }
inside() { local node=$1 && shift && ip -n "$(namespace "$node")" "$@"; }

# A bridge, and a namespace behind it for each machine. Docker has the kernel ask the firewall about bridges.
plug() {
  ip link show "$BRIDGE" >/dev/null 2>&1 || {
    ip link add "$BRIDGE" type bridge
    ip address add "$BOX/24" dev "$BRIDGE"
    ip link set "$BRIDGE" up
    iptables -w -I FORWARD -i "$BRIDGE" -o "$BRIDGE" -j ACCEPT
  }
  local node
  for node in "${NODES[@]}"; do
    ip netns pids "$(namespace "$node")" >/dev/null 2>&1 && continue
    ip netns add "$(namespace "$node")"
    ip link add "$(cable "$node")" type veth peer name eth0 netns "$(namespace "$node")"
    ip link set "$(cable "$node")" master "$BRIDGE" up
    inside "$node" link set lo up
    inside "$node" address add "$(address "$node")/24" dev eth0
    inside "$node" link set eth0 up
    inside "$node" route add default via "$BOX"
  done
}

# on NODE COMMAND…: as this machine would, on that one.
on() {
  local node=$1
  shift
  nsenter --net="/run/netns/$(namespace "$node")" "$@"
}

control() {
  [ -d "$DATA" ] || "$PAAS" init --data "$DATA" >/dev/null
  running control >/dev/null || {
    say "starting the control: box, $BOX"
    # What the firewall makes would outlive the demo.
    PAAS_FIREWALL=off PAAS_NODE=box PAAS_ADDRESSES=$BOX PAAS_CLUSTER_LISTEN=$BOX:$LINK_PORT \
      begin control "$PAAS" server --data "$DATA" --http "$BOX:$HTTP_PORT" --api "https://$BOX:$API_PORT"
  }
  up() { "$PAAS" login "unix:$DATA/api.sock" && "$PAAS" status; }
  await "$START_SECONDS" up || {
    tail -n 20 "$HOME_DIR/control.log" >&2
    fail "the control did not come up; its last lines are above" \
      "if $NET.0/24 is in use: PAAS_DEMO_CLUSTER_NET=10.99.7 make demo-cluster"
  }
}

# A Docker of the machine's own, then the two commands that make it a node.
join() {
  local node=$1 home=$HOME_DIR/$1
  mkdir -p "$home"
  running "$node-docker" >/dev/null || {
    begin "$node-docker" nsenter --net="/run/netns/$(namespace "$node")" unshare -m sh -c \
      "mkdir -p /run/docker; mount -t tmpfs none /run/docker; exec dockerd -H unix://$home/docker.sock \
       --data-root $home/docker --exec-root $home/exec -p $home/docker.pid --shutdown-timeout 1"
    await "$START_SECONDS" curl -fsS --unix-socket "$home/docker.sock" http://docker/_ping ||
      fail "the Docker of $node did not come up" "see $HOME_DIR/$node-docker.log"
  }
  [ -e "$home/data/node/identity.json" ] || {
    say "on $node: paas node join …"
    local word
    word=$("$PAAS" nodes token 2>/dev/null | sed -n 's/.*paas node join //p')
    on "$node" "$PAAS" node join "$word" --name "$node" --data "$home/data" >/dev/null
  }
  running "$node" >/dev/null || {
    say "on $node: paas server"
    PAAS_FIREWALL=off PAAS_DOCKER=$home/docker.sock PAAS_ADDRESSES=$(address "$node") \
      begin "$node" nsenter --net="/run/netns/$(namespace "$node")" "$PAAS" server --data "$home/data" \
      --http "0.0.0.0:$HTTP_PORT"
  }
}

# ready NODE…: an instance is ready on each of these, and all six are.
ready() {
  local shown
  shown=$("$PAAS" ps --app "$APP") || return 1
  [ "$(grep -c ' ready ' <<<"$shown")" -eq 6 ] || return 1
  local node
  for node in "$@"; do grep -q " $node .* ready " <<<"$shown" || return 1; done
}
can_work() { [ "$("$PAAS" nodes | grep -c '^edge-[12] *up [^-]* [0-9]')" -eq "${#NODES[@]}" ]; }
ask() { curl -fsS --max-time 10 -H "Host: $APP.localhost" "http://$(address "$1"):$HTTP_PORT/"; }

# Cuts a machine off, asks the edge of another all the time until its instances are elsewhere, and says how it went.
lose() {
  local node=$1 asked=0 failed=0 began=$SECONDS
  ip link set "$(cable "$node")" down
  until ! "$PAAS" ps --app "$APP" | grep -q " $node " && ready box edge-1; do
    [ $((SECONDS - began)) -lt 60 ] || fail "after a minute they were not elsewhere" "see $HOME_DIR/control.log"
    asked=$((asked + 1))
    ask edge-1 >/dev/null || failed=$((failed + 1))
  done
  say "$((SECONDS - began)) s later all six are elsewhere; of $asked visits to edge-1 meanwhile $failed failed"
}

demo() {
  [ "$(id -u)" -eq 0 ] || fail "machines are made by root alone" "sudo make demo-cluster"
  [ ${#DATA} -le 80 ] || fail "the path $DATA is too long for a socket" \
    "PAAS_DEMO_CLUSTER_DIR=/tmp/paas-cluster make demo-cluster"
  [ -n "${PAAS_DEMO_BINARY:-}" ] || {
    scripts/setup.sh
    say "building paas (the first time takes some minutes)"
    cargo build --locked --bin paas
  }
  write_client
  plug
  control
  local node
  for node in "${NODES[@]}"; do join "$node"; done
  await "$START_SECONDS" can_work || fail "the nodes did not come up" "see $HOME_DIR/edge-1.log"
  say "paas deploy, paas scale web=6"
  "$PAAS" describe --app "$APP" >/dev/null 2>&1 || "$PAAS" apps create "$APP"
  "$PAAS" deploy "$SOURCE" --app "$APP"
  "$PAAS" scale web=6 --app "$APP" >/dev/null || true
  await "$START_SECONDS" ready box "${NODES[@]}" || "$PAAS" restart --app "$APP"
  await "$START_SECONDS" ready box "${NODES[@]}" || fail "the app is not on all machines" "$PAAS ps -a $APP"
  "$PAAS" nodes
  "$PAAS" ps --app "$APP"
  for node in box "${NODES[@]}"; do
    say "GET http://$APP.localhost/ at $node"
    ask "$node"
    echo
  done
  say "edge-2 loses its cable"
  lose edge-2
  "$PAAS" nodes
  ip link set "$(cable edge-2)" up
  say "it has its cable back"
  cat <<NEXT

What to try next (took ${SECONDS} s):

  alias paas=$PAAS
  paas restart -a $APP           spread over all three again
  paas nodes drain edge-1        move all away from a machine, gently
  paas nodes rebalance           and spread apps over all of them again
  paas nodes label edge-2 disk=ssd
  make clean-demo-cluster        remove everything
NEXT
}

clean() {
  [ "$(id -u)" -eq 0 ] || fail "machines are taken away by root alone" "sudo make clean-demo-cluster"
  if running control >/dev/null; then
    "$PAAS" destroy "$APP" --now --confirm "$APP" || say "the app was not there to destroy"
  fi
  local node
  for node in "${NODES[@]}"; do
    stop "$node"
    stop "$node-docker"
    ip netns delete "$(namespace "$node")" 2>/dev/null || true
  done
  stop control
  iptables -w -D FORWARD -i "$BRIDGE" -o "$BRIDGE" -j ACCEPT 2>/dev/null || true
  ip link delete "$BRIDGE" 2>/dev/null || true
  say "deleting $HOME_DIR"
  rm -rf -- "$HOME_DIR"
}

case ${1:-run} in
  run) demo ;;
  clean) clean ;;
  *) fail "unknown word: $1" "scripts/demo-cluster.sh [clean]" ;;
esac
