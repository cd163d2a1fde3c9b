#!/usr/bin/env bash
# Builds the fuzz targets of tests/fuzz with clang and runs each for a minute, from a few inputs that are almost valid.
#   bash tests/fuzz.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT

# The inputs that a target starts from. Other targets start from nothing.
seed() {
  case $1 in
    safetensors_header)
      printf '\x08{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}} ' >"$corpus/$1/one"
      printf '\x06{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2],"data_offsets":[2,6]},' \
        >"$corpus/$1/two"
      printf '"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}' >>"$corpus/$1/two"
      printf '\x03{"x":{"dtype":"F4","shape":[3,2],"data_offsets":[0,3],"y":[{"z":null}]}}' >"$corpus/$1/three"
      ;;
    gguf_header)
      printf 'GGUF\3\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0' >"$corpus/$1/one"
      printf '\1\0\0\0\0\0\0\0k\4\0\0\0\7\0\0\0\1\0\0\0\0\0\0\0t\1\0\0\0\4\0\0\0\0\0\0\0' >>"$corpus/$1/one"
      head -c 76 /dev/zero >>"$corpus/$1/one"
      ;;
    tokenizer_json)
      for name in gpt2 llama llama3 qwen2; do
        cp "tests/golden/tokenizers/$name/tokenizer.json" "$corpus/$1/$name"
      done
      ;;
  esac
}

targets=()
for source in tests/fuzz/*.cc; do targets+=("$(basename "$source" .cc)"); done
cmake -S . -B build/fuzz -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Release -DAMPGRAD_FUZZ=ON -DAMPGRAD_TESTS=OFF \
  -DAMPGRAD_BENCH=OFF >/dev/null
cmake --build build/fuzz -j "$(nproc)" --target "${targets[@]/#/fuzz_}"
for target in "${targets[@]}"; do
  mkdir "$corpus/$target"
  seed "$target"
  echo "fuzzing $target for $seconds s"
  # A finding of the undefined-behaviour sanitizer must end the run, as one of the address sanitizer does.
  if ! UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "build/fuzz/fuzz_$target" -max_total_time="$seconds" \
    -rss_limit_mb=2048 -timeout=10 -artifact_prefix=build/fuzz/ "$corpus/$target" >"$corpus/log" 2>&1; then
    cat "$corpus/log"
    exit 1
  fi
  tail -n 1 "$corpus/log"
done
