#!/usr/bin/env bash
# The rules of the house that a compiler does not know: which folder may include which, Highway in one folder, no op
# without its comment block, no line, file or folder that has grown too long. Prints each broken rule; exits 1 if there
# is one.
set -euo pipefail
cd "$(dirname "$0")/.."
broken=0

report() {
  echo "broken rule: $1"
  broken=1
}

# forbid WHAT PATTERN PATHS...: no line of the paths may match.
forbid() {
  local what=$1 pattern=$2
  shift 2
  if grep -rnE --include='*.h' --include='*.cc' "$pattern" "$@"; then report "$what"; fi
}

# From the ground up. A folder may include itself, and the folders that stand before it in this list.
folders=(
  tensor tensor/kernels/simd tensor/kernels/gemm tensor/kernels/eigen tensor/kernels tensor/io tensor/io/gguf
  autograd autograd/examples
  nn/forms nn
  ct ct/spectra ct/adapter
  models/unicode models/tokenizer models/rope models/gguf models/files models/chat models
  train/data train/report train/corpus train/methods train/counts train/ranks train train/change train/spectra
  train/analysis
  train/study/plans train/study/measures train/study train/claims train/claims/report train/demo
  train/commands/options train/commands
)

# Folders that may not see each other although the list alone would allow it: `ABOVE:BELOW`. The basis knows no model, a
# model knows no basis, and a report knows nothing of what is reported.
strangers=(models:ct train/report:autograd train/report:nn train/report:ct train/report:models train/report:train/data)

for i in "${!folders[@]}"; do
  folder=${folders[$i]}
  [ -d "$folder" ] || continue
  for above in "${folders[@]:i+1}"; do
    if grep -nE "#include \"$above/[^/]*\"" "$folder"/*.{h,cc} 2>/dev/null; then report "$folder/ includes $above/"; fi
  done
done
for pair in "${strangers[@]}"; do
  if grep -nE "#include \"${pair#*:}/[^/]*\"" "${pair%:*}"/*.{h,cc} 2>/dev/null; then
    report "${pair%:*}/ includes ${pair#*:}/"
  fi
done

while read -r folder; do
  if [[ " ${folders[*]} " != *" $folder "* ]] && compgen -G "$folder/*.cc" >/dev/null; then
    report "$folder/ has no place in the order of tests/check_house.sh"
  fi
done < <(find tensor autograd nn ct models train -type d)

# A header and its source are one unit. The command line has more, by nature.
while read -r folder; do
  units=$(find "$folder" -maxdepth 1 -name '*.h' -o -maxdepth 1 -name '*.cc' | sed -E 's/\.(h|cc)$//' | sort -u | wc -l)
  if [ "$folder" != train/commands ] && [ "$units" -gt 16 ]; then report "$folder/ holds $units units, over 16"; fi
done < <(find tensor autograd nn ct models train tests -type d)

forbid 'Highway is known in tensor/kernels/ only' '#include [<"]hwy/' tensor/*.h tensor/*.cc tensor/io autograd nn ct \
  models train bench
if grep -rlE '\bMPI_[A-Z]|<mpi\.h>' --include='*.h' --include='*.cc' tensor autograd nn ct models train bench |
  grep -vxF train/ranks/mpi.cc; then
  report 'MPI is known in train/ranks/mpi.cc only'
fi
forbid 'a closure lists what it keeps' 'Record\(.*\[[=&]|backward = \[[=&]' autograd nn ct models train
forbid 'closures capture tensors, never a Var' '\[[^]]*\bVar\b[^]]*\]\(const Tensor&' autograd ct

# `ampgrad audit` is built where no test framework is: neither its sources nor what they include may ask for one.
audited=()
while read -r file; do audited+=("$file"); done < <(find tests/audit -name '*.h' -o -name '*.cc' ! -name 'test_*')
for ((i = 0; i < ${#audited[@]}; ++i)); do
  if grep -HnE '#include [<"]g(test|mock)/' "${audited[i]}"; then report 'the audit includes GoogleTest'; fi
  while read -r header; do
    if [ -f "$header" ] && [[ " ${audited[*]} " != *" $header "* ]]; then audited+=("$header"); fi
  done < <(grep -oE '#include "[^"]+"' "${audited[i]}" | cut -d '"' -f 2)
done

# Every op stands under a block that gives shapes, forward, backward and saves.
while IFS=: read -r file line _; do
  above=$(head -n $((line - 1)) "$file" | tail -n 12)
  for word in shapes forward backward saves; do
    if ! grep -qE "^//   $word " <<<"$above"; then report "$file:$line: the op has no '$word' line above it"; fi
  done
done < <(grep -nE '^Var [A-Z][A-Za-z]*\(' autograd/ops_*.cc ct/reconstruct.cc ct/factored.cc /dev/null)

while read -r lines file; do
  if [ "$file" != total ] && [ "$lines" -gt 400 ]; then report "$file has $lines lines, over 400"; fi
done < <(find tensor autograd nn ct models train tests bench -name '*.h' -o -name '*.cc' -o -name '*.py' | xargs wc -l)

# Lines have at most 120 characters, in comments and prose too. Rows of tables are as long as they must be.
while IFS=: read -r file line text; do
  case $text in '|'*) continue ;; esac
  report "$file:$line is longer than 120 characters"
done < <(git ls-files -co --exclude-standard -- '*.h' '*.cc' '*.py' '*.sh' '*.md' CMakeLists.txt | sort |
  LC_ALL=C.UTF-8 xargs grep -HnE '^.{121,}' /dev/null || true)

# A link of a README to a line of code, [`text`](file#Lnumber), must lead to a line that holds the text.
while IFS=$'\t' read -r readme text file line; do
  if ! sed -n "${line}p" "$(dirname "$readme")/$file" | grep -qF -- "$text"; then
    report "$readme: line $line of $file does not hold '$text'"
  fi
done < <(grep -HoE '\[`[^`]+`\]\([^)#]+#L[0-9]+\)' README.md */README.md |
  sed -E 's/^([^:]*):\[`([^`]+)`\]\(([^#]+)#L([0-9]+)\)$/\1\t\2\t\3\t\4/')

# The tests that tests/README.md names, `Suite.Test` or `Suite.*`, exist.
defined=$(grep -rhoE --include='test_*.cc' '^TEST(_F|_P)?\([A-Za-z0-9]+, [A-Za-z0-9]+\)' tests |
  sed -E 's/^TEST[_FP]*\(([A-Za-z0-9]+), ([A-Za-z0-9]+)\)$/\1.\2/')
while read -r name; do
  case $name in
  *.\*) grep -q "^${name%.\*}\." <<<"$defined" ;;
  *) grep -qxF "$name" <<<"$defined" ;;
  esac || report "tests/README.md names $name, which is no test"
done < <(grep -oE '`[A-Z][A-Za-z0-9]+\.([A-Z][A-Za-z0-9]+|\*)`' tests/README.md | tr -d '`')

exit $broken
