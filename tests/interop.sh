#!/usr/bin/env bash
# Checks our adapters with the programs that others use: Hugging Face's PEFT and transformers, and llama.cpp. A line a
# check; exit code 1 if one fails.
#   bash tests/interop.sh [PROGRAM]    default: build/release/ampgrad
#   bash tests/interop.sh --install    installs those programs only
# They are installed into ${TMPDIR:-/tmp}/ampgrad-interop (900 MB) the first time, Debian's PyTorch with apt. The model
# stories260K lies in ../shared/golden, or where AMPGRAD_SHARED_GOLDEN says.
set -euo pipefail
program=${1:-build/release/ampgrad}
if [ "$program" != --install ] && ! program=$(realpath -e "$program"); then exit 1; fi
cd "$(dirname "$0")/.."
scratch=${TMPDIR:-/tmp}/ampgrad-interop

fail() {
  echo "interop.sh: $1" >&2
  exit 1
}

install() {
  [ -x "$(command -v npm)" ] || fail "npm is missing; expected Node.js 20 or newer"
  if ! /usr/bin/python3 -c 'import torch, venv, ensurepip' 2>/dev/null; then
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends python3-torch python3-venv >/dev/null
  fi
  rm -rf "$scratch"
  mkdir -p "$scratch/node"
  /usr/bin/python3 -m venv --system-site-packages "$scratch/venv"
  "$scratch/venv/bin/pip" install -q --no-deps -r tests/interop/requirements.txt
  cp tests/interop/package.json "$scratch/node/"
  # Without its scripts, which would build llama.cpp where the built one does not run.
  npm install --prefix "$scratch/node" --silent --no-audit --no-fund --ignore-scripts
  wanted >"$scratch/installed"
}

wanted() { cat tests/interop/requirements.txt tests/interop/package.json; }

if ! wanted | cmp -s - "$scratch/installed"; then install; fi
if [ "$program" = --install ]; then exit 0; fi

export HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/golden
exec "$scratch/venv/bin/python" tests/interop/check.py "$program" "${AMPGRAD_SHARED_GOLDEN:-../shared/golden}"
