#!/usr/bin/env bash
# Installs the package of the program on a bare Debian, with nothing but what it depends on, and uses it there: version,
# a run, manual pages, completion. Then the package of the libraries, and the project in tests/install on them. Needs
# root and debootstrap; downloads 400 MB. No part of the gate.
#   bash tests/install_deb.sh BUILD [ROOT]    ROOT: a directory that debootstrap made before
set -euo pipefail
build=$(realpath "$1")
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
root=${2:-$scratch/root}

if [ ! -e "$root/etc/debian_version" ]; then
  debootstrap --variant=minbase "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" >/dev/null
fi
# Runs a command in the root; what is mounted for it is gone afterwards.
inside() {
  unshare --mount sh -ec 'mount --bind /proc "$0/proc"; mount --rbind /dev "$0/dev"
    exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"' \
    "$root" "$@"
}

cpack --config "$build/CPackConfig.cmake" -B "$scratch/packages" >/dev/null 2>&1
mkdir -p "$root/ampgrad"
cp "$scratch"/packages/*.deb "$root/ampgrad/"
cp -r tests/install tests/golden/gpt2-tiny "$root/ampgrad/"
printf '{"prompt":"a","completion":"bc"}\n%.0s' {1..20} >"$root/ampgrad/pairs.jsonl"

inside apt-get update -qq
inside sh -ec 'cd /ampgrad; rm -rf model tuned
  apt-get install -y -qq --no-install-recommends /ampgrad/ampgrad_*.deb >/dev/null
  dpkg -s ampgrad | grep -E "^(Version|Depends|Installed-Size)"
  ampgrad --version
  ampgrad synth --preset tiny --out model
  ampgrad sft --model model --data pairs.jsonl --out tuned --steps 2 --k 4 2>/dev/null | tail -n 1
  ampgrad trace --model model --data pairs.jsonl --k 4 --weight model.layers.0.mlp.up_proj.weight | sed -n 1,3p'
inside sh -ec 'apt-get install -y -qq --no-install-recommends man-db bash-completion >/dev/null
  mandb --quiet
  man ampgrad-sft | sed -n 1,12p
  whatis ampgrad'
inside bash -ec '. /usr/share/bash-completion/bash_completion
  _completion_loader ampgrad || true
  COMP_WORDS=(ampgrad sft --chain ""); COMP_CWORD=3; _ampgrad
  echo "completion of --chain: ${COMPREPLY[*]}"'
inside sh -ec 'apt-get install -y -qq --no-install-recommends /ampgrad/libampgrad-dev_*.deb cmake make g++ >/dev/null
  cmake -S /ampgrad/install -B /ampgrad/consumer -DAMPGRAD_EXAMPLES=/usr/share/doc/ampgrad/examples >/dev/null
  cmake --build /ampgrad/consumer >/dev/null
  /ampgrad/consumer/xor | tail -n 1
  /ampgrad/consumer/scores_double /ampgrad/gpt2-tiny'
echo "the packages install and work on a bare Debian $(cat "$root/etc/debian_version")"
