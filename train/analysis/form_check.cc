#include "train/analysis/form_check.h"

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "nn/forms/core.h"
#include "nn/forms/dora.h"
#include "nn/forms/shared_scaled.h"
#include "nn/forms/sparse.h"
#include "tensor/io/own_file.h"
#include "tensor/io/safetensors_reader.h"
#include "tensor/kernels/kernels.h"
#include "train/methods/low_rank.h"
#include "train/trainer.h"

namespace ampgrad::train {
namespace {

// The files of the reference, and how each of its forms is made of the factors that they hold.
class FormChecker {
 public:
  FormChecker(const std::filesystem::path& directory, models::LanguageModel& base, const Batch& batch,
              Comparison& result)
      : golden_(directory / "forms.safetensors"),
        json_(io::ReadJsonObject(directory / "forms.json")),
        where_((directory / "forms.json").string()),
        base_(base),
        batch_(batch),
        result_(result) {}

  void Run() {
    for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored}) {
      Check("lora", [&](nn::Matrix& m) {
        return std::make_unique<nn::LowRank>(m.Base(), FactorsOf(m), nn::TrainedFactors::kBoth, chain);
      });
      Check("lora_fa", [&](nn::Matrix& m) {
        return std::make_unique<nn::LowRank>(m.Base(), FactorsOf(m), nn::TrainedFactors::kB, chain);
      });
      Check("core", [&](nn::Matrix& m) {
        return std::make_unique<nn::Core>(m.Base(), Read("B", m), Read("R", m), Read("A", m), chain);
      });
      Check("vera", [&](nn::Matrix& m) {
        return std::make_unique<nn::SharedScaled>(m.Base(), FactorsOf(m), Read("b", m), Read("d", m), chain);
      });
      Check("dora",
            [&](nn::Matrix& m) { return std::make_unique<nn::Dora>(m.Base(), FactorsOf(m), Read("m", m), chain); });
    }
    Check("sparse", [&](nn::Matrix& m) {
      const std::vector<int64_t> mask = golden_.ReadInts(Name("mask", m));
      return std::make_unique<nn::Sparse>(m.Base(), std::vector<Index>(mask.begin(), mask.end()), Read("values", m));
    });
  }

 private:
  std::string Name(const std::string& part, const nn::Matrix& matrix) const {
    const std::string prefixed = part + "." + base_.CheckpointPrefix() + matrix.name;
    return golden_.Has(prefixed) ? prefixed : part + "." + matrix.name;
  }
  Tensor Read(const std::string& part, const nn::Matrix& matrix) const { return golden_.ReadReal(Name(part, matrix)); }
  nn::Factors FactorsOf(const nn::Matrix& matrix) const {
    return {Read("A", matrix), Read("B", matrix), static_cast<Real>(Field("scale").Number())};
  }
  io::JsonValue Field(const std::string& key) const { return io::JsonValue(json_, where_).Field(key); }

  // A form of every matrix of the blocks; what else the model has is frozen.
  void Check(const std::string& form, const std::function<std::unique_ptr<nn::WeightForm>(nn::Matrix&)>& make) {
    const std::unique_ptr<models::LanguageModel> model = base_.Clone();
    models::SetTrainable(*model, false);
    const std::vector<nn::Matrix*> matrices = MatricesInScope(*model, {});
    for (nn::Matrix* matrix : matrices) matrix->form = make(*matrix);

    Tape tape;
    tape.Backward(BatchLoss(*model, tape, batch_));
    for (nn::Matrix* matrix : matrices) {
      for (const nn::FormPart& part : matrix->form->Parts()) {
        if (!part.param->trainable) continue;
        const std::string name = Name("grad." + form + "." + part.role, *matrix);
        result_.AddTensor("gradients of " + form, name, part.param->grad, golden_.ReadReal(name));
        part.param->grad = Tensor();
      }
    }
    const nn::Matrix& first = *matrices.front();
    const Tensor merged = first.form->Merged().Widened();
    const std::string name = Name("merged." + form, first);
    result_.AddTensor("merged matrices", name,
                      first.layout == ops::Layout::kOutIn ? merged : kernels::Transposed(merged),
                      golden_.ReadReal(name));
    result_.AddCurve("losses." + form, *model, batch_, ReadAdamW(io::JsonValue(json_, where_)), ReadRate(Field("lr")),
                     Field("losses").Field(form));
  }

  io::SafetensorsReader golden_;
  nlohmann::json json_;
  std::string where_;
  models::LanguageModel& base_;
  const Batch& batch_;
  Comparison& result_;
};

}  // namespace

void CheckForms(const std::filesystem::path& directory, models::LanguageModel& base, const Batch& batch,
                Comparison& result) {
  if (io::IsThere(directory / "forms.safetensors")) FormChecker(directory, base, batch, result).Run();
}

}  // namespace ampgrad::train
