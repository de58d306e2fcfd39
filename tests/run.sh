#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
#
#   tests/run.sh [-k PATTERN] [--quick] [--tidy] [--soak MINUTES] [--list]
#
#   -k PATTERN   only the tests whose name matches this extended regular expression
#   --quick      leave out the fuzzers and the tests with real programs
#   --tidy       clang-tidy over every source, and every header compiled alone (fifteen minutes more)
#   --soak MINUTES   new seeds of the adversarial simulation for so long, besides the 1,000 that are always run
#   --list       print the names and run nothing
#
# Names: unit/LAYER, simulation/..., conformance/..., lint/..., install/..., packetdrill/SCRIPT, replay/captures, bench/instructions, fuzz/TARGET, interop/.... The unit tests run in the sanitizer build, the
# programs and unit/tools in the release build. Each test's output is kept in build/logs. The last line counts what passed and failed.
set -uo pipefail
cd "$(dirname "$0")/.."

pattern='.'
quick=no
tidy=no
soak=0
list=no
while [ $# -gt 0 ]; do
  case $1 in
    -k) [ $# -ge 2 ] || { echo "run.sh: -k needs a pattern, as in: tests/run.sh -k unit/tcp" >&2; exit 2; }
        pattern=$2; shift 2 ;;
    --quick) quick=yes; shift ;;
    --tidy) tidy=yes; shift ;;
    --list) list=yes; shift ;;
    --soak) [[ ${2:-} =~ ^[0-9]+(\.[0-9]+)?$ ]] || { echo "run.sh: --soak needs minutes, as in: tests/run.sh --soak 10" >&2; exit 2; }
        soak=$2; shift 2 ;;
    *) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done

logs=build/logs
jobs=$(nproc)
passed=0
failed=0
failures=()
mkdir -p "$logs"

declare -A begun begun_at

wanted() { [[ $1 =~ $pattern ]]; }

# check NAME COMMAND...: runs one test if it is wanted.
check() {
  local name=$1 start=${begun_at[$1]:-$SECONDS}; shift
  wanted "$name" || return 0
  if [ $list = yes ]; then echo "$name"; return 0; fi
  local log="$logs/${name//\//-}.log"
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1)); echo "PASS  $name  ($((SECONDS - start)) s)"
  else
    failed=$((failed + 1)); failures+=("$name"); echo "FAIL  $name  ($((SECONDS - start)) s), the end of $log:"; tail -n 40 "$log"
  fi
}

# begin NAME COMMAND...: starts a test in the background if it is wanted; the one check that follows is `end NAME`.
begin() {
  local name=$1; shift
  wanted "$name" && [ $list = no ] || return 0
  "$@" >"$logs/${name//\//-}.run" 2>&1 &
  begun[$name]=$!
  begun_at[$name]=$SECONDS
}
end() {
  local status=0
  [ -z "${begun[$1]:-}" ] || { wait "${begun[$1]}"; status=$?; }
  check "$1" sh -c 'cat "$1"; exit "$2"' sh "$logs/${1//\//-}.run" $status
}

# check_gtest NAME BINARY ARGUMENT...: the same for a program of GoogleTest; which of its tests ran is kept for conformance/coverage.
check_gtest() {
  local name=$1 binary=$2; shift 2
  check "$name" "$binary" --gtest_output="json:$logs/${name//\//-}.json" "$@"
}

start_build() {  # start_build PRESET: everything of it, in the background
  echo "building $1"
  { cmake --preset "$1" && cmake --build --preset "$1" -j "$jobs"; } >"$logs/build-$1.log" 2>&1 &
  builder=$!
}
finish_build() {  # finish_build PRESET: or the end of the story
  wait "$builder" && return 0
  tail -n 60 "$logs/build-$1.log"
  echo "run.sh: the $1 build failed; all of it is in $logs/build-$1.log"
  echo "0 passed, 1 failed"
  exit 1
}
build() { start_build "$1"; finish_build "$1"; }

any_wanted() { local name; for name in "$@"; do wanted "$name" && return 0; done; return 1; }

