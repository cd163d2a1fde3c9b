#!/usr/bin/env bash
# Builds the benchmarks and compares them with PyTorch; bench/compare.py does the measuring.
set -euo pipefail
usage() {
  cat <<'END'
usage: bash bench/compare.sh [--rounds N] [--only gemm|step|amplitude|basis] [--peers DIR] [--install]

Times our programs and PyTorch's by turns, one configuration a process, and prints tables of ratios in Markdown.
  --rounds N    rounds of ours and theirs; the tables show medians over rounds (default 3)
  --only GROUP  one group instead of all four; gemm takes about four minutes a round, the others one or two
  --peers DIR   where PyTorch's scripts lie: env.sh, common.py, torch_gpt_step.py, torch_amplitude_step.py
                (default: the environment variable PEERS, else ../shared/peers beside this repository). Their env.sh
                unpacks two Debian packages under PEER_LIBS (see there) when they are not there yet.
  --install     first install with apt what the build needs, python3-torch and libopenblas0; without it nothing is installed
Where PyTorch or its scripts are missing, the tables hold our own numbers only.
Exit codes: 0 all was measured, 1 something failed, 2 wrong usage.
END
}

wrong_usage() {
  echo "compare.sh: $1 (--help shows the usage)" >&2
  exit 2
}

# Before the change of directory, so that a relative --peers means what it meant to the caller.
root=$(cd "$(dirname "$0")/.." && pwd)
rounds=3 only=() peers=${PEERS:-$root/../shared/peers} install=no
while [ $# -gt 0 ]; do
  case $1 in
  --help) usage && exit 0 ;;
  --install) install=yes ;;
  --rounds | --only | --peers)
    [ $# -ge 2 ] || wrong_usage "$1 needs a value"
    case $1 in
    --rounds) rounds=$2 ;;
    --only) only=(--only "$2") ;;
    --peers) peers=$2 ;;
    esac
    shift
    ;;
  *) wrong_usage "unknown option '$1'" ;;
  esac
  shift
done
[[ $rounds =~ ^[1-9][0-9]{0,2}$ ]] || wrong_usage "--rounds expects a number from 1 to 999, found '$rounds'"
[[ ${only[1]:-gemm} =~ ^(gemm|step|amplitude|basis)$ ]] ||
  wrong_usage "--only expects gemm, step, amplitude or basis, found '${only[1]}'"

cd "$root"
if [ $install = yes ]; then
  bash tests/install.sh
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends python3-torch libopenblas0 >/dev/null
fi
if [ ! -x /usr/bin/python3 ]; then
  echo "compare.sh: /usr/bin/python3 is missing; --install installs it" >&2
  exit 1
fi
cmake --preset release >/dev/null
if ! cmake --build --preset release -j "$(nproc)" --target bench_gemm bench_step bench_basis >/dev/null; then
  echo "compare.sh: the benchmarks were not built; they need Google Benchmark, which --install installs" >&2
  exit 1
fi

with=()
if ! /usr/bin/python3 -c 'import torch' 2>/dev/null; then
  echo "PyTorch is not installed for /usr/bin/python3 (--install installs it), so only our own numbers follow."
elif [ ! -e "$peers/env.sh" ] || [ ! -e "$peers/common.py" ]; then
  echo "PyTorch's scripts are not in $peers (--peers says where), so only our own numbers follow."
else
  with=(--peers "$(cd "$peers" && pwd)")
fi
exec /usr/bin/python3 bench/compare.py --build build/release --rounds "$rounds" "${only[@]}" "${with[@]}"
