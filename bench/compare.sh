#!/usr/bin/env bash
# Builds the benchmarks and compares them with PyTorch. bench/compare.py does the measuring; PyTorch's side of it is
# bench/torch/.
set -euo pipefail
usage() {
  cat <<'END'
usage: bash bench/compare.sh [--rounds N] [--only gemm|step|amplitude|basis|tinyllama] [--simd NAME] [--torch best|avx2]
                             [--install]

Times our programs and PyTorch's by turns, one configuration a process, and prints tables of ratios in Markdown.
  --rounds N    rounds of ours and theirs; the tables show medians over rounds (default 3)
  --only GROUP  one group instead of the first four; gemm takes about four minutes a round, the others one to three.
                tinyllama runs only when asked for: it needs 10 GB of memory and 5 GB of disk
  --simd NAME   ours use this instruction set (amx, avx512, avx2 or scalar); avx2 holds PyTorch to AVX2 too
  --torch NAME  PyTorch as fast as this CPU lets it (best, the default) or held to AVX2 (avx2)
  --install     first install with apt what the build needs, python3-torch, libopenblas0-openmp and libjemalloc2;
                without it nothing is installed
Where one of PyTorch's packages is missing, the tables hold our own numbers only. Only an idle machine is fair:
PyTorch's threads spin while they wait for each other, and lose far more than ours where others use the cores too.
Exit codes: 0 all was measured, 1 something failed, 2 wrong usage.
END
}

wrong_usage() {
  echo "compare.sh: $1 (--help shows the usage)" >&2
  exit 2
}

rounds=3 only=() simd=() torch=best install=no
while [ $# -gt 0 ]; do
  case $1 in
  --help) usage && exit 0 ;;
  --install) install=yes ;;
  --rounds | --only | --simd | --torch)
    [ $# -ge 2 ] || wrong_usage "$1 needs a value"
    case $1 in
    --rounds) rounds=$2 ;;
    --only) only=(--only "$2") ;;
    --simd) simd=(--simd "$2") ;;
    --torch) torch=$2 ;;
    esac
    shift
    ;;
  *) wrong_usage "unknown option '$1'" ;;
  esac
  shift
done
[[ $rounds =~ ^[1-9][0-9]{0,2}$ ]] || wrong_usage "--rounds expects a number from 1 to 999, found '$rounds'"
[[ ${only[1]:-gemm} =~ ^(gemm|step|amplitude|basis|tinyllama)$ ]] ||
  wrong_usage "--only expects gemm, step, amplitude, basis or tinyllama, found '${only[1]}'"
if [ "${simd[1]:-}" = avx2 ]; then torch=avx2; fi
[[ $torch =~ ^(best|avx2)$ ]] || wrong_usage "--torch expects best or avx2, found '$torch'"

cd "$(dirname "$0")/.."
if [ $install = yes ]; then
  bash tests/install.sh
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends \
    python3-torch libopenblas0-openmp libjemalloc2 >/dev/null
fi
if [ ! -x /usr/bin/python3 ]; then
  echo "compare.sh: /usr/bin/python3 is missing; --install installs it" >&2
  exit 1
fi
cmake --preset release >/dev/null
if ! cmake --build --preset release -j "$(nproc)" --target ampgrad bench_gemm bench_step bench_basis >/dev/null; then
  echo "compare.sh: the benchmarks were not built; they need Google Benchmark, which --install installs" >&2
  exit 1
fi

with=(--torch "$torch")
if ! missing=$(bash bench/torch/env.sh "$torch" /usr/bin/python3 -c 'import torch' 2>&1); then
  echo "PyTorch cannot run (${missing##*$'\n'}), so only our own numbers follow; --install installs what it needs."
  with=()
fi
exec /usr/bin/python3 bench/compare.py --build build/release --rounds "$rounds" "${only[@]}" "${simd[@]}" "${with[@]}"
