#!/usr/bin/env bash
# Checks that two builds of the program compute the same numbers, bit for bit, on this machine: what every command
# trains and writes, with every method, start and chain. Seconds and memory are left out. Prints differences and exits 1
# if there are any.
#   bash tests/same_numbers.sh OLD NEW     two programs, such as those before and after a change
set -euo pipefail
old=$(realpath "$1")
new=$(realpath "$2")
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/old" "$work/new"
broken=0
compared=0

# both WORDS...: runs a command of both programs, each in its own folder. Its output goes to a numbered file there; of
# tables and sentences only the numbers, without times and sizes.
count=0
both() {
  count=$((count + 1))
  for side in old new; do
    if ! (cd "$work/$side" && "${!side}" "$@" >printed 2>errors); then
      echo "$side: '$*' failed: $(cat "$work/$side/errors")"
      broken=1
    fi
    if [ "$1" = generate ]; then
      mv "$work/$side/printed" "$work/$side/$count.text"
    else
      sed -E 's/[0-9.]+ s\/step//; s/, peak .*//; /^memory:/d; s/\| +[0-9.]+ \|$/|/' "$work/$side/printed" |
        grep -oE -e '-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?|nan|inf' >"$work/$side/$count.numbers" || true
    fi
  done
}

# Removes the times from every line of a log or a table.
without_times() {
  find "$work" -name '*.json*' -path '*/out*' \
    -exec sed -i -E 's/"(tokens_per_second|seconds_per_step)": ?[^,}]*//' {} +
}

for i in $(seq 80); do
  echo "Once upon a time there were $i birds in tree $((i * 7 % 40))."
done >"$work/text.txt"
for i in $(seq 90); do
  echo "{\"prompt\": \"How many birds are in tree $i? \", \"completion\": \"There are $((i * 3 % 17)) birds.\"}"
done >"$work/pairs.jsonl"

both pretrain --preset nano --text ../text.txt --length 32 --steps 12 --out gpt --log out-gpt.jsonl
both synth --preset tiny --out llama
for model in gpt llama; do
  sft=(sft --model $model --data ../pairs.jsonl --length 64 --batch 3 --steps 4)
  both "${sft[@]}" --method full --out out-$model-full --log out-$model-full.jsonl
  both "${sft[@]}" --method full --layers last:1 --train head --checkpoint --out out-$model-part
  for start in exact reconstructed; do
    for chain in explicit factored; do
      both "${sft[@]}" --k 5 --start $start --chain $chain --out out-$model-$start-$chain
      both "${sft[@]}" --k 5 --start $start --chain $chain --rows all --sample 9 --layers 1 --checkpoint --threads 1 \
        --out out-$model-$start-$chain-part
    done
  done
  for rows in blocks width; do
    for chain in explicit factored; do
      both sweep --model $model --data ../pairs.jsonl --length 64 --k 2,6 --steps 3 --search-steps 2 --full-lr 1e-3 \
        --rows $rows --chain $chain --json out-$model-$rows-$chain.json
    done
  done
  both generate --model out-$model-full --prompt "How many birds" --tokens 40
  both generate --model $model --prompt "How" --tokens 20 --temperature 0.8 --top-k 20 --top-p 0.9
done
both demo --preset nano --pretrain-steps 20 --steps 4 --k 4,8
for golden in "$root"/tests/golden/*/golden.json "$root"/../shared/golden/stories260K/golden.json; do
  [ -f "$golden" ] || continue
  name=$(basename "$(dirname "$golden")")
  both check --reference "$(dirname "$golden")" --json "out-check-$name.json" --dump "out-check-$name.safetensors"
done

without_times
while read -r file; do
  compared=$((compared + 1))
  cmp -s "$work/old/$file" "$work/new/$file" || { echo "differs: $file"; broken=1; }
done < <(cd "$work" && find old new -type f ! -name errors ! -name printed | cut -d/ -f2- | sort -u)
echo "$count commands, $compared files compared"
exit $broken
