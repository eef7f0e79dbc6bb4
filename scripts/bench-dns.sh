#!/usr/bin/env bash
# Our DNS server, knot and bind with the same zone and the same questions, one core each, in turns.
# Prints medians of the answers per second, and per second of the server's own processor time.
set -euo pipefail
# shellcheck source=scripts/say.sh
. "$(dirname "$0")/say.sh"
cd "$ROOT"

ROUNDS=${PAAS_BENCH_ROUNDS:-5}
SECONDS_EACH=${PAAS_BENCH_SECONDS:-4}
scripts/setup.sh benches
say "building (release)"
program=$(cargo bench --locked --bench dns --no-run --message-format=json |
  sed -n '/"kind":\["bench"\]/s/.*"executable":"\([^"]*\)".*/\1/p')

folder=$(mktemp -d)
servers=()
finish() {
  for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

chmod 755 "$folder"
"$program" zone >"$folder/apps.example.zone"
"$program" questions >"$folder/questions"
cat >"$folder/knot.conf" <<END
server:
  rundir: $folder
  listen: 127.0.0.1@5302
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: $folder
zone:
  - domain: apps.example
    file: $folder/apps.example.zone
END
cat >"$folder/named.conf" <<END
options {
  directory "$folder";
  pid-file "$folder/named.pid";
  session-keyfile "$folder/session.key";
  listen-on port 5303 { 127.0.0.1; };
  listen-on-v6 { none; };
  recursion no;
  minimal-responses yes;
};
controls { };
zone "apps.example" { type primary; file "$folder/apps.example.zone"; };
END

# Input that never ends keeps ours alive until it is killed.
mkfifo "$folder/open"
exec 3<>"$folder/open"
taskset -c 0 "$program" serve 127.0.0.1:5301 <&3 &
servers+=($!)
taskset -c 0 knotd -c "$folder/knot.conf" >"$folder/knot.log" 2>&1 &
servers+=($!)
taskset -c 0 named -f -n 1 -c "$folder/named.conf" >"$folder/named.log" 2>&1 &
servers+=($!)

ask() { taskset -c 1 dnsperf -s 127.0.0.1 -p "$1" -d "$folder/questions" -l "$2" -c 8 -q 200 -T 1; }
names=(ours knot bind)
for i in 0 1 2; do
  until ask "530$((i + 1))" 0.2 2>/dev/null | grep -q 'Queries completed: *[1-9]'; do
    kill -0 "${servers[$i]}" || { cat "$folder"/*.log; exit 1; }
  done
done

# In hundredths of a second (`getconf CLK_TCK` is 100 everywhere that this runs).
used() { awk '{print $14 + $15}' "/proc/$1/stat"; }
say "$ROUNDS rounds of $SECONDS_EACH s; the servers on processor 0, dnsperf on processor 1"
for _ in $(seq "$ROUNDS"); do
  for i in 0 1 2; do
    before=$(used "${servers[$i]}")
    output=$(ask "530$((i + 1))" "$SECONDS_EACH")
    after=$(used "${servers[$i]}")
    answered=$(sed -n 's/.*Queries completed: *\([0-9]*\).*/\1/p' <<<"$output")
    lost=$(sed -n 's/.*Queries lost: *\([0-9]*\).*/\1/p' <<<"$output")
    rate=$(sed -n 's/.*Queries per second: *\([0-9]*\).*/\1/p' <<<"$output")
    echo "${names[$i]} $rate $((answered * 100 / (after - before))) $lost" >>"$folder/results"
  done
done

median() { awk -v who="$1" -v column="$2" '$1 == who {print $column}' "$folder/results" | sort -n |
  awk '{all[NR] = $1} END {print all[int((NR + 1) / 2)]}'; }
printf '%-6s %12s %8s %16s %8s %6s\n' server 'answers/s' '/ knot' 'per CPU second' '/ knot' lost
for name in "${names[@]}"; do
  rate=$(median "$name" 2) cpu=$(median "$name" 3)
  lost=$(awk -v who="$name" '$1 == who {sum += $4} END {print sum}' "$folder/results")
  awk -v name="$name" -v rate="$rate" -v cpu="$cpu" -v lost="$lost" \
    -v knot="$(median knot 2)" -v knot_cpu="$(median knot 3)" \
    'BEGIN {printf "%-6s %12d %8.2f %16d %8.2f %6d\n", name, rate, rate / knot, cpu, cpu / knot_cpu, lost}'
done
