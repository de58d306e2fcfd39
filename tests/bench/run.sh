#!/usr/bin/env bash
# Builds the release preset and measures: see run.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset release >/dev/null
cmake --build --preset release --target transom kernel_peer
exec python3 tests/bench/run.py "$@"
