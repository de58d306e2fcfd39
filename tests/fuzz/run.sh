#!/usr/bin/env bash
# Runs one fuzz target for some seconds in a directory of its own, from the inputs in corpus/ that bear its name, if there are any:
# tests/fuzz/run.sh PROGRAM SECONDS
set -euo pipefail
program=$(realpath "$1")
seeds=$(realpath "$(dirname "$0")")/corpus/$(basename "$program")
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
cd "$corpus"
mkdir corpus
[ ! -d "$seeds" ] || cp "$seeds"/* corpus
"$program" -max_total_time="$2" -max_len=4096 -timeout=10 -rss_limit_mb=3072 -print_final_stats=1 corpus || {
  status=$?
  echo "the input that failed, for: base64 -d | $program /dev/stdin"
  for artifact in crash-* timeout-* oom-* leak-*; do [ -e "$artifact" ] && base64 "$artifact"; done
  exit $status
}
