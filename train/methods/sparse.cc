#include "nn/forms/sparse.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "train/methods/low_rank.h"
#include "train/methods/prepare.h"

namespace ampgrad::train {
void PrepareSparse(models::LanguageModel& model, const MethodSettings& settings, const Bases&) {
  for (nn::Matrix* matrix : MatricesInScope(model, settings.scope)) {
    const Index size = matrix->out * matrix->in;
    const Index count = std::max<Index>(1, std::llround(settings.share * static_cast<double>(size)));
    matrix->form = std::make_unique<nn::Sparse>(matrix->Base(), settings.seed, Tensor({count}));
  }
}

}  // namespace ampgrad::train
