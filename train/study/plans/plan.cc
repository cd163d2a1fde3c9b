#include "train/study/plans/plan.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "train/freezing.h"
#include "train/report/format.h"

namespace ampgrad::train {
namespace {

// Collects arms under one name each.
class Builder {
 public:
  Builder(models::LanguageModel& model, const PlanSettings& settings) : model_(model), settings_(settings) {}

  void Frontier() {
    group_ = "frontier";
    Full();
    for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
      for (Index k = 1; k <= std::min<Index>(128, model_.width()); k *= 2) Amplitude(start, k);
    }
    Arm mean = Of("amplitude");
    mean.kind = ArmKind::kMeanRow;
    mean.method.k = 0;
    mean.method.start = ct::Start::kReconstructed;
    Add("mean row alone", mean);
    Arm removed = Of("full");
    removed.kind = ArmKind::kLayersRemoved;
    Add("layers removed", removed);
  }

  void BasisKinds() {
    group_ = "bases";
    Full();
    for (const Index k : TwoKs()) {
      for (const std::string& kind : ct::BasisKindNames()) Amplitude(ct::Start::kExact, k, ct::ParseBasisKind(kind));
      for (const ct::BasisKind kind : {ct::BasisKind::kUniversal, ct::BasisKind::kRandom}) {
        Amplitude(ct::Start::kReconstructed, k, kind);
      }
    }
  }

  void Peers() {
    group_ = "peers";
    Full();
    for (const Index k : TwoKs()) {
      Amplitude(ct::Start::kExact, k);
      for (const char* method : {"lora", "lora-fa", "pissa", "dora", "core", "vera"}) LowRank(method, k);
      LowRank("lora", MatchedRank(k));
      LowRank("vera", k, FactorSource::kBasis);
      const std::string amplitude = AmplitudeOf(ct::Start::kExact, k).method.Label();
      AtNormOf(amplitude, "lora r=" + std::to_string(k));
      AtNormOf("lora r=" + std::to_string(k), amplitude);
      Arm sparse = Of("sparse");
      sparse.method.share = static_cast<double>(k) / static_cast<double>(model_.width());
      Add(report::Format("sparse %.4g", sparse.method.share), sparse);
    }
  }

  void Scopes() {
    group_ = "scope";
    Full();
    const Scope output = OutputProjection(model_, settings_.scope);
    Scoped("output projection", output, true);
    Arm transposed = AmplitudeOf(ct::Start::kExact, SmallK());
    transposed.method.scope = output;
    transposed.method.rows = ct::RowsPolicy::kResidual;
    Add(transposed.method.Label() + ", output projection transposed", transposed);
    Scope last = settings_.scope;
    last.all_layers = false;
    last.last = model_.layers() - 1;
    last.first = std::max<Index>(0, last.last - 1);
    Scoped("last 2", last, true);
    Scope with_head = last;
    with_head.head = true;
    Scoped("last 2 and head", with_head, false);
    Scope head;
    head.all_layers = false;
    head.first = 0;
    head.last = -1;
    head.head = true;
    Scoped("head", head, false);
    Add("norms", Of("norms"));
  }

  void Starts() {
    group_ = "starts";
    Full();
    for (const ct::Start start : {ct::Start::kExact, ct::Start::kReconstructed}) Amplitude(start, SmallK());
    Arm rebuilt = Of("full");
    rebuilt.kind = ArmKind::kRebuilt;
    rebuilt.method.k = SmallK();
    Add(report::Format("full, rebuilt K=%lld", static_cast<long long>(SmallK())), rebuilt);
  }

  void Lengths() {
    group_ = "length";
    for (const Index steps : {5, 50, 500}) {
      steps_ = steps == settings_.steps ? 0 : steps;
      Full();
      for (const ct::Start start : {ct::Start::kExact, ct::Start::kReconstructed}) {
        for (const Index k : TwoKs()) Amplitude(start, k);
      }
    }
    // Fresh batches show no gap between training and held-out loss to speak of.
    constexpr Index kSamples = 64;
    steps_ = 4 * settings_.steps;
    std::vector<Arm> few = {Of("full")};
    for (const ct::Start start : {ct::Start::kExact, ct::Start::kReconstructed}) {
      few.push_back(AmplitudeOf(start, SmallK()));
    }
    for (Arm& arm : few) {
      arm.samples = kSamples;
      Add(report::Format("%s, %lld samples", arm.method.Label().c_str(), static_cast<long long>(kSamples)), arm);
    }
    steps_ = 0;
  }

  void Freezing() {
    group_ = "freezing";
    Full();
    Amplitude(ct::Start::kExact, SmallK());
    for (const std::string& order : FreezeOrders()) {
      Arm arm = AmplitudeOf(ct::Start::kExact, SmallK());
      arm.freeze = order;
      Add(arm.method.Label() + ", freezing by " + order, arm);
    }
  }

  void Rates() {
    group_ = "rates";
    Full();
    Arm full = Of("full");
    full.fixed_lr = PaperRate("full");
    Add("full, rate 1e-5", full);
    for (const ct::Start start : {ct::Start::kReconstructed, ct::Start::kExact}) {
      for (const Index k : TwoKs()) {
        Amplitude(start, k);
        Arm fixed = AmplitudeOf(start, k);
        fixed.fixed_lr = PaperRate("amplitude");
        Add(fixed.method.Label() + ", rate 5e-4", fixed);
      }
    }
  }

