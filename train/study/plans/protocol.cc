#include "train/study/plans/protocol.h"

#include <algorithm>
#include <stdexcept>

namespace ampgrad::train {
namespace {

const std::vector<Protocol> kProtocols = {
    {"s62", 50, "blocks", 0}, {"s72", 0, "width", 0}, {"s76", 5, "all", 52}, {"s78", 5, "all", 52}};

struct Choice {
  int number;
  const char* papers;  // that leave it open
  const char* text;
};
constexpr Choice kChoices[] = {
    {1, "s72", "matrices with scores: those of rows as wide as the model, a tied vocabulary twice, as its counts say"},
    {1, "s76 s78", "matrices with scores: the seven of each of the two layers, as its counts say; no vocabulary"},
    {2, "s76 s78", "orientation of square matrices: rows as they are stored"},
    {3, "s72", "matrices of another width: left out and frozen, as its counts say"},
    {4, "s78", "rows of the basis: 52 of each matrix, as in S76 (--sample), drawn by --seed, each of equal weight"},
    {5, "s76 s78", "mean: one mean row of all rows of the basis"},
    {6, "s72 s76 s78", "SVD: eigenvectors of the covariance of the centred rows, summed in double"},
    {7, "s72 s76 s78", "what the basis sees: the layers that train, too"},
    {8, "s78", "start: reconstructed, W = S·B + μ, as in S76"},
    {9, "s72 s76 s78", "what is replaced at the start: the matrices that train alone"},
    {10, "s62 s72", "head, norms, biases, embeddings: full SFT trains all of them, the other arm none beside its own"},
    {10, "s76 s78",
     "head: S76 counts it in full SFT, not in the scores; so full SFT is run without it, by which "
     "efficiency is measured, and with it; norms and biases are frozen in every arm"},
    {11, "s62 s72 s76 s78",
     "optimiser: as options say, by default AdamW 0.9, 0.999, 1e-8, no decay, clipped at 1, "
     "cosine to a tenth"},
    {12, "s62 s72", "rates: searched for every arm by one rule; with --fixed-rates those of S76"},
    {12, "s76 s78",
     "how rates were chosen: searched for every arm by one rule; with --fixed-rates 1e-5 and 5e-4, as S76 "
     "gives them"},
    {13, "s72", "steps: those of --steps"},
    {13, "s62 s72 s76 s78",
     "batch, length, data, order, template: those of --batch, --length, --data, --seed, "
     "--template; answers alone count in the loss"},
    {14, "s62 s72 s76 s78", "losses: on held-out data; of the batches, before each step, in the curve of each run"},
    {15, "s78", "efficiency: both kinds, beside the losses of base, start and end, of which the paper has none"},
    {16, "s62 s72 s76 s78", "seeds: as many as --seeds; they drive the order of the data and what is drawn at random"},
    {17, "s62 s72 s76 s78", "precision: float32 for weights, gradients and moments"},
    {18, "s72 s76 s78", "R²: of all rows of the basis's matrices, against their mean row (ampgrad analyze)"},
    {19, "s62", "PR, kurtosis, correlation, alignment: not part of the runs; by the formulas of ampgrad analyze"},
    {20, "s62 s72 s76 s78", "percentages: of the model's numbers, each counted once"},
    {21, "s62 s72 s76 s78", "threads: any number, with the same bits"},
};

// Adds arms to a list under one group.
struct Collected {
  const Protocol& protocol;
  const PlanSettings& settings;
  std::vector<Arm> arms = {};

  void Add(std::string name, const Scope& scope, Index k = 0) {
    Arm arm;
    arm.groups = {protocol.name};
    arm.method.method = k > 0 ? "amplitude" : "full";
    arm.method.k = k;
    if (k > 0) arm.method.start = ct::Start::kReconstructed;
    arm.method.scope = scope;
    arm.method.chain = settings.chain;
    arm.method.rows = settings.rows;
    arm.name = name.empty() ? arm.method.Label() : std::move(name);
    arms.push_back(std::move(arm));
  }
};

}  // namespace

std::vector<std::string> ProtocolNames() {
  std::vector<std::string> names;
  for (const Protocol& protocol : kProtocols) names.push_back(protocol.name);
  return names;
}

const Protocol& ProtocolOf(const std::string& name) {
  const auto found = std::ranges::find(kProtocols, name, &Protocol::name);
  if (found != kProtocols.end()) return *found;
  throw std::invalid_argument("[protocol] expected one of the papers' names, found '" + name + "'");
}

std::vector<Arm> ArmsOf(const Protocol& protocol, models::LanguageModel& model, const PlanSettings& settings) {
  Collected collected{protocol, settings};
  if (protocol.name == "s62") {
    collected.Add("full", {});
    collected.Add("full, output projection", OutputProjection(model));
    return std::move(collected.arms);
  }
  if (protocol.name == "s72") {
    collected.Add("full", {});
    if (model.width() >= 8) collected.Add("", {}, 8);
    return std::move(collected.arms);
  }
  const Index layers = std::min<Index>(2, model.layers());
  const Scope last = ParseLayers("last:" + std::to_string(layers), model.layers());
  Scope with_head = last;
  with_head.head = true;
  collected.Add("full", last);
  collected.Add("full, last 2 and head", with_head);
  const std::vector<Index> ks =
      protocol.name == "s76" ? std::vector<Index>{8, 16, 32} : std::vector<Index>{4, 8, 16, 32, 64, 128};
  for (const Index k : ks) {
    if (k <= model.width()) collected.Add("", last, k);
  }
  return std::move(collected.arms);
}

void TakeRates(std::vector<Arm>& arms, double (*rate_of_method)(const std::string& method)) {
  for (Arm& arm : arms) {
    const bool searched = arm.fixed_lr == 0 && arm.rates.empty() && arm.norm_of.empty() && arm.rate_of.empty();
    if (searched && !arm.IsLevel()) arm.rates = {rate_of_method(arm.method.method)};
  }
}

std::vector<std::string> OpenChoices(const Protocol& protocol) {
  std::vector<std::string> lines;
  for (const auto& [number, papers, text] : kChoices) {
    if (std::string(papers).find(protocol.name) == std::string::npos) continue;
    lines.push_back("P" + std::to_string(number) + (number < 10 ? "   " : "  ") + text);
  }
  return lines;
}

}  // namespace ampgrad::train
