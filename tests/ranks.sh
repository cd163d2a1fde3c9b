#!/usr/bin/env bash
# Runs by several ranks, under each MPI that is installed: whatever the number of ranks, a run must end with the files
# of one process with as many shards, byte for byte, and with its log but for the times. Also after a rank was killed
# and the run went on with another number. What ends a run says so in one sentence, which names the rank.
#   bash tests/ranks.sh PROGRAM     the program of a build directory, whose library is linked with each MPI
set -euo pipefail
build=$(cd "$(dirname "$1")" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
broken=0

fail() {
  echo "broken: $1"
  broken=1
}

# A program for each MPI: only the file that knows MPI differs.
mpis=()
for mpi in openmpi mpich; do
  command -v "mpicxx.$mpi" >/dev/null && command -v "mpirun.$mpi" >/dev/null || continue
  "mpicxx.$mpi" -std=c++20 -O0 -DAMPGRAD_MPI -DOMPI_SKIP_MPICXX -DMPICH_SKIP_MPICXX -I"$root" \
    "$root/train/commands/main.cc" "$root/train/ranks/mpi.cc" "$build/libampgrad_float.a" \
    -lhwy -pthread -o "$work/ampgrad-$mpi"
  mpis+=("$mpi")
done
if [ ${#mpis[@]} -eq 0 ]; then
  echo "no MPI is installed: ranks were not tested"
  exit 0
fi
program="$work/ampgrad-${mpis[0]}"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# ranks MPI N WORDS...: N ranks of `ampgrad WORDS`.
ranks() {
  local mpi=$1 n=$2
  shift 2
  launch "$mpi" -n "$n" "$work/ampgrad-$mpi" "$@"
}

launch() {
  local mpi=$1
  shift
  if [ "$mpi" = openmpi ]; then
    mpirun.openmpi --oversubscribe "$@"
  else
    mpirun.mpich "$@"
  fi
}

# Fails unless the lines of the file $2 that begin with "ampgrad" are one, and match $3.
one_sentence() {
  local lines
  lines=$(grep '^ampgrad' "$2" || true)
  [[ "$lines" != *$'\n'* ]] && grep -qE "$3" <<<"$lines" || fail "$1: expected '$3', found '$lines'"
}

# The log without what depends on time.
log_of() { sed -E 's/("tokens_per_second":|,)[^,]*$//' "$1"; }

same_run() {
  diff -r "$2/out" "$3/out" >difference || fail "$1: $(head -n 3 difference)"
  diff <(log_of "$2/log.jsonl") <(log_of "$3/log.jsonl") >difference || fail "$1: log $(head -n 3 difference)"
  [ ! -e "$2/out.run" ] || fail "$1: the state outlives the run"
}

cd "$work"
for i in $(seq 80); do echo "Once upon a time there were $i birds in tree $((i * 7 % 40))."; done >text.txt
for i in $(seq 90); do
  echo "{\"prompt\": \"How many birds are in tree $i? \", \"completion\": \"There are $((i * 3 % 17)) birds.\"}"
done >pairs.jsonl
"$program" pretrain --preset nano --text text.txt --length 32 --steps 12 --out base >printed 2>&1
sft=(sft --model ../base --data ../pairs.jsonl --out out --length 48 --batch 7 --threads 1 --log log.jsonl)
every=(--eval-every 5 --save-every 4)

# --- The same bits --------------------------------------------------------------------------------------------------

# In a directory of its own, `ampgrad WORDS` by one process, or by ranks.
in_directory() {
  mkdir "$1"
  (cd "$1" && shift && "$@" >printed 2>errors) || fail "$1: $(tail -n 3 "$1/errors")"
}
hash_of() { cat "$1"/out/*.safetensors | sha256sum | cut -c 1-12; }

declare -A runs=(
  [amplitude]="${sft[*]} --steps 20 --start exact --k 5 --lr 0.3 ${every[*]} --keep best"
  [lora]="${sft[*]} --steps 20 --method lora --rank 4 --lr 0.01 --dropout 0.1 --clip 0.1 ${every[*]}"
  [full]="${sft[*]} --steps 20 --method full --pack ${every[*]}"
)
printf '%-10s %-14s %-14s' method 'one process' ''
for n in 1 2 3 4; do printf ' %-12s' "$n ranks"; done
printf '\n'
for method in amplitude lora full; do
  words=${runs[$method]}
  in_directory "$method" "$program" $words --shards 4
  in_directory "$method-shorter" "$program" ${words/--steps 20/--steps 19} --shards 4
  [ "$(hash_of "$method")" != "$(hash_of "$method-shorter")" ] || fail "$method: one step makes no difference"
  for mpi in "${mpis[@]}"; do
    printf '%-10s %-14s %-14s' "$method" "$(hash_of "$method")" "$mpi"
    for n in 1 2 3 4; do
      in_directory "$method-$mpi-$n" ranks "$mpi" "$n" $words --shards 4
      same_run "$method, $n ranks of $mpi" "$method-$mpi-$n" "$method"
      printf ' %-12s' "$(hash_of "$method-$mpi-$n")"
    done
    printf '\n'
  done
done

# Without --shards there are as many as ranks. Their number is a setting of the run, and the first rank alone talks.
without_times() { sed -E 's/[0-9.]+ s\/step.*//; /^[0-9]+ ranks /d' "$1"; }
words="pretrain --preset nano --text ../text.txt --out out --length 32 --steps 10 --batch 5 --log log.jsonl --threads 1"
in_directory pretrain "$program" $words --shards 3
for mpi in "${mpis[@]}"; do
  in_directory "pretrain-$mpi" ranks "$mpi" 3 $words
  same_run "pretrain by 3 ranks of $mpi" "pretrain-$mpi" pretrain
  diff <(without_times pretrain/printed) <(without_times "pretrain-$mpi/printed") >difference ||
    fail "3 ranks of $mpi print $(head -n 3 difference)"
done

# --- Killed, stopped, and resumed by others -------------------------------------------------------------------------

# Starts N ranks in the background, in a directory of their own; each leaves its process in pid.RANK.
cat >rank.sh <<'END'
echo $$ >pid.${OMPI_COMM_WORLD_RANK:-$PMI_RANK}
exec "$@"
END
start() {
  local directory=$1 mpi=$2 n=$3
  shift 3
  mkdir -p "$directory"
  (cd "$directory" && rm -f pid.* &&
    launch "$mpi" -n "$n" bash ../rank.sh "$work/ampgrad-$mpi" "$@" >>printed 2>errors) &
}

# Until the run in the directory $1 writes a state.
await_state() {
  touch since
  for _ in $(seq 400); do
    [ ! "$1/out.run/state.safetensors" -nt since ] || return 0
    sleep 0.05
  done
  fail "$1: no state came: $(tail -n 3 "$1/errors")"
}

words_of_long="${sft[*]} --steps 600 --start exact --k 5 --lr 0.3 --save-every 50"
in_directory long "$program" $words_of_long --shards 4
for mpi in "${mpis[@]}"; do
  start "stopped-$mpi" "$mpi" 3 $words_of_long --shards 4
  await_state "stopped-$mpi"
  kill -KILL "$(cat "stopped-$mpi/pid.1")"
  wait $! && fail "$mpi: the end of a rank is no error"
  one_sentence "kill of a rank, $mpi" "stopped-$mpi/errors" \
    '^ampgrad: rank 1 \(process [0-9]+\) has died, and all ranks end; the last saved state is good$'
  [ ! -e "stopped-$mpi/out" ] || fail "$mpi: a run without its rank 1 has ended well"

  start "stopped-$mpi" "$mpi" 2 sft --resume out.run --threads 1
  await_state "stopped-$mpi"
  # A signal to one rank stops all of them, after the same step.
  kill -TERM "$(cat "stopped-$mpi/pid.1")" || fail "$mpi: the run had ended before it was told to"
  wait $! && fail "$mpi: the end by a signal is no error"
  one_sentence "signal to a rank, $mpi" "stopped-$mpi/errors" \
    '^ampgrad sft: interrupted after step [0-9]+ of 600; it goes on with '"'ampgrad sft --resume out.run'"'$'

  start "stopped-$mpi" "$mpi" 4 sft --resume out.run --threads 1
  wait $! || fail "$mpi: 4 ranks cannot go on: $(cat "stopped-$mpi/errors")"
  same_run "killed, stopped and resumed, $mpi" "stopped-$mpi" long
done

# --- What ranks disagree on, and what only one of them cannot do ----------------------------------------------------

mkdir disagree elsewhere
sed '1s/tree/bush/' pairs.jsonl >elsewhere/pairs.jsonl
cp pairs.jsonl disagree/
words=(sft --model "$work/base" --data pairs.jsonl --out out --length 48 --steps 2 --threads 1)

# $1: what rank 1 of 2 is told beside that; $2: the sentence. Nothing may be written.
refused() {
  local mpi
  for mpi in "${mpis[@]}"; do
    (cd disagree && launch "$mpi" -n 1 "$work/ampgrad-$mpi" "${words[@]}" : \
      -n 1 bash -c "$1" - "$work/ampgrad-$mpi" "${words[@]}" >printed 2>errors) && fail "accepted by $mpi: $1"
    one_sentence "$1, $mpi" disagree/errors "$2"
    [ "$(ls disagree elsewhere | sort -u | tr '\n' ' ')" = ' disagree: elsewhere: errors pairs.jsonl printed ' ] ||
      fail "$1, $mpi: left behind $(ls disagree elsewhere | tr '\n' ' ')"
  done
}
refused '"$@" --lr 0.5' '^ampgrad sft: rank 1: expected --lr of rank 0, none, found 0.5$'
refused '"$@" --simd scalar' '^ampgrad sft: rank 1: expected --simd of rank 0, none, found "scalar"$'
refused 'cd ../elsewhere && "$@"' \
  '^ampgrad sft: rank 1: expected pairs.jsonl of rank 0, [0-9]+ bytes, hash [0-9a-f]{16}, found [0-9]+ bytes, hash '
refused 'cd / && "$@"' '^ampgrad sft: rank 1: pairs.jsonl: '

mkdir refused
cp pairs.jsonl refused/
for mpi in "${mpis[@]}"; do
  (cd refused && ranks "$mpi" 2 "${words[@]}" --shards 1 >printed 2>errors) && fail "a shard for two"
  one_sentence 'one shard' refused/errors \
    '^ampgrad sft: expected a shard of the step for each of 2 ranks, found --shards 1$'
  (cd refused && ranks "$mpi" 2 generate --model ../base --prompt a >printed 2>errors) && fail "two ranks of generate"
  one_sentence 'generate' refused/errors \
    '^ampgrad generate: expected one process, found 2 ranks; pretrain, sft and study run in several'
  for other in "${mpis[@]}"; do
    [ "$mpi" = "$other" ] && continue
    (cd refused && launch "$other" -n 2 "$work/ampgrad-$mpi" "${words[@]}" >printed 2>errors) && fail "$mpi by $other"
    grep -qE "^ampgrad sft: expected an mpirun of this program's MPI, .*, found another one's" refused/errors ||
      fail "$mpi by $other: $(head -n 3 refused/errors)"
  done
done

# What the first rank cannot write.
for mpi in "${mpis[@]}"; do
  start "taken-$mpi" "$mpi" 2 $words_of_long --shards 4
  await_state "taken-$mpi"
  mkdir "taken-$mpi/out"
  touch "taken-$mpi/out/file"
  wait $! && fail "$mpi: a result that cannot be written is no error"
  one_sentence "taken, $mpi" "taken-$mpi/errors" \
    '^ampgrad sft: rank 0: .*/out: cannot be created: Directory not empty; what was written is kept in '
done

# --- The arms of a study --------------------------------------------------------------------------------------------

cat >plan.json <<'END'
[{"method": "full", "rates": [1e-3]}, {"method": "amplitude", "k": 4, "start": "exact"},
 {"method": "lora", "rank": 2, "rates": [1e-2]}, {"method": "norms", "rates": [1e-2]}]
END
study=(study --model ../base --data ../pairs.jsonl --out out --plan ../plan.json --seeds 2 --steps 4 --length 48)
lines_of() {
  grep -v '"line":"capture"' "$1/out/runs.jsonl" |
    sed -E 's/"(seconds|train_time|seconds_per_step|memory_max)":[^,}]*//g' | sort
}
in_directory study "$program" "${study[@]}" --threads 1
for mpi in "${mpis[@]}"; do
  in_directory "study-$mpi" ranks "$mpi" 3 "${study[@]}" --threads 1
  diff <(lines_of study) <(lines_of "study-$mpi") >difference ||
    fail "study by 3 ranks of $mpi: $(head -c 600 difference)"
  grep -q '^8 runs are in out/runs.jsonl$' "study-$mpi/printed" ||
    fail "study by $mpi: $(tail -n 1 "study-$mpi/printed")"
done

[ $broken -eq 0 ] && echo "ranks of ${mpis[*]}: same bits, one sentence"
exit $broken
