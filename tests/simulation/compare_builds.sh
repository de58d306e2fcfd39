#!/usr/bin/env bash
# The same seed gives the same trace in the release build and in the debug build: compares the hashes that they print.
set -euo pipefail
cd "$(dirname "$0")/../.."
hash_of() { "build/$1/bin/test_simulation" --gtest_filter='ManyConnections.TenThousand*' | grep '^trace hash'; }
debug=$(hash_of debug)
release=$(hash_of release)
echo "debug:   $debug"
echo "release: $release"
[ "$debug" = "$release" ]
