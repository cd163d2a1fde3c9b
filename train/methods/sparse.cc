#include "nn/forms/sparse.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "train/methods/low_rank.h"
#include "train/methods/prepare.h"

namespace ampgrad::train {
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

}  // namespace

void PrepareSparse(models::LanguageModel& model, const MethodSettings& settings, const Bases&) {
  for (nn::Matrix* matrix : MatricesInScope(model, settings.scope)) {
    const Index size = matrix->out * matrix->in;
    const Index count = std::max<Index>(1, std::llround(settings.share * static_cast<double>(size)));
    matrix->form = std::make_unique<nn::Sparse>(
        BaseOf(*matrix), DrawPositions(count, size, RandomOf(*matrix, settings.seed)), Tensor({count}));
  }
}

}  // namespace ampgrad::train
