#include "train/analysis/comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "train/trainer.h"

namespace ampgrad::train {
namespace {

constexpr double kBound = sizeof(Real) == 4 ? 1e-5 : 1e-9;
constexpr double kCurveBound = sizeof(Real) == 4 ? 1e-4 : 1e-9;

}  // namespace

double RelativeError(const Tensor& own, const Tensor& reference) {
  if (own.size() != reference.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, norm = 0;
  for (Index i = 0; i < own.size(); ++i) {
    difference += std::pow(static_cast<double>(own[i]) - reference[i], 2);
    norm += std::pow(static_cast<double>(reference[i]), 2);
  }
  if (norm == 0) return difference == 0 ? 0 : std::numeric_limits<double>::infinity();
  return std::sqrt(difference / norm);
}

bool Comparison::Passed() const {
  return !groups.empty() && std::all_of(groups.begin(), groups.end(), [](const GroupResult& g) { return g.Passed(); });
}

void Comparison::Add(const std::string& group, const std::string& name, const Tensor& own, double error) {
  AddWithin(kBound, group, name, own, error);
}

void Comparison::AddTensor(const std::string& group, const std::string& name, const Tensor& own,
                           const Tensor& reference) {
  Add(group, name, own, RelativeError(own, reference));
}

void Comparison::AddNumber(double bound, const std::string& group, const std::string& name, double own,
                           double reference) {
  const double error = own == reference ? 0 : std::abs(own - reference) / std::abs(reference);
  AddWithin(bound, group, name, Tensor::Scalar(static_cast<Real>(own)), error);
}

void Comparison::AddWithin(double bound, const std::string& group, const std::string& name, const Tensor& ours,
                           double error) {
  const auto same_name = [&](const io::NamedTensor& tensor) { return tensor.name == name; };
  if (std::none_of(own.begin(), own.end(), same_name)) own.push_back({name, ours});
  auto it = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.group == group; });
  if (it == groups.end()) {
    groups.push_back({group, name, error, bound, 0});
    it = groups.end() - 1;
  }
  ++it->tensors;
  if (!(error <= it->error)) {  // a NaN is worse than any number and stays
    if (std::isnan(it->error)) return;
    it->error = error;
    it->worst = name;
  }
}

void Comparison::AddCurve(const std::string& name, models::LanguageModel& model, const Batch& batch,
                          const AdamWOptions& settings, double lr, const io::JsonValue& reference) {
  std::vector<double> losses;
  for (const io::JsonValue& loss : reference.Items()) losses.push_back(loss.Number());
  if (losses.empty()) reference.Fail("a list of losses that is not empty");
  AdamW optimizer(models::TrainableParameters(model), settings);
  Tensor ours = Tensor::Uninitialized({static_cast<Index>(losses.size())});
  double difference = 0, norm = 0;
  for (size_t step = 0; step < losses.size(); ++step) {
    optimizer.ZeroGrad();
    Tape tape;
    const Var loss = BatchLoss(model, tape, batch);
    ours[static_cast<Index>(step)] = loss.value[0];
    difference += std::pow(loss.value[0] - losses[step], 2);
    norm += std::pow(losses[step], 2);
    if (step + 1 == losses.size()) break;
    tape.Backward(loss);
    optimizer.Step(lr);
  }
  AddWithin(kCurveBound, "loss curves", name, ours, std::sqrt(difference / norm));
}

AdamWOptions ReadAdamW(const io::JsonValue& object) {
  const io::JsonValue betas = object.Field("betas");
  if (!betas.json().is_array() || betas.json().size() != 2) betas.Fail("a list of two numbers");
  const auto beta = [&](size_t i) {
    const double value = betas.Item(i).Number();
    if (!(value >= 0 && value < 1)) betas.Item(i).Fail("a number from 0 to below 1");
    return value;
  };
  return {beta(0), beta(1), object.Field("eps").Positive(), ReadRate(object.Field("weight_decay"))};
}

double ReadRate(const io::JsonValue& value) {
  const double rate = value.Number();
  if (!(rate >= 0 && rate <= 1e30)) value.Fail("a number in 0..1e30");
  return rate;
}

}  // namespace ampgrad::train
