#include "nn/forms/sparse.h"

#include <set>

#include "nn/forms/draws.h"

namespace ampgrad::nn {
namespace {

// `count` of the numbers 0..size−1, each set of them equally likely, ascending (Floyd's algorithm, CACM 30, 1987).
std::vector<Index> DrawPositions(Index count, Index size, const Random& random) {
  std::set<Index> chosen;
  for (Index last = size - count; last < size; ++last) {
    const Index drawn = random.Below(static_cast<uint64_t>(last), last + 1);
    chosen.insert(chosen.contains(drawn) ? last : drawn);
  }
  return {chosen.begin(), chosen.end()};
}

std::vector<Index> DrawPositions(Index count, const FrozenBase& base, uint64_t seed) {
  return DrawPositions(count, base.out() * base.in(), RandomOf(base.name, seed));
}

}  // namespace

Sparse::Sparse(FrozenBase base, std::vector<Index> positions, Tensor values)
    : UpdateForm(std::move(base), Chain::kExplicit),
      positions_(std::make_shared<const std::vector<Index>>(std::move(positions))),
      values_{"values." + UpdateForm::base().name, std::move(values), {}} {}

Sparse::Sparse(FrozenBase base, uint64_t seed, Tensor values)
    : Sparse(base, DrawPositions(values.size(), base, seed), values) {
  seed_ = seed;
}

Var Sparse::Make(Tape& tape) { return ops::AddAt(base().OutIn(), positions_, tape.Leaf(values_)); }

}  // namespace ampgrad::nn
