#!/usr/bin/env bash
# compare_builds.sh BUILD BUILD: the same seed gives the same trace in two builds, as debug (clang, sanitizers) and release (GCC).
# Compares the hashes of what a minute of each scenario does.
set -euo pipefail
cd "$(dirname "$0")/../.."
one=$("build/$1/bin/trace_hash" tests/simulation/scenarios/*.toml)
other=$("build/$2/bin/trace_hash" tests/simulation/scenarios/*.toml)
printf '%s:\n%s\n\n%s:\n%s\n' "$1" "$one" "$2" "$other"
[ -n "$one" ] && [ "$one" = "$other" ]
