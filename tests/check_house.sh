#!/usr/bin/env bash
# The rules of the house that a compiler does not know: which room may include which, Highway only in tensor/, no op without
# its comment block, no file that has lost its single purpose. Prints what is broken; exits 1 if anything is.
set -euo pipefail
cd "$(dirname "$0")/.."
broken=0

# forbid WHAT PATTERN PATHS...: no line of the paths may match.
forbid() {
  local what=$1 pattern=$2
  shift 2
  if grep -rnE --include='*.h' --include='*.cc' "$pattern" "$@"; then
    echo "broken rule: $what"
    broken=1
  fi
}

forbid 'tensor/ includes no room above it' '#include "(autograd|nn|ct|models|train)/' tensor
forbid 'autograd/ includes tensor/ only' '#include "(nn|ct|models|train)/' autograd
forbid 'nn/ includes autograd/ and tensor/ only' '#include "(ct|models|train)/' nn
forbid 'ct/ includes nn/ and below only' '#include "(models|train)/' ct
forbid 'models/ includes nn/ and below only' '#include "(ct|train)/' models
forbid 'Highway is known in tensor/ only' '#include [<"]hwy/' autograd nn ct models train bench
forbid 'closures capture tensors, never a Var' '\[[^]]*\bVar\b[^]]*\]\(const Tensor&' autograd ct

# Every op stands under a block that gives shapes, forward, backward and saves.
while IFS=: read -r file line _; do
  above=$(head -n $((line - 1)) "$file" | tail -n 12)
  for word in shapes forward backward saves; do
    if ! grep -qE "^//   $word " <<<"$above"; then
      echo "$file:$line: the op has no '$word' line above it"
      broken=1
    fi
  done
done < <(grep -nE '^Var [A-Z][A-Za-z]*\(' autograd/ops_*.cc ct/reconstruct.cc ct/factored.cc /dev/null)

while read -r lines file; do
  if [ "$file" != total ] && [ "$lines" -gt 400 ]; then
    echo "$file has $lines lines, over 400"
    broken=1
  fi
done < <(find tensor autograd nn ct models train tests bench -name '*.h' -o -name '*.cc' | xargs wc -l)

# A link of the README to a line of code, [`text`](file#Lnumber), must lead to a line that holds the text.
while IFS=$'\t' read -r text file line; do
  if ! sed -n "${line}p" "$file" | grep -qF -- "$text"; then
    echo "README.md: line $line of $file does not hold '$text'"
    broken=1
  fi
done < <(grep -oE '\[`[^`]+`\]\([^)#]+#L[0-9]+\)' README.md | sed -E 's/^\[`([^`]+)`\]\(([^#]+)#L([0-9]+)\)$/\1\t\2\t\3/')

exit $broken
