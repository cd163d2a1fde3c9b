#include "train/analysis/reference_check.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "models/model_directory.h"
#include "tensor/io/json.h"
#include "tensor/io/safetensors_reader.h"
#include "tensor/kernels/gemm/gemm.h"
#include "train/analysis/comparison.h"
#include "train/analysis/form_check.h"
#include "train/analysis/spectra_check.h"
#include "train/methods/method.h"
#include "train/progress.h"
#include "train/trainer.h"

namespace ampgrad::train {
namespace {

// The relative norm of the part of `reference` [K, d] outside the span of the orthonormal rows of `basis` [K, d].
double SubspaceError(const Tensor& basis, const Tensor& reference) {
  Tensor overlap({reference.rows(), basis.rows()}), projection(reference.shape());
  kernels::ProductNT(reference, basis, {overlap.data()});
  kernels::ProductNN(overlap, basis, {projection.data()});
  return RelativeError(projection, reference);
}

std::string ShapeText(const std::vector<uint64_t>& shape) {
  std::string text;
  for (const uint64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

// One comparison with a reference directory under way.
class Checker {
 public:
  explicit Checker(const std::filesystem::path& directory)
      : directory_(directory),
        golden_(directory / "golden.safetensors"),
        json_(io::ReadJsonObject(directory / "golden.json")),
        base_(models::LoadModel(directory)) {
    batch_ = {ReadLength(), Ids("input_ids", false), Ids("targets", true)};
    has_first_rows_ = std::ranges::any_of(golden_.header().entries,
                                          [](const io::TensorEntry& entry) { return entry.name.starts_with("row0."); });
  }

  Comparison Run() {
    Phase phase("checking logits, loss and gradients");
    CheckForward();
    phase.Now("checking the basis");
    CheckBasis();
    if (has_first_rows_) {
      CheckFirstRows();
      phase.Now("checking scores from the start exact");
      for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored}) {
        CheckScoreGradients(ct::Start::kExact, chain);
      }
      return std::move(result_);
    }
    phase.Now("checking the curve of full fine-tuning");
    CheckCurve("losses_full", {}, Rate("full_lr"));
    for (const nn::Chain chain : {nn::Chain::kExplicit, nn::Chain::kFactored}) {
      for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
        phase.Now(std::string("checking scores from the start ") + ct::ToString(start));
        CheckScoreGradients(start, chain);
        CheckCurve(std::string("losses_") + ct::ToString(start), Amplitude(start, chain), Rate("lr"));
      }
    }
    phase.Now("checking other forms");
    CheckForms(directory_, *base_, batch_, result_);
    phase.Now("checking spectral figures");
    CheckSpectra(directory_, *base_, result_);
    return std::move(result_);
  }

 private:
  std::string File() const { return (directory_ / "golden.safetensors").string(); }

  [[noreturn]] void Fail(const std::string& expected, const std::string& found) const {
    throw std::runtime_error(File() + ": expected " + expected + ", found " + found);
  }

  const io::TensorEntry& Entry(const std::string& name) const {
    for (const io::TensorEntry& entry : golden_.header().entries) {
      if (entry.name == name) return entry;
    }
    throw std::runtime_error(File() + ": the tensor " + name + " is missing");
  }

  // The tokens of a sequence: the last dimension of input_ids, [sequences, tokens] as targets are.
  Index ReadLength() const {
    const std::vector<uint64_t>& shape = Entry("input_ids").shape;
    const uint64_t length = shape.empty() ? 0 : shape.back(), context = static_cast<uint64_t>(base_->context());
    if (shape.size() != 2 || shape.front() < 1 || length < 1 || length > context) {
      Fail("input_ids of shape [sequences, 1.." + std::to_string(context) + "]", ShapeText(shape));
    }
    if (Entry("targets").shape != shape)
      Fail("targets of shape " + ShapeText(shape), ShapeText(Entry("targets").shape));
    return static_cast<Index>(length);
  }

  // Ids of the model's vocabulary; a target may also be one that is ignored.
  std::vector<int> Ids(const std::string& name, bool targets) const {
    std::vector<int> ids;
    for (const int64_t id : golden_.ReadInts(name)) {
      const bool known = id >= 0 && id < base_->vocabulary();
      if (!known && !(targets && id == ops::kIgnored)) {
        const std::string ignored = targets ? " or " + std::to_string(ops::kIgnored) : "";
        Fail(name + " in 0.." + std::to_string(base_->vocabulary() - 1) + ignored, std::to_string(id));
      }
      ids.push_back(static_cast<int>(id));
    }
    if (targets && ops::CountTargets(ids) == 0) Fail("a target", "none");
    return ids;
  }

  // A tensor with as many numbers as ours, in rows as long.
  Tensor Golden(const std::string& name, const Tensor& own) const {
    const Tensor golden = golden_.ReadReal(name);
    if (golden.size() != own.size() || golden.shape().cols() != own.shape().cols()) {
      Fail(name + " of shape " + own.shape().ToString(), golden.shape().ToString());
    }
    return golden;
  }

  io::JsonValue Field(const std::string& key) const {
    return io::JsonValue(json_, (directory_ / "golden.json").string()).Field(key);
  }

  double Number(const std::string& key) const { return Field(key).Number(); }

  double Rate(const std::string& key) const { return ReadRate(Field(key)); }

