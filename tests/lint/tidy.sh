#!/usr/bin/env bash
# Runs clang-tidy with the project's .clang-tidy over every source of the rooms, or over those named.
#
#   tests/lint/tidy.sh [FILE...]
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake -S . -B build/tidy -G Ninja -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_C_COMPILER=clang-19 -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON \
  -DTRANSOM_TESTS=OFF >/dev/null
if [ $# -gt 0 ]; then files=("$@"); else mapfile -t files < <(git ls-files 'stack/*.cpp' 'drivers/*.cpp' 'socket_api/*.cpp' 'tools/*.cpp'); fi
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy-19 --quiet -p build/tidy