if [ $list = no ]; then
  tests/install_packages.sh || exit 3
  rm -f "$logs"/*.json "$logs/interop.log"
fi

layers=(base wire link ip udp tcp host drivers socket_api)
have_layer() { compgen -G "tests/unit/$1/*.cpp" >/dev/null; }

unit_names=(simulation/same-in-both-builds simulation/adversarial simulation/soak conformance/host
  conformance/coverage)
for layer in "${layers[@]}"; do unit_names+=("unit/$layer"); done
if [ $list = no ] && any_wanted "${unit_names[@]}" lint/symbols; then build debug; fi
# While the unit tests run, each on one core.
if [ $list = no ]; then start_build release; fi
for layer in "${layers[@]}"; do
  have_layer "$layer" && check_gtest "unit/$layer" "build/debug/bin/test_$layer" --gtest_brief=1
done
check_gtest conformance/host build/debug/bin/test_conformance --gtest_brief=1 \
  --gtest_filter="$(tests/conformance/coverage.py --gtest-filter)"
check simulation/adversarial build/debug/bin/adversarial --seeds 1-1000
[ "$soak" = 0 ] || check simulation/soak build/debug/bin/adversarial --minutes "$soak"

check lint/arrows python3 tests/lint/arrows.py
check lint/format tests/lint/format.sh
check lint/words tests/lint/words.sh

if [ $list = no ]; then finish_build release; fi
check lint/symbols tests/lint/symbols.sh build/release/stack/libtransom_stack.a
check_gtest unit/tools build/release/bin/test_tools --gtest_brief=1
begin simulation/same-in-both-builds tests/simulation/compare_builds.sh release debug
check_gtest simulation/release build/release/bin/test_simulation --gtest_brief=1
end simulation/same-in-both-builds
if [ $tidy = yes ]; then
  check lint/headers cmake --build --preset release -j "$jobs" --target header_check
  check lint/tidy tests/lint/tidy.sh
fi
check packetdrill/knobs tests/packetdrill/knobs.sh build/release
for script in tests/packetdrill/scripts/*.pkt; do
  name=$(basename -s .pkt "$script")
  check "packetdrill/$name" tests/packetdrill/run.sh build/release "$name"
done
check replay/captures build/release/bin/transom replay-suite captures
check bench/instructions tests/bench/instructions.py
check install/outside-project tests/install/run.sh build/release

if [ $quick = no ]; then
  # The tests with real programs have a runner of their own, which prints a line for each.
  if interop=$(python3 tests/interop/run.py --list -k "$pattern") && [ -n "$interop" ]; then
    if [ $list = yes ]; then
      echo "$interop"
    else
      python3 tests/interop/run.py -k "$pattern" | tee "$logs/interop.log"
      read -r good bad < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p' "$logs/interop.log" | tail -n 1)
      passed=$((passed + ${good:-0}))
      failed=$((failed + ${bad:-1}))
      [ "${bad:-1}" -eq 0 ] || failures+=("interop")
    fi
  fi

  fuzz_names=()
  for source in tests/fuzz/*_fuzz.cpp; do fuzz_names+=("fuzz/$(basename "$source" _fuzz.cpp)"); done
  if any_wanted "${fuzz_names[@]}"; then
    [ $list = no ] && build debug
    # Two at a time, and each of them has 5 s.
    while read -r -a pair; do
      for name in "${pair[@]}"; do begin "$name" tests/fuzz/run.sh "build/debug/bin/${name#fuzz/}_fuzz" 5; done
      for name in "${pair[@]}"; do end "$name"; done
    done < <(printf '%s\n' "${fuzz_names[@]}" | paste -d' ' - -)
  fi
fi

# Last, as it looks at what the others have done.
check conformance/rules python3 tests/conformance/coverage_test.py
partial=()
[ "$pattern" = . ] && [ $quick = no ] || partial=(--partial)
check conformance/coverage tests/conformance/coverage.py --check "${partial[@]}"

[ $list = yes ] && exit 0
for name in "${failures[@]}"; do echo "failed: $name   (again: tests/run.sh -k '^$name\$')"; done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
