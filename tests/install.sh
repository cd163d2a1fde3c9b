#!/usr/bin/env bash
# Installs with apt the packages that a build needs and the machine lacks. Does nothing if none is missing.
#   bash tests/install.sh         what a build needs, and two implementations of MPI, of which it needs none
#   bash tests/install.sh fuzz    clang too, for the fuzz targets
set -euo pipefail

packages=(g++ make cmake libhwy-dev nlohmann-json3-dev libgtest-dev libbenchmark-dev
  libopenmpi-dev openmpi-bin libmpich-dev mpich)
if [ "${1:-}" = fuzz ]; then packages+=(clang libclang-rt-dev); fi

missing=()
for package in "${packages[@]}"; do
  if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then missing+=("$package"); fi
done
# Releases without this package have the runtime in clang itself.
if [ "${missing[*]}" = libclang-rt-dev ] && ! apt-cache show libclang-rt-dev >/dev/null 2>&1; then exit 0; fi
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

echo "installing ${missing[*]}"
if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo >/dev/null; then
  as_root=(sudo)
else
  echo "these packages are missing and installing them needs root: ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
known=()
for package in "${missing[@]}"; do
  if [ "$package" != libclang-rt-dev ] || apt-cache show "$package" >/dev/null 2>&1; then known+=("$package"); fi
done
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${known[@]}" >/dev/null
