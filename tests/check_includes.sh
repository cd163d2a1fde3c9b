#!/usr/bin/env bash
# Reads every source of the library alone, as the compiler would: each includes what it uses, which builds that join
# sources do not show. A line for each that does not; exit code 1 if there is one.
#   bash tests/check_includes.sh
set -euo pipefail
cd "$(dirname "$0")/.."

# The targets of Highway are those of CMakeLists.txt; other definitions of the build stand in build_info.cc alone.
targets=$(grep -oE 'HWY_DISABLED_TARGETS=[^"]*' CMakeLists.txt)
check() {
  g++ -std=c++20 -fsyntax-only -I. "-D$targets" "$1" 2>/dev/null && return
  echo "not complete alone: $1"
  return 1
}
export -f check
export targets
find tensor autograd nn ct models train -name '*.cc' ! -name mpi.cc -print0 |
  xargs -0 -P "$(nproc)" -I{} bash -c 'check {}'
