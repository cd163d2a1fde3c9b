#!/usr/bin/env bash
# Stops runs at random moments and resumes them: with kill -9 and SIGINT after a random time; at a random one of the
# calls that change files, by killing the process there, by letting the call fail, or by letting the disk be full from
# there on; and by a limit on the size of files. Each run must end with the files of the run that was never stopped,
# byte for byte, and with its log but for the times. What stands under a final name is whole at every stop.
#   bash tests/resume.sh PROGRAM [ROUNDS] [SEED]     a run of each method; then random stops, up to three a round
#   bash tests/resume.sh PROGRAM every               one run, stopped at each of its calls, by both ways
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
  "${sft[*]} --steps 30 --basis gradient --gradient-batches 3 --k 4 --log log.jsonl ${state[*]}"
)
for method in lora lora-fa pissa dora sparse core vera norms; do
  runs+=("${sft[*]} --steps 30 --method $method --rank 4 --lr 0.01 --log log.jsonl ${state[*]}")
done

# A run of its own settings in the directory $1, where $2 are the words and the rest is put before the program.
start() {
  local directory=$1 words=$2
  local threads=$((RANDOM % 3 + 1))
  shift 2
  (cd "$directory" && "$@" "$program" $words --threads $threads >>printed 2>>errors)
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
  ! diff -r -x ampgrad.json "run$i/out" "other$i/out" >difference || fail "run $i: one step makes no difference"
done

# At a call: the process is killed, the call fails, or the disk is full from there on. After tenths of a second: SIGKILL
# or SIGINT. Or files may have so many KB.
ways=(kill fail full KILL INT limit)

# Starts the words $2 in try/, to be stopped in the way $1: WAY:NUMBER. The exit code is the program's.
stop() {
  local way=${1%:*} number=${1#*:} words=$2
  case $way in
  kill | fail | full) start try "$words" env LD_PRELOAD="$work/failing_calls.so" AMPGRAD_FAULT="$way $number" ;;
  KILL | INT) start try "$words" timeout --preserve-status -s "$way" "0.$number" ;;
  limit) start try "$words" bash -c "ulimit -f $number; exec \"\$@\"" bash ;;
  esac
}

# Stops run $2 in the ways that follow, one after the other, resumes it after each, and compares how it ends. $1 names
# all this in messages.
stops=0 resumed=0
play() {
  local what="$1: run $2" i=$2 words=${runs[$2]} code way
  shift 2
  rm -rf try && mkdir try
  for way in "$@"; do
    code=0
    stop "$way" "$words" 2>/dev/null || code=$?
    what+=", $way exit $code"
    if [ -e try/out ]; then check_result try "run$i" "$what"; fi
    if [ "$code" = 0 ]; then break; fi
    stops=$((stops + 1))
    if [ -e try/out ] && [ ! -e try/out.run ]; then break; fi  # it was stopped when all was done
    if [ -e try/out.run/state.safetensors ]; then
      words="${words%% *} --resume out.run"
      resumed=$((resumed + 1))
    elif [ ! -e try/out ]; then  # the run has no state yet, and begins anew
      rm -f try/log.*
      words=${runs[$i]}
    fi
  done
  if [ ! -e try/out ]; then start try "$words" || fail "$what: $(tail -n 1 try/errors)"; fi
  # What was stopped after its result was in place, and before its state was gone.
  if [ -e try/out.run/ampgrad.json ]; then start try "${words%% *} --resume out.run" || fail "$what: no end"; fi
  check_result try "run$i" "$what"
  diff <(log_of try) <(log_of "run$i") >difference || fail "$what: log $(head -n 3 difference)"
  # A process that is killed while it removes its state may leave the empty directory.
  rmdir try/out.run 2>/dev/null || true
  # A save that fails keeps what it has written, and says where; a process that is killed may leave a temporary file.
  local left
  left=$(cd try && find . -mindepth 1 -maxdepth 1 ! -name out ! -name 'log.*' ! -name printed ! -name errors \
    ! -name 'out.partial-*-kept' ! -name '.ampgrad-*.tmp')
  [ -z "$left" ] || fail "$what: left behind: $left $(ls -A try/out.run 2>/dev/null || true)"
  echo "$what"
}

# Draws three stops of run $1. Not in a subshell, which has random numbers of its own.
draw_stops() {
  local calls way
  calls=$(cat "run$1/calls")
  drawn=()
  for _ in 1 2 3; do
    way=${ways[RANDOM % ${#ways[@]}]}
    case $way in
    kill | fail | full) drawn+=("$way:$((RANDOM % calls + 1))") ;;
    KILL | INT) drawn+=("$way:$((RANDOM % 9 + 1))") ;;
    limit) drawn+=("$way:$((RANDOM % 300 + 1))") ;;
    esac
  done
}

if [ "$rounds" = every ]; then
  for number in $(seq "$(cat run3/calls)"); do
    for way in kill fail; do play "call $number" 3 "$way:$number"; done
  done
else
  for i in "${!runs[@]}"; do play "in the middle" "$i" "kill:$(($(cat "run$i/calls") * 6 / 10))"; done
  for round in $(seq "$rounds"); do
    i=$((RANDOM % ${#runs[@]}))
    draw_stops "$i"
    play "round $round" "$i" "${drawn[@]}"
  done
fi
echo "$stops stops, $resumed of them with a state to go on from"
exit $broken
