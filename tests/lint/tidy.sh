#!/usr/bin/env bash
# Runs clang-tidy with the project's .clang-tidy over every source of the rooms: tests/lint/tidy.sh BUILD_DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/../.."
git ls-files 'stack/*.cpp' 'drivers/*.cpp' 'socket_api/*.cpp' 'tools/*.cpp' | xargs -P "$(nproc)" -n 4 clang-tidy-19 --quiet -p "$1"
