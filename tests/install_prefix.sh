#!/usr/bin/env bash
# Installs a build into a scratch prefix and uses it as strangers do: runs the programs, reads the manual pages, builds
# a project on the libraries, and makes the packages for Debian.
#   bash tests/install_prefix.sh build/release
set -euo pipefail
build=$(realpath "$1")
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix

fail() {
  echo "install: $1" >&2
  exit 1
}
# expect FILE TEXT: the file holds the text.
expect() { grep -qF -- "$2" "$1" || fail "$(basename "$1") does not hold '$2': $(cat "$1")"; }

cmake --install "$build" --prefix "$prefix" >/dev/null
for program in ampgrad ampgrad-double ampgrad-audit ampgrad-audit-float; do
  [ -x "$prefix/bin/$program" ] || fail "bin/$program is missing"
done
"$prefix/bin/ampgrad" --version >"$scratch/version"
expect "$scratch/version" "ampgrad $(sed -nE 's/^project\(ampgrad VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)"
# A command that has its program beside ampgrad.
printf '{"prompt":"a","completion":"bc"}\n%.0s' {1..20} >"$scratch/pairs.jsonl"
"$prefix/bin/ampgrad" synth --preset tiny --out "$scratch/model" >/dev/null
"$prefix/bin/ampgrad" trace --model "$scratch/model" --data "$scratch/pairs.jsonl" --k 4 \
  --weight model.layers.0.mlp.up_proj.weight >"$scratch/trace"
expect "$scratch/trace" "autograd/ops_loss.cc"

if command -v man >/dev/null; then
  MANPATH=$prefix/share/man MANWIDTH=100 man ampgrad-sft >"$scratch/page" 2>"$scratch/warnings"
  expect "$scratch/page" "--method NAME"
  [ ! -s "$scratch/warnings" ] || fail "man: $(cat "$scratch/warnings")"
fi
bash -c "source '$prefix/share/bash-completion/completions/ampgrad'; complete -p ampgrad" >"$scratch/complete"
expect "$scratch/complete" "-F _ampgrad ampgrad"

cmake -S tests/install -B "$scratch/consumer" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release \
  -DAMPGRAD_EXAMPLES="$prefix/share/doc/ampgrad/examples" >/dev/null
cmake --build "$scratch/consumer" -j "$(nproc)" >/dev/null
"$scratch/consumer/xor" >"$scratch/xor"
expect "$scratch/xor" "1 xor 0 = 1"
for real in float double; do
  "$scratch/consumer/scores_$real" tests/golden/gpt2-tiny >"$scratch/$real"
  expect "$scratch/$real" "norm of dS"
done
cmp "$scratch/float" "$scratch/double" || fail "float and double: $(cat "$scratch/float" "$scratch/double")"

if command -v dpkg-shlibdeps >/dev/null; then
  (cd "$scratch" && cpack --config "$build/CPackConfig.cmake" -B "$scratch/packages" >/dev/null 2>&1)
  for package in ampgrad libampgrad-dev; do
    deb=$(echo "$scratch/packages/$package"_*.deb)
    dpkg-deb --info "$deb" >"$scratch/$package.info"
    dpkg-deb --contents "$deb" >"$scratch/$package.files"
  done
  expect "$scratch/ampgrad.info" "libc6 (>= "
  expect "$scratch/ampgrad.files" "./usr/share/man/man1/ampgrad-sft.1"
  expect "$scratch/ampgrad.files" "./usr/share/bash-completion/completions/ampgrad"
  if grep -q "usr/include" "$scratch/ampgrad.files"; then fail "headers are in the package of the program"; fi
  expect "$scratch/libampgrad-dev.info" "Depends: libhwy-dev, nlohmann-json3-dev"
  expect "$scratch/libampgrad-dev.files" "./usr/include/ampgrad/autograd/tape.h"
  if [ -n "${2:-}" ]; then cp "$scratch"/packages/*.deb "$2"; fi
fi
echo "install: programs, manual pages, completion, libraries and packages are as they should be"
