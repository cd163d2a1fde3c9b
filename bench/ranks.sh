#!/usr/bin/env bash
# Times steps of two ranks over links between network namespaces of this machine, beside one rank's and beside what
# `ampgrad plan` expects. Each rank has one thread and 2,048 tokens of a step of the photonic preset. Needs root, Open
# MPI, and a core for each rank that nothing else uses; the relay takes some of theirs where there are no more.
#   bash bench/ranks.sh PROGRAM TEXT [ROUNDS] [WHAT]
# WHAT: step, steps of 2,048 tokens a rank; link, steps of so few tokens that what two ranks take beyond one is the
# link's; local, ranks beside threads, without a link; default: all.
set -euo pipefail
program=$(realpath "$1") text=$(realpath "$2")
rounds=${3:-3} what=${4:-all}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
cd "$work"

remove_link() {
  [ ! -e relay.pid ] || kill "$(cat relay.pid)" 2>/dev/null || true
  rm -f relay.pid
  for space in ampgrad-a ampgrad-b ampgrad-link; do ip netns del $space 2>/dev/null || true; done
}
trap 'remove_link; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

"${CXX:-c++}" -std=c++20 -O2 "$root/bench/link/delay.cc" -o delay

# make_link RATE MILLISECONDS: two namespaces with a link that limits what each may send and delays it on the way.
make_link() {
  remove_link
  for space in ampgrad-a ampgrad-b ampgrad-link; do
    ip netns add $space
    ip -n $space link set lo up
    ip netns exec $space sysctl -qw net.ipv6.conf.all.disable_ipv6=1
    # A step is a pause, after which TCP would find out the link's rate anew.
    ip netns exec $space sysctl -qw net.ipv4.tcp_slow_start_after_idle=0
  done
  for side in a b; do
    ip -n ampgrad-$side link add eth0 type veth peer name peer-$side netns ampgrad-link
    ip -n ampgrad-$side link set eth0 gso_max_size 16384
    ip -n ampgrad-$side addr add 10.77.0.$([ $side = a ] && echo 1 || echo 2)/24 dev eth0
    ip -n ampgrad-$side link set eth0 up
    ip -n ampgrad-link link set dev peer-$side up
    ip netns exec ampgrad-$side tc qdisc add dev eth0 root tbf rate "$1" burst 20kb limit 10mb
  done
  ip netns exec ampgrad-link "$work/delay" peer-a peer-b "$2" &
  echo $! >relay.pid
  disown
  sleep 0.2
}

# Starts a command on the other side, as a machine of another name, for Open MPI.
cat >agent.sh <<'END'
#!/bin/sh
shift
exec ip netns exec ampgrad-b unshare --uts sh -c "hostname ampgrad-b; $*"
END
chmod +x agent.sh
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mca=(--mca btl tcp,self --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 --bind-to none)
over_link() {
  ip netns exec ampgrad-a unshare --uts sh -c 'hostname ampgrad-a; exec "$@"' - mpirun.openmpi \
    --host 10.77.0.1,10.77.0.2 -n 2 --mca plm_rsh_agent "$work/agent.sh" "${mca[@]}" "$program" "$@"
}

# The seconds a step that `LAUNCHER WORDS` prints, a mean over its steps.
seconds() {
  rm -rf out
  "$@" --out out >printed 2>errors || { cat errors >&2; exit 1; }
  sed -nE 's/.* ([0-9.]+) s\/step.*/\1/p' printed
}

# Samples that are all longer than a sequence, so that each step has as many tokens.
head -c 150000 "$text" | tr -c '[:alnum:]' ' ' | fold -w 500 | sed 's/.*/{"text": "&"}/' >samples.jsonl
"$program" pretrain --preset photonic --text "$text" --steps 2 --batch 1 --out model >/dev/null 2>&1
run=(sft --model model --data samples.jsonl --eval-tokens 256 --save merged)
amplitude="--start exact --k 8"
lora="--method lora --rank 8"
full="--method full"

least() { printf '%s\n' "$@" | sort -g | head -n 1; }
wanted() { [ "$what" = all ] || [ "$what" = "$1" ]; }

# compare METHOD TOKENS STEPS SEQUENCES: the least of all rounds, for one rank and for two of so many sequences each.
compare() {
  local alone=() together=() tokens=$2 words=("${run[@]}" --threads 1 --steps "$3" ${!1})
  [ "$tokens" = 64 ] && words+=(--length 64) || words+=(--length 256)
  for _ in $(seq "$rounds"); do
    alone+=("$(seconds "$program" "${words[@]}" --batch "$4")")
    together+=("$(seconds over_link "${words[@]}" --batch $((2 * $4)))")
  done
  one=$(least "${alone[@]}") two=$(least "${together[@]}")
}

for link in "1gbit 1" "100mbit 5"; do
  [ "$what" != local ] || break
  make_link $link
  read -r rate latency <<<"$link"
  echo "link of $rate and $latency ms each way"
  for method in amplitude lora full; do
    if wanted link; then
      compare $method 64 15 1
      echo "$method: 64 tokens a rank, one rank $one s/step, two ranks $two s/step, the link" \
        "$(awk -v a="$one" -v b="$two" 'BEGIN { printf "%.4f", b - a }') s"
    fi
    if wanted step; then
      compare $method 2048 8 8
      echo "$method: 2048 tokens a rank, one rank $one s/step, two ranks $two s/step, speed-up" \
        "$(awk -v a="$one" -v b="$two" 'BEGIN { printf "%.2f", 2 * a / b }')"
    fi
  done
  echo "expected by ampgrad plan:"
  "$program" plan --model model --ranks 2 --network "$rate" --latency "$latency" --batch 8 --length 256 --threads 1 \
    2>/dev/null | grep '^|'
done

wanted local || exit 0
echo "without a link, steps of 4,096 tokens: two ranks of one thread, one process of two threads and as many shards,"
echo "and one of two threads and one shard; then steps of 2,048 tokens: one rank of one thread"
run+=(--steps 8 --length 256 $amplitude)
for _ in $(seq "$rounds"); do
  echo "$(seconds mpirun.openmpi -n 2 --bind-to none "$program" "${run[@]}" --batch 16 --threads 1)" \
    "$(seconds "$program" "${run[@]}" --batch 16 --threads 2 --shards 2)" \
    "$(seconds "$program" "${run[@]}" --batch 16 --threads 2)" \
    "$(seconds "$program" "${run[@]}" --batch 8 --threads 1)"
done
