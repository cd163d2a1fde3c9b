#include "train/methods/low_rank.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "ct/singular.h"
#include "nn/forms/draws.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::train {
namespace {

void CheckRank(const nn::Matrix& matrix, Index rank, Index most) {
  if (rank <= most) return;
  throw std::invalid_argument("--rank: expected at most " + std::to_string(most) + ", as " + matrix.name + " [" +
                              std::to_string(matrix.out) + ", " + std::to_string(matrix.in) + "] allows, found " +
                              std::to_string(rank));
}

// The top singular triplets of the matrix, or the bottom ones where settings ask for them.
ct::SingularTriplets SingularOf(const nn::Matrix& matrix, const MethodSettings& settings) {
  CheckRank(matrix, settings.rank, std::min(matrix.out, matrix.in));
  const bool minor = settings.factors == FactorSource::kMinor;
  return ct::ComputeSingular(matrix.Base().OutIn(), settings.rank, minor ? ct::Spectrum::kBottom : ct::Spectrum::kTop);
}

}  // namespace

void SetDropout(models::LanguageModel& model, double rate) {
  for (nn::Matrix* matrix : model.Parts().matrices) {
    if (auto* form = dynamic_cast<nn::LowRank*>(matrix->form.get())) form->set_dropout(rate);
  }
}

bool BasisIsB(const nn::Matrix& matrix, Index d) { return matrix.in != d && matrix.out == d; }

nn::Factors MakeFactors(const nn::Matrix& matrix, const MethodSettings& settings, const Bases& bases) {
  const Index r = settings.rank, out = matrix.out, in = matrix.in;
  nn::Factors factors{Tensor({r, in}), Tensor({out, r}), settings.Scale()};
  switch (settings.factors) {
    case FactorSource::kDefault:
    case FactorSource::kGaussian:
      factors.a = nn::RandomOf(matrix.name, settings.seed).NormalTensor({r, in}, 1 / static_cast<double>(r));
      break;
    case FactorSource::kOrthonormal:
      CheckRank(matrix, r, in);
      factors.a = ct::RandomOrthonormal(r, in, settings.seed, nn::StreamOf(matrix.name));
      break;
    case FactorSource::kTop:
    case FactorSource::kMinor:
      factors.a = SingularOf(matrix, settings).right;
      break;
    case FactorSource::kBasis: {
      const Tensor vectors = ct::Truncated(*bases.Of(matrix.name), r).vectors;
      const Index d = vectors.cols();
      if (BasisIsB(matrix, d)) {
        factors.b = kernels::Transposed(vectors);
      } else if (in == d) {
        factors.a = vectors;
      } else {
        throw std::invalid_argument("--factors basis: expected matrices with a side of the model's width, " +
                                    std::to_string(d) + ", found " + matrix.name + " [" + std::to_string(out) + ", " +
                                    std::to_string(in) + "]");
      }
    }
  }
  return factors;
}

FrozenPair MakeFrozenPair(const nn::Matrix& matrix, const MethodSettings& settings) {
  const Index r = settings.rank;
  switch (settings.factors) {
    case FactorSource::kDefault:
    case FactorSource::kTop:
    case FactorSource::kMinor: {
      const ct::SingularTriplets triplets = SingularOf(matrix, settings);
      return {triplets.right, kernels::Transposed(triplets.left), triplets.values};
    }
    case FactorSource::kOrthonormal: {
      CheckRank(matrix, r, std::min(matrix.out, matrix.in));
      const uint64_t stream = nn::StreamOf(matrix.name);
      return {ct::RandomOrthonormal(r, matrix.in, settings.seed, stream),
              kernels::Transposed(ct::RandomOrthonormal(r, matrix.out, settings.seed, stream + 1)),
              {}};
    }
    default:
      throw std::invalid_argument("--factors: expected top, minor or orthonormal for " + settings.method);
  }
}

}  // namespace ampgrad::train
