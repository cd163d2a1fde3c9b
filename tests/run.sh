#!/usr/bin/env bash
# Proves the project: installs what is missing, builds, runs every test against the float and the double build, then the
# tests again under the address and undefined-behaviour sanitizers.
#   bash tests/run.sh          everything
#   bash tests/run.sh quick    without the sanitizers
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)

bash tests/install.sh
bash tests/check_house.sh
cmake --preset release
cmake --build --preset release -j "$jobs"
ctest --preset release -j "$jobs"
if [ "${1:-}" != quick ]; then
  cmake --preset asan
  cmake --build --preset asan -j "$jobs" --target tests_float
  ctest --preset asan -j "$jobs" -L float
fi
