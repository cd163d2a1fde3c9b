#include "tests/audit/model_audit.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "models/model_directory.h"
#include "nn/forms/dora.h"
#include "tensor/io/text_file.h"
#include "tensor/kernels/kernels.h"
#include "tensor/random.h"
#include "tests/support/small_models.h"
#include "train/data/chat_data.h"
#include "train/data/text_data.h"
#include "train/demo/sweep.h"
#include "train/trainer.h"

namespace ampgrad::audit {
namespace {

// The step of the differences. Their truncation error falls as h⁴ and their rounding error grows as ε·loss/h, some
// 1e-12.
constexpr double kStep = 1e-3;
// Gradients below this are noise to the difference: they are compared with it, not with themselves.
constexpr double kFloor = 1e-6;
constexpr double kBound = 1e-5;
// A float gradient sums over rows and layers with some 1e-6 of rounding; a wrong term is off by far more than this.
constexpr double kFloatBound = 1e-4;
constexpr Index kLargestEntries = 2, kRandomEntries = 2;
constexpr Index kMostScores = 8;

// The slope of the loss along `direction` at the present value of `param`, by differences of fourth order.
double Slope(models::LanguageModel& model, const train::Batch& batch, Param& param, const Tensor& direction) {
  const Tensor before = param.value.Clone();
  const auto loss_at = [&](double shift) {
    for (Index i = 0; i < before.size(); ++i) param.value[i] = static_cast<Real>(before[i] + shift * direction[i]);
    Tape tape(Tape::Mode::kInference);
    return static_cast<double>(train::BatchLoss(model, tape, batch).value[0]);
  };
  const double near = loss_at(kStep) - loss_at(-kStep), far = loss_at(2 * kStep) - loss_at(-2 * kStep);
  std::copy(before.begin(), before.end(), param.value.begin());
  return (8 * near - far) / (12 * kStep);
}

double Error(double gradient, double difference) {
  return std::abs(gradient - difference) / std::max(std::abs(gradient), kFloor);
}

// The entries of largest gradient, then random ones.
std::vector<Index> ChooseEntries(const Tensor& grad, const Random& random) {
  std::vector<Index> all(grad.size());
  for (Index i = 0; i < grad.size(); ++i) all[i] = i;
  const Index largest = std::min(kLargestEntries, grad.size());
  std::partial_sort(all.begin(), all.begin() + largest, all.end(),
                    [&](Index a, Index b) { return std::abs(grad[a]) > std::abs(grad[b]); });
  std::vector<Index> chosen(all.begin(), all.begin() + largest);
  for (Index n = 0; n < kRandomEntries; ++n) chosen.push_back(random.Below(static_cast<uint64_t>(n), grad.size()));
  return chosen;
}

Tensor UnitVector(Tensor t) {
  kernels::Scale(static_cast<Real>(1 / std::sqrt(kernels::SumSquares(t.data(), t.size()))), t.data(), t.size());
  return t;
}

// max() that keeps a NaN.
void Worsen(double& worst, double error) {
  if (!(error <= worst)) worst = error;
}

LedgerEntry AuditTensor(models::LanguageModel& model, const train::Batch& batch, Param& param, const Random& random) {
  LedgerEntry entry;
  entry.tensor = param.name;
  entry.trained = param.trainable;
  entry.entries = param.value.size();
  entry.bound = kBound;
  const Tensor grad = param.grad;
  entry.gradient_norm = grad.empty() ? 0 : std::sqrt(kernels::SumSquares(grad.data(), grad.size()));
  if (!param.trainable || grad.empty() || !(entry.gradient_norm > 0)) return entry;

  for (const Index i : ChooseEntries(grad, random)) {
    Tensor unit(grad.shape());
    unit[i] = 1;
    const double error = Error(grad[i], Slope(model, batch, param, unit));
    if (!(error <= entry.entry_error)) entry.worst_entry = i;
    Worsen(entry.entry_error, error);
    ++entry.compared;
    if (std::abs(grad[i]) > kFloor) ++entry.above_floor;
  }
  for (const Tensor& direction : {UnitVector(grad.Clone()), UnitVector(random.NormalTensor(grad.shape(), 1))}) {
    double along = 0;
    for (Index i = 0; i < grad.size(); ++i) along += static_cast<double>(grad[i]) * direction[i];
    Worsen(entry.direction_error, Error(along, Slope(model, batch, param, direction)));
  }
  return entry;
}

void AuditParams(models::LanguageModel& model, const train::Batch& batch, const std::vector<Param*>& params,
                 uint64_t seed, const ModelProgress& progress, std::vector<LedgerEntry>& ledger) {
  for (Param* param : params) param->grad = Tensor();
  Tape tape;
  tape.Backward(train::BatchLoss(model, tape, batch));
  for (size_t i = 0; i < params.size(); ++i) {
    ledger.push_back(AuditTensor(model, batch, *params[i], Random(seed, i)));
    if (progress) progress(i + 1, params.size(), params[i]->name);
  }
}

// Everything trains, but for what a form keeps frozen: several matrices may share it.
void TrainAll(models::LanguageModel& model) {
  std::vector<Param*> frozen;
  for (nn::Matrix* matrix : model.Parts().matrices) {
    for (const nn::FormPart& part : matrix->form->Parts()) {
      if (!part.param->trainable && std::string(part.role) != "weight") frozen.push_back(part.param);
    }
  }
  models::SetTrainable(model, true);
  for (Param* param : frozen) param->trainable = false;
}

}  // namespace

void HoldConstants(models::LanguageModel& model) {
  for (nn::Matrix* matrix : model.Parts().matrices) {
    if (auto* dora = dynamic_cast<nn::Dora*>(matrix->form.get())) dora->HoldNorms();
  }
}

std::vector<io::NamedTensor> DenseGradients(models::LanguageModel& model, const train::Batch& batch) {
  TrainAll(model);
  for (Param* param : models::Parameters(model)) param->grad = Tensor();
  Tape tape;
  tape.Backward(train::BatchLoss(model, tape, batch));
  std::vector<io::NamedTensor> gradients;
  for (Param* param : models::TrainableParameters(model)) gradients.push_back({param->name, param->grad});
  return gradients;
}

void CompareWithFloat(const std::vector<io::NamedTensor>& gradients, const io::SafetensorsReader& in_float,
                      std::vector<LedgerEntry>& ledger) {
  for (LedgerEntry& entry : ledger) {
    const auto own =
        std::find_if(gradients.begin(), gradients.end(), [&](const auto& g) { return g.name == entry.tensor; });
    if (!entry.trained || own == gradients.end()) continue;
    const Tensor other = in_float.ReadReal(entry.tensor);
    double difference = 0, norm = 0;
    for (Index i = 0; i < other.size(); ++i) {
      difference += std::pow(static_cast<double>(other[i]) - own->value[i], 2);
      norm += std::pow(static_cast<double>(own->value[i]), 2);
    }
    entry.float_error = std::sqrt(difference / norm);
    entry.float_bound = kFloatBound;
  }
}

train::Batch ReadBatch(const train::ChatSource& source, const models::LanguageModel& model) {
  const models::Tokenizer tokenizer = models::LoadTokenizer(source.model, model);
  const std::filesystem::path& file = source.files.front();
  if (file.extension() == ".jsonl") return train::ReadChatData(source, tokenizer).data.train(0);
  const std::string text = io::ReadTextFile(file);
  return train::TextData(text, tokenizer, source.length, source.batch, source.seed, file.string()).train(0);
}

std::vector<LedgerEntry> AuditModel(models::LanguageModel& model, const train::Batch& batch, uint64_t seed,
                                    const ModelProgress& progress) {
  std::vector<LedgerEntry> ledger;
  TrainAll(model);
  AuditParams(model, batch, models::Parameters(model), seed, progress, ledger);

  const std::unique_ptr<models::LanguageModel> amplitude = model.Clone();
  const auto sources = BlockRows(*amplitude);
  const train::MethodSettings method{.method = "amplitude", .k = std::min(kMostScores, amplitude->width())};
  train::Prepare(*amplitude, method, std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, method.k)));
  AuditParams(*amplitude, batch, models::Parameters(*amplitude), seed, progress, ledger);
  return ledger;
}

}  // namespace ampgrad::audit
