#!/usr/bin/env bash
# Stops runs at random moments and resumes them: with kill -9 and SIGINT after a random time; at a random one of the
# calls that change files, by killing the process there, by letting the call fail, or by letting the disk be full from
# there on; and by a limit on the size of files. Each run must end with the files of the run that was never stopped,
# byte for byte, and with its log but for the times. What stands under a final name is whole at every stop.
#   bash tests/resume.sh PROGRAM [ROUNDS] [SEED]
set -euo pipefail
program=$(realpath "$1")
rounds=${2:-20}
RANDOM=${3:-1}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
broken=0

fail() {
  echo "broken: $1"
  broken=1
}

"${CXX:-c++}" -std=c++20 -O1 -shared -fPIC "$root/tests/resume/failing_calls.cc" -o "$work/failing_calls.so" -ldl

cd "$work"
for i in $(seq 80); do echo "Once upon a time there were $i birds in tree $((i * 7 % 40))."; done >text.txt
for i in $(seq 90); do
  echo "{\"prompt\": \"How many birds are in tree $i? \", \"completion\": \"There are $((i * 3 % 17)) birds.\"}"
done >pairs.jsonl
"$program" pretrain --preset nano --text text.txt --length 32 --steps 12 --out base >printed 2>&1

# The runs: what the command line is without --threads. They write out and, beside it, log.jsonl or log.csv.
state=(--save-every 4 --eval-every 3)
sft=(sft --model ../base --data ../pairs.jsonl --out out --length 48 --batch 6)
runs=(
  "pretrain --preset nano --text ../text.txt --out out --length 32 --steps 30 --keep best --log log.jsonl ${state[*]}"
  "${sft[*]} --steps 30 --method full --shards 4 --log log.csv --schedule linear --clip 0.5 ${state[*]}"
  "${sft[*]} --steps 30 --start exact --k 5 --log log.jsonl --keep best --patience 3 --lr 0.3 ${state[*]}"
  "${sft[*]} --start reconstructed --k 6 --optimizer sgd --accumulate 2 --epochs 2.5 --log log.csv ${state[*]}"
)

# A run of its own settings in the directory $1, where $2 are the words and the rest is put before the program.
start() {
  local directory=$1 words=$2
  shift 2
  (cd "$directory" && "$@" "$program" $words --threads $((RANDOM % 3 + 1)) >>printed 2>>errors)
}

# The log without what depends on time: the last field in both forms.
log_of() { sed -E 's/("tokens_per_second":|,)[^,]*$//' "$1"/log.*; }

# Whether everything under final names in the directory $1 is whole and that of the run in $2.
check_result() {
  local directory=$1 expected=$2 what=$3
  diff -r "$directory/out" "$expected/out" >difference || fail "$what: $(head -n 3 difference)"
}

for i in "${!runs[@]}"; do
  mkdir "run$i"
  start "run$i" "${runs[$i]}" env LD_PRELOAD="$work/failing_calls.so" AMPGRAD_CALLS="$work/run$i/calls"
  [ ! -e "run$i/out.run" ] || fail "run $i: the state outlives the run"
  words=$(sed -E 's/--steps 30/--steps 29/; s/--epochs [0-9.]+/--epochs 2/' <<<"${runs[$i]}")
  mkdir "other$i"
  start "other$i" "$words"
  ! diff -r "run$i/out" "other$i/out" >difference || fail "run $i: the comparison sees no difference of one step"
done

# Stops a run of the words $3 in directory $2, in the way $1. Sets `moment`.
stop() {
  local way=$1 directory=$2 words=$3 calls=$4
  local number=$((RANDOM % calls + 1)) tenths=$((RANDOM % 9 + 1))
  moment="$way at call $number of $calls"
  case $way in
  kill | fail | short)
    start "$directory" "$words" env LD_PRELOAD="$work/failing_calls.so" AMPGRAD_FAULT="$way $number"
    ;;
  KILL | INT)
    moment="SIG$way after 0.${tenths} s"
    start "$directory" "$words" timeout --preserve-status -s "$way" "0.$tenths"
    ;;
  limit)
    number=$((RANDOM % 300 + 1))
    moment="files of at most $number KB"
    start "$directory" "$words" bash -c "ulimit -f $number; exec \"\$@\"" bash
    ;;
  esac
}

ways=(kill KILL fail INT short kill limit)
for round in $(seq "$rounds"); do
  i=$((RANDOM % ${#runs[@]}))
  calls=$(cat "run$i/calls")
  rm -rf try && mkdir try
  words=${runs[$i]} moments=""
  for attempt in 1 2 3; do
    way=${ways[$(((round + attempt) % ${#ways[@]}))]}
    code=0
    stop "$way" try "$words" "$calls" 2>/dev/null || code=$?
    moments+="; $moment, code $code"
    if [ -e try/out ]; then check_result try "run$i" "round $round, run $i$moments"; fi
    if [ "$code" = 0 ]; then break; fi
    if [ -e try/out.run/state.safetensors ]; then
      words="${words%% *} --resume out.run"
    elif [ ! -e try/out ]; then
      rm -f try/log.*
      words=${runs[$i]}
    fi
  done
  if [ ! -e try/out ]; then start try "$words" || fail "round $round, run $i$moments: $(tail -n 1 try/errors)"; fi
  if [ -e try/out.run/ampgrad.json ]; then start try "${words%% *} --resume out.run" || fail "round $round: no end"; fi
  check_result try "run$i" "round $round, run $i$moments"
  diff <(log_of try) <(log_of "run$i") >difference || fail "round $round, run $i$moments: log $(head -n 3 difference)"
  # A save that fails keeps what it has written, and says where.
  left=$(cd try && find . -mindepth 1 -maxdepth 1 ! -name out ! -name 'log.*' ! -name printed ! -name errors \
    ! -name 'out.partial-*-kept')
  [ -z "$left" ] || fail "round $round, run $i$moments: left behind: $left"
  echo "round $round: run $i$moments"
done
exit $broken
