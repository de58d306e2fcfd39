#!/usr/bin/env bash
# Fails when a file is not as clang-format would have it. To mend: clang-format-19 -i FILE
set -euo pipefail
cd "$(dirname "$0")/../.."
git ls-files '*.h' '*.cpp' '*.c' | xargs clang-format-19 --dry-run -Werror
