#include "train/commands/merged_model.h"

#include <cmath>
#include <cstdio>
#include <memory>

#include "models/files/model_texts.h"
#include "models/model_directory.h"
#include "nn/forms/frozen.h"
#include "tensor/io/printable.h"
#include "tensor/io/staged_directory.h"
#include "tensor/kernels/kernels.h"
#include "train/interrupt.h"
#include "train/progress.h"

namespace ampgrad::train {
namespace {

// Rounds every matrix of the model; returns ‖rounded − W‖/‖W‖ over all of them.
double RoundToBf16(models::LanguageModel& model) {
  double error = 0, norm = 0;
  for (nn::Matrix* matrix : model.Parts().matrices) {
    const Tensor w = matrix->form->Merged().Widened();
    const StoredTensor rounded = Rounded(w, StoredType::kBf16);
    Tensor difference = rounded.Widened();
    for (Index i = 0; i < w.size(); ++i) difference[i] -= w[i];
    error += kernels::SumSquares(difference.data(), difference.size());
    norm += kernels::SumSquares(w.data(), w.size());
    matrix->form = std::make_unique<nn::Frozen>(rounded, matrix->layout);
  }
  return norm > 0 ? std::sqrt(error / norm) : 0;
}

}  // namespace

void WriteMerged(const std::filesystem::path& out, GivenModel& given, StoredType type) {
  models::KeptFiles kept(given.Texts());
  const DeferSignals until_saved;
  io::StagedDirectory directory(out);
  if (type == StoredType::kBf16) {
    std::printf("rounding to BF16 changes the matrices by %.2e of their norm\n", RoundToBf16(*given.model));
  }
  directory.Fill([&](const std::filesystem::path& to) {
    const Phase phase("saving");
    if (models::ReadModelText(given.Texts(), "tokenizer.json")) {
      models::SaveModel(to, *given.model, models::LoadTokenizer(given.Texts(), *given.model), kept);
    } else {
      models::SaveModel(to, *given.model, kept);
    }
  });
  std::printf("wrote %s\n", io::Printable(out.string()).c_str());
}

}  // namespace ampgrad::train
