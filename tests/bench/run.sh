#!/usr/bin/env bash
# Builds the release preset and measures: the simulated network (simulation.py), and TCP over TAP beside the kernel's (run.py).
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --preset release >/dev/null
cmake --build --preset release --target bench
python3 tests/bench/simulation.py
echo
exec python3 tests/bench/run.py "$@"
