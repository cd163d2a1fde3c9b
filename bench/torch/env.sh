#!/usr/bin/env bash
# Runs a command in the environment in which Debian's PyTorch is fastest on this CPU:
#   bash bench/torch/env.sh best|avx2 COMMAND...
# "avx2" holds PyTorch and its BLAS to AVX2 on a CPU that has more. Nothing is installed here: that is for
# bench/compare.sh --install. Where a part is missing the command does not run, for a slower PyTorch would flatter us.
set -euo pipefail

# fail WORDS...: says why, and ends.
fail() {
  echo "env.sh: $*" >&2
  exit 1
}

has() { grep -qw "$1" /proc/cpuinfo; }
find_library() { compgen -G "/usr/lib/*/$1" | head -n 1; }

case "${1:-}" in
best | avx2) ;;
*) fail "expected best or avx2 and a command" ;;
esac
[ $# -ge 2 ] || fail "expected a command after $1"

# PyTorch's own kernels use AVX-512 only when told to. OpenBLAS goes by the CPU's model number, and may take one
# that is younger than itself for a CPU without AVX. Its kernels for SKYLAKEX are AVX-512, for HASWELL and ZEN AVX2.
if [ "$1" = best ] && has avx512f; then
  export ATEN_CPU_CAPABILITY=avx512 OPENBLAS_CORETYPE=SKYLAKEX
elif has avx2; then
  export ATEN_CPU_CAPABILITY=avx2 OPENBLAS_CORETYPE=HASWELL
  if has AuthenticAMD; then OPENBLAS_CORETYPE=ZEN; fi
elif [ "$1" = avx2 ]; then
  fail "this CPU has no AVX2"
else
  unset ATEN_CPU_CAPABILITY OPENBLAS_CORETYPE
fi

# OpenBLAS on OpenMP shares PyTorch's threads. The other build brings threads of its own, and the two sets then fight
# for the cores. Where both are installed Debian prefers the other one; the path comes before that choice.
openblas=$(find_library openblas-openmp/libopenblas.so.0) || fail "libopenblas0-openmp is missing"
export LD_LIBRARY_PATH=${openblas%/*}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

# The threads of both, two as in the README. They spin while they wait for work, which is OpenMP's default: a step is
# thousands of short tasks, and to wake a sleeping thread takes as long as many of them.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
unset OPENBLAS_NUM_THREADS OMP_WAIT_POLICY GOMP_SPINCOUNT

# glibc gives large blocks back to the system, so that each step faults in all its activations anew. jemalloc keeps
# them (decay -1: never given back) and asks for huge pages.
jemalloc=$(find_library libjemalloc.so.2) || fail "libjemalloc2 is missing"
export MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always

export PYTHONDONTWRITEBYTECODE=1  # leaves the folder as it is
shift
LD_PRELOAD=$jemalloc exec "$@"
