#!/usr/bin/env bash
# From a bare machine to the table: installs what is missing, builds the program, runs its demo with these arguments:
#   bash train/demo.sh --steps 100
set -euo pipefail
cd "$(dirname "$0")/.."

bash tests/install.sh
cmake --preset release
cmake --build --preset release -j "$(nproc)" --target ampgrad
exec build/release/ampgrad demo "$@"