  Index K() const { return Field("K").Integer(1, base_->width()); }

  MethodSettings Amplitude(ct::Start start, nn::Chain chain) const {
    return {.method = "amplitude", .k = K(), .start = start, .chain = chain};
  }

  void AddGolden(const std::string& group, const std::string& name, const Tensor& own) {
    result_.AddTensor(group, name, own, Golden(name, own));
  }

  void AddNumber(const std::string& group, const std::string& name, double own) {
    const double reference = Number(name);
    result_.Add(group, name, Tensor::Scalar(static_cast<Real>(own)), std::abs(own - reference) / std::abs(reference));
  }

  void CheckForward() {
    const std::unique_ptr<models::LanguageModel> model = base_->Clone();
    if (!has_first_rows_) models::SetTrainable(*model, true);
    Tape tape;
    const Var logits = model->Logits(tape, batch_.inputs, batch_.length);
    const Var loss = ops::CrossEntropy(logits, batch_.targets, ops::CountTargets(batch_.targets));
    AddGolden("logits", "logits", logits.value);
    AddNumber("loss", "loss", loss.value[0]);
    if (has_first_rows_) return;
    tape.Backward(loss);
    for (const Param* param : models::Parameters(*model)) {
      AddGolden("gradients", "grad." + StoredName(param->name),
                param->grad.empty() ? Tensor(param->value.shape()) : param->grad);
    }
  }

  // The name of a weight in the reference, which may carry the checkpoint's prefix.
  std::string StoredName(const std::string& name) const {
    const std::string prefixed = base_->CheckpointPrefix() + name;
    return golden_.Has("grad." + prefixed) || golden_.Has("row0." + prefixed) ? prefixed : name;
  }

  // The first row of each matrix as it was dequantised.
  void CheckFirstRows() {
    for (const nn::Matrix* matrix : base_->Parts().matrices) {
      AddGolden("first rows", "row0." + StoredName(matrix->name), matrix->form->Merged().WidenedRows({0}));
    }
  }

  std::vector<ct::RowSource> Sources(models::LanguageModel& model) const {
    return ct::SelectRows(model.Parts().matrices, model.width(), ct::RowsPolicy::kBlocks);
  }

  void CheckBasis() {
    const std::vector<ct::RowSource> sources = Sources(*base_);
    basis_ = std::make_shared<const ct::Basis>(ct::ComputeBasis(sources, K()));
    Tensor eigenvalues = Tensor::Uninitialized({basis_->width()});
    std::transform(basis_->eigenvalues.begin(), basis_->eigenvalues.end(), eigenvalues.begin(),
                   [](double value) { return static_cast<Real>(value); });
    AddGolden("mean row", "mean", basis_->mean);
    AddGolden("eigenvalues", "eigenvalues", eigenvalues);
    result_.Add("basis (subspace)", "basis", basis_->vectors,
                SubspaceError(basis_->vectors, Golden("basis", basis_->vectors)));
    AddNumber("spectrum", "rows", static_cast<double>(ct::CountRows(sources)));
    AddNumber("spectrum", "width", static_cast<double>(base_->width()));
    AddNumber("spectrum", "variance_captured", ct::VarianceCaptured(*basis_));
    if (has_first_rows_) return;
    for (const ct::RowSource& source : sources) {
      AddGolden("scores", "scores." + StoredName(source.matrix->name), ct::Scores(ct::ReadRows(source), *basis_));
    }
    AddNumber("spectrum", "r2", ct::RSquared(sources, *basis_));
    AddNumber("spectrum", "participation_ratio", ct::ParticipationRatio(basis_->eigenvalues));
  }

  std::unique_ptr<models::LanguageModel> Prepared(const MethodSettings& method) const {
    std::unique_ptr<models::LanguageModel> model = base_->Clone();
    Prepare(*model, method, basis_);
    return model;
  }

  void CheckScoreGradients(ct::Start start, nn::Chain chain) {
    const std::unique_ptr<models::LanguageModel> model = Prepared(Amplitude(start, chain));
    Tape tape;
    tape.Backward(BatchLoss(*model, tape, batch_));
    for (const ct::RowSource& source : Sources(*model)) {
      AddGolden(std::string("score gradients, ") + ct::ToString(start) + ", " + nn::ToString(chain),
                std::string("score_grad.") + ct::ToString(start) + "." + StoredName(source.matrix->name),
                source.matrix->form->Part("scores").grad);
    }
  }

  void CheckCurve(const std::string& name, const MethodSettings& method, double lr) {
    const std::unique_ptr<models::LanguageModel> model = Prepared(method);
    result_.AddCurve(name, *model, batch_, ReadAdamW(io::JsonValue(json_, (directory_ / "golden.json").string())), lr,
                     Field(name));
  }

  std::filesystem::path directory_;
  io::SafetensorsReader golden_;
  nlohmann::json json_;
  std::unique_ptr<models::LanguageModel> base_;
  bool has_first_rows_ = false;  // the reference of a model in GGUF: rows of its blocks, no gradients of whole matrices
  Batch batch_;
  std::shared_ptr<const ct::Basis> basis_;
  Comparison result_;
};

}  // namespace

Comparison CheckReference(const std::filesystem::path& directory) { return Checker(directory).Run(); }

}  // namespace ampgrad::train