  std::vector<Arm> Take() { return std::move(arms_); }

 private:
  Index SmallK() const { return std::min<Index>(8, model_.width() / 2); }
  std::vector<Index> TwoKs() const {
    const Index large = std::min<Index>(32, model_.width() / 2);
    return large > SmallK() ? std::vector<Index>{SmallK(), large} : std::vector<Index>{SmallK()};
  }

  Arm Of(const std::string& method) const {
    Arm arm;
    arm.method.method = method;
    arm.method.scope = settings_.scope;
    arm.method.chain = settings_.chain;
    arm.method.rows = settings_.rows;
    arm.steps = steps_;
    return arm;
  }

  void Add(std::string name, Arm arm) {
    if (steps_ > 0) name += report::Format(", %lld steps", static_cast<long long>(steps_));
    const auto known = std::ranges::find(arms_, name, &Arm::name);
    if (known != arms_.end()) {
      if (std::ranges::find(known->groups, group_) == known->groups.end()) known->groups.push_back(group_);
      return;
    }
    arm.name = std::move(name);
    arm.groups = {group_};
    arms_.push_back(std::move(arm));
  }

  void Full() {
    Arm full = Of("full");
    full.summary = steps_ == 0;
    Add("full", full);
  }

  Arm AmplitudeOf(ct::Start start, Index k) const {
    Arm arm = Of("amplitude");
    arm.method.k = k;
    arm.method.start = start;
    return arm;
  }

  void Amplitude(ct::Start start, Index k, ct::BasisKind basis = ct::BasisKind::kUniversal) {
    Arm arm = AmplitudeOf(start, k);
    arm.method.basis = basis;
    arm.summary = steps_ == 0 && k == SmallK() && basis == ct::BasisKind::kUniversal;
    Add(arm.method.Label(), arm);
  }

  void LowRank(const std::string& method, Index rank, FactorSource factors = FactorSource::kDefault) {
    Arm arm = Of(method);
    arm.method.rank = rank;
    arm.method.factors = factors;
    arm.summary = method == "lora" && rank == SmallK();
    Add(arm.method.Label() + (factors == FactorSource::kBasis ? " universal" : ""), arm);
  }

  // An arm once more, at a rate that gives it the ‖ΔW‖ of another.
  void AtNormOf(const std::string& other, const std::string& name) {
    Arm arm = *std::ranges::find(arms_, name, &Arm::name);
    arm.norm_of = other;
    arm.summary = false;
    Add(name + ", norm of " + other, arm);
  }

  void Scoped(const std::string& name, const Scope& scope, bool with_scores) {
    Arm full = Of("full");
    full.method.scope = scope;
    Add("full, " + name, full);
    if (!with_scores) return;
    Arm scores = AmplitudeOf(ct::Start::kExact, SmallK());
    scores.method.scope = scope;
    Add(scores.method.Label() + ", " + name, scores);
  }

  // The rank at which LoRA trains about as many numbers as K scores of every row, over the matrices in scope.
  Index MatchedRank(Index k) const {
    double rows = 0, sides = 0;
    std::vector<nn::Matrix*> matrices = MatricesInScope(model_, settings_.scope);
    for (const ct::RowSource& source : ct::SelectRows(matrices, model_.width(), ct::RowsPolicy::kBlocks)) {
      rows += static_cast<double>(source.rows);
      sides += static_cast<double>(source.matrix->in + source.matrix->out);
    }
    return std::max<Index>(1, std::llround(static_cast<double>(k) * rows / sides));
  }

  models::LanguageModel& model_;
  const PlanSettings& settings_;
  std::string group_;
  Index steps_ = 0;
  std::vector<Arm> arms_;
};

struct Plan {
  const char* name;
  void (Builder::*build)();
};
constexpr Plan kPlans[] = {
    {"frontier", &Builder::Frontier}, {"bases", &Builder::BasisKinds},  {"peers", &Builder::Peers},
    {"scope", &Builder::Scopes},      {"starts", &Builder::Starts},     {"length", &Builder::Lengths},
    {"rates", &Builder::Rates},       {"freezing", &Builder::Freezing},
};

}  // namespace

double PaperRate(const std::string& method) {
  return method == "full" ? 1e-5 : method == "amplitude" ? 5e-4 : DefaultRate(method);
}

Scope OutputProjection(const models::LanguageModel& model, Scope scope) {
  scope.targets = {model.CheckpointPrefix() == std::string("transformer.") ? "attn.c_proj" : "o_proj"};
  return scope;
}

std::vector<std::string> PlanNames() {
  std::vector<std::string> names;
  for (const Plan& plan : kPlans) names.push_back(plan.name);
  names.push_back("all");
  return names;
}

std::vector<Arm> ArmsOf(const std::string& plan, models::LanguageModel& model, const PlanSettings& settings) {
  const std::vector<std::string> names = PlanNames();
  if (std::ranges::find(names, plan) == names.end()) {
    throw std::invalid_argument("[plan] expected one of the plans' names, found '" + plan + "'");
  }
  // Which questions an arm helps to answer does not depend on the plan that runs it.
  Builder builder(model, settings);
  for (const Plan& one : kPlans) (builder.*one.build)();
  std::vector<Arm> arms = builder.Take();
  if (plan == "all") return arms;
  std::erase_if(arms, [&](const Arm& arm) { return std::ranges::find(arm.groups, plan) == arm.groups.end(); });
  return arms;
}

}  // namespace ampgrad::train
