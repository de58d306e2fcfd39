#!/usr/bin/env bash
# compare_builds.sh BUILD BUILD: the same seed gives the same trace in two builds, as debug (sanitizers), release and fuzz (clang).
# Compares the hashes of a minute of two flows, and of the test with ten thousand connections where both builds have it.
set -euo pipefail
cd "$(dirname "$0")/../.."
hashes() {
  "build/$1/bin/trace_hash" tests/simulation/scenarios/cubic_and_bbr.toml
  if [ -x "build/$first/bin/test_simulation" ] && [ -x "build/$second/bin/test_simulation" ]; then
    "build/$1/bin/test_simulation" --gtest_filter='ManyConnections.TenThousand*' | grep '^trace hash'
  fi
}
first=$1
second=$2
one=$(hashes "$first")
other=$(hashes "$second")
printf '%s:\n%s\n\n%s:\n%s\n' "$first" "$one" "$second" "$other"
[ -n "$one" ] && [ "$one" = "$other" ]
