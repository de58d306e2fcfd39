#!/usr/bin/env bash
# Installs a build into a fresh directory and builds the outside project against it, by find_package and by pkg-config:
# tests/install/run.sh BUILD_DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$1" --prefix "$work/prefix" >/dev/null
sed -i "s|^prefix=.*|prefix=$work/prefix|" "$work"/prefix/lib*/pkgconfig/transom.pc "$work"/prefix/lib/*/pkgconfig/transom.pc 2>/dev/null || true

cmake -S tests/install -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_CXX_STANDARD=23 >/dev/null
cmake --build "$work/build"
"$work/build/outside"

PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name transom.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
g++ -std=c++23 tests/install/main.cpp -o "$work/outside" $(pkg-config --cflags --libs transom)
"$work/outside"
"$work/prefix/bin/transom" --version
