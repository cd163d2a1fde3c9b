#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <stdexcept>

#include "nn/forms/shared_scaled.h"
#include "tensor/kernels/kernels.h"
#include "train/methods/low_rank.h"
#include "train/methods/prepare.h"

namespace ampgrad::train {
namespace {

constexpr uint64_t kStream = 0x76657261;  // "vera"
constexpr double kFirstD = 0.1;           // d at step 0, as in PEFT

// One pair A [r, in], B [out, r] for all matrices: each takes the first columns of A and the first rows of B.
class SharedPair {
 public:
  SharedPair(Index r, Index in, Index out, uint64_t seed)
      : a_(Random(seed, kStream).NormalTensor({r, in}, std::sqrt(2.0 / static_cast<double>(in)))),
        b_(Random(seed, kStream + 1).NormalTensor({out, r}, std::sqrt(2.0 / static_cast<double>(r)))) {}

  nn::Factors For(const nn::Matrix& matrix) {
    const auto [a, added] = columns_.try_emplace(matrix.in);
    if (added) a->second = a_.Columns(0, matrix.in);
    return {a->second, b_.Rows(0, matrix.out)};
  }

 private:
  Tensor a_, b_;
  std::map<Index, Tensor> columns_;  // of A, by their number
};

}  // namespace

// b starts at 0. With the universal basis, it is A of the matrices that read the model's width, and B, transposed, of
// those that only write it.
void PrepareVera(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases) {
  const std::vector<nn::Matrix*> matrices = MatricesInScope(model, settings.scope);
  Index in = 0, out = 0;
  for (const nn::Matrix* matrix : matrices) in = std::max(in, matrix->in), out = std::max(out, matrix->out);
  SharedPair pair(settings.rank, in, out, settings.seed);
  Tensor basis, columns;
  if (settings.factors == FactorSource::kBasis) {
    if (!bases.shared()) throw std::invalid_argument("--factors basis: vera needs one basis for all matrices");
    basis = ct::Truncated(*bases.shared(), settings.rank).vectors;
    columns = kernels::Transposed(basis);
  }
  for (nn::Matrix* matrix : matrices) {
    nn::Factors factors = pair.For(*matrix);
    if (!basis.empty() && BasisIsB(*matrix, model.width())) {
      factors.b = columns;
    } else if (!basis.empty() && matrix->in == model.width()) {
      factors.a = basis;
    }
    Tensor d({settings.rank});
    d.Fill(static_cast<Real>(kFirstD));
    matrix->form =
        std::make_unique<nn::SharedScaled>(matrix->Base(), factors, Tensor({matrix->out}), d, settings.chain);
  }
}

}  // namespace ampgrad::train
