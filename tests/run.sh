#!/usr/bin/env bash
# Checks everything: installs what is missing, builds, and runs every test against the float and the double build. Then
# runs the tests again under the address and undefined-behaviour sanitizers, with a million almost valid safetensors
# and GGUF files, lets every command read changed files, and runs the fuzz targets.
#   bash tests/run.sh          everything
#   bash tests/run.sh quick    without the sanitizers
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)

# All tests of a program, each core with a share of them. One process for each test, as ctest has it, takes far longer.
run_tests() {
  local parts=() part
  for ((part = 0; part < jobs; ++part)); do
    (cd "$(dirname "$1")" && GTEST_TOTAL_SHARDS=$jobs GTEST_SHARD_INDEX=$part "./$(basename "$1")" --gtest_brief=1) &
    parts+=($!)
  done
  for part in "${parts[@]}"; do wait "$part"; done
}

bash tests/install.sh
bash tests/check_house.sh
bash tests/check_includes.sh
cmake --preset release
cmake --build --preset release -j "$jobs"
run_tests build/release/tests_float
run_tests build/release/tests_double
bash tests/resume.sh build/release/ampgrad 8
bash tests/install_prefix.sh build/release
bash tests/ranks.sh build/release/ampgrad
if python3 -c 'import numpy' 2>/dev/null; then
  python3 tests/golden/make_golden.py --compare tests/golden | tail -n 12
else
  echo "NumPy is not installed: that tests/golden is what its script makes was not checked"
fi
if [ "${1:-}" != quick ]; then
  cmake --preset asan
  cmake --build --preset asan -j "$jobs" --target tests_float fuzz_commands
  run_tests build/asan/tests_float
  AMPGRAD_MUTATIONS=1000000 build/asan/tests_float --gtest_filter='*.AgreesWithAnIndependentChecker'
  build/asan/fuzz_commands build/asan/ampgrad tests/golden 600
  bash tests/install.sh fuzz
  bash tests/fuzz.sh 30
fi
