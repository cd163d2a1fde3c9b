#!/usr/bin/env bash
# Reads every source that a build joins with others alone, as the compiler would: each includes what it uses. A line for
# each that does not; exit code 1 if there is one.
#   bash tests/check_includes.sh
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The targets of Highway are those of CMakeLists.txt; other definitions of the build stand in build_info.cc alone.
targets=$(grep -oE 'HWY_DISABLED_TARGETS=[^"]*' CMakeLists.txt)
of_library=("-D$targets")
# GoogleTest and the JSON library, which take longer to read than most tests, are read once.
printf '#include <gtest/gtest.h>\n#include <nlohmann/json.hpp>\n' >"$scratch/common.h"
g++ -std=c++20 -x c++-header "$scratch/common.h" -o "$scratch/common.h.gch"
of_tests=(-include "$scratch/common.h" "-DAMPGRAD_SOURCE_DIR=\"$PWD\"" '-DAMPGRAD_PROGRAM=""' '-DAMPGRAD_XOR=""')
if [ -e ../shared/golden ]; then of_tests+=('-DAMPGRAD_SHARED_DIR="../shared"'); fi

# check SOURCE FLAGS...
check() {
  g++ -std=c++20 -fsyntax-only -I. "${@:2}" "$1" 2>/dev/null && return
  echo "not complete alone: $1"
  return 1
}
export -f check
incomplete=0
find tensor autograd nn ct models train -name '*.cc' ! -name mpi.cc -print0 |
  xargs -0 -P "$(nproc)" -I{} bash -c 'check "$@"' check {} "${of_library[@]}" || incomplete=1
find tests -name 'test_*.cc' -print0 |
  xargs -0 -P "$(nproc)" -I{} bash -c 'check "$@"' check {} "${of_tests[@]}" || incomplete=1
exit $incomplete
