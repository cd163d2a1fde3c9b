#include "train/spectra/spectra_data.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "train/report/format.h"
#include "train/spectra/labels.h"

namespace ampgrad::train {
namespace {

using nlohmann::ordered_json;

ordered_json FigureJson(const ct::Figure& figure) {
  return {{"value", figure.value},
          {"null", figure.null},
          {"level", figure.level},
          {"p", figure.p},
          {"marked", figure.marked}};
}

ordered_json FitJson(const PowerFit& fit) {
  return {{"exponent", fit.exponent}, {"low", fit.low},     {"high", fit.high},
          {"points", fit.points},     {"first", fit.first}, {"last", fit.last}};
}

ordered_json MatrixJson(const ct::MatrixSpectra& matrix, Index k) {
  const ct::MatrixScores& f = matrix.by_k.at(k);
  ordered_json json = {{"n", matrix.rows},
                       {"norm", matrix.norm},
                       {"strength", FigureJson(matrix.strength)},
                       {"weight_pr", FigureJson(matrix.weight_pr)},
                       {"weight_pr_null", matrix.iid_pr},
                       {"r2", FigureJson(f.r2)},
                       {"amplitude_pr", FigureJson(f.amplitude_pr)},
                       {"pc1", FigureJson(f.pc1)},
                       {"n95", f.n95},
                       {"max_corr", FigureJson(f.max_corr)},
                       {"kurtosis", FigureJson(f.kurtosis)},
                       {"mean_max_cosine", FigureJson(f.mean_max_cosine)}};
  if (k == 8) json["label"] = CrystalLabel(f.amplitude_pr.value);
  return json;
}

ordered_json KJson(const ct::ModelSpectra& spectra, Index k) {
  const ct::KFigures& f = spectra.by_k.at(k);
  ordered_json json = {{"r2", FigureJson(f.r2)},
                       {"variance_captured", f.variance_captured},
                       {"random_level", f.random_level},
                       {"amplitude_pr", f.amplitude_pr},
                       {"spectrum_pr", f.spectrum_pr},
                       {"pc1", f.pc1},
                       {"n95", f.n95},
                       {"scores", f.scores},
                       {"subspace_overlap", FigureJson(f.subspace_overlap)},
                       {"mean_max_cosine", FigureJson(f.mean_max_cosine)},
                       {"cosine_within_span", f.cosine_within_span},
                       {"cosine_within_span_level", f.cosine_within_level}};
  for (const ct::MatrixSpectra& matrix : spectra.matrices) json["matrices"][matrix.name] = MatrixJson(matrix, k);
  return json;
}

ordered_json ScalingJson(const KScaling& scaling) {
  ordered_json json;
  for (const KLaw& law : scaling.laws) json["laws"].push_back({{"law", law.law}, {"k", law.k}, {"r2", law.r2}});
  for (const KNeeded& need : scaling.needed) {
    json["needed"].push_back({{"r2", need.r2}, {"k", need.k}, {"part", need.part}});
  }
  json["spectrum_fit"] = FitJson(scaling.spectrum);
  json["matrices_fit"] = FitJson(scaling.matrices);
  return json;
}

// Lines of the CSV, one figure after another.
class SpectraCsvLines {
 public:
  void Of(std::string scope, std::string name, Index layer, Index k) {
    place_ =
        scope + "," + name + "," + (layer < 0 ? "" : std::to_string(layer)) + "," + (k == 0 ? "" : std::to_string(k));
  }
  void Add(const char* figure, const ct::Figure& f) {
    text_ += place_ + "," + figure + "," + Text(f.value) + "," + Text(f.null) + "," + Text(f.level) + "," + Text(f.p) +
             "," + (f.marked ? "1" : "0") + "\n";
  }
  void Add(const char* figure, double value) { Add(figure, ct::Untested(value)); }
  std::string Take() { return "scope,name,layer,k,figure,value,null,level,p,marked\n" + text_; }

 private:
  static std::string Text(double value) { return std::isfinite(value) ? report::Format("%.10g", value) : ""; }

  std::string place_, text_;
};

void AddMatrix(const ct::MatrixSpectra& matrix, SpectraCsvLines& lines) {
  lines.Of("matrix", matrix.name, matrix.layer, 0);
  lines.Add("rows", static_cast<double>(matrix.rows));
  lines.Add("norm", matrix.norm);
  lines.Add("strength", matrix.strength);
  lines.Add("weight_pr", matrix.weight_pr);
  for (const auto& [k, f] : matrix.by_k) {
    lines.Of("matrix", matrix.name, matrix.layer, k);
    lines.Add("r2", f.r2);
    lines.Add("amplitude_pr", f.amplitude_pr);
    lines.Add("pc1", f.pc1);
    lines.Add("n95", static_cast<double>(f.n95));
    lines.Add("max_corr", f.max_corr);
    lines.Add("kurtosis", f.kurtosis);
    lines.Add("mean_max_cosine", f.mean_max_cosine);
  }
}

}  // namespace

ordered_json SpectraJson(const ct::ModelSpectra& spectra, const KScaling& scaling) {
  ordered_json json = {{"rows", spectra.rows},
                       {"width", spectra.width},
                       {"weight_pr", FigureJson(spectra.weight_pr)},
                       {"weight_pr_null", spectra.iid_pr},
                       {"n95_weights", spectra.n95_weights},
                       {"marchenko_pastur_edge", spectra.edge},
                       {"share_above_edge", FigureJson(spectra.share_above_edge)},
                       {"stack_draws", spectra.stack_draws},
                       {"eigenvalues", spectra.eigenvalues},
                       {"null_eigenvalues", spectra.null_eigenvalues}};
  for (const ct::LayerSpectra& layer : spectra.layers) {
    json["layers"].push_back(
        {{"layer", layer.layer}, {"pr_mean", layer.pr_mean}, {"pr_stacked", FigureJson(layer.pr_stacked)}});
  }
  for (const auto& [name, tau] : spectra.depth) json["depth"][name] = FigureJson(tau);
  for (const auto& [k, figures] : spectra.by_k) json["by_k"][std::to_string(k)] = KJson(spectra, k);
  for (const ct::MatrixSpectra& matrix : spectra.matrices) json["histograms"][matrix.name] = matrix.histogram;
  json["k_scaling"] = ScalingJson(scaling);
  return json;
}

std::string SpectraCsv(const ct::ModelSpectra& spectra) {
  SpectraCsvLines lines;
  lines.Of("all", "", -1, 0);
  lines.Add("weight_pr", spectra.weight_pr);
  lines.Add("n95_weights", static_cast<double>(spectra.n95_weights));
  lines.Add("share_above_edge", spectra.share_above_edge);
  for (const auto& [k, f] : spectra.by_k) {
    lines.Of("all", "", -1, k);
    lines.Add("r2", f.r2);
    lines.Add("random_level", f.random_level);
    lines.Add("amplitude_pr", f.amplitude_pr);
    lines.Add("pc1", f.pc1);
    lines.Add("n95", static_cast<double>(f.n95));
    lines.Add("subspace_overlap", f.subspace_overlap);
    lines.Add("mean_max_cosine", f.mean_max_cosine);
  }
  for (const ct::LayerSpectra& layer : spectra.layers) {
    lines.Of("layer", "", layer.layer, 0);
    lines.Add("pr_mean", layer.pr_mean);
    lines.Add("pr_stacked", layer.pr_stacked);
    lines.Add("strength", layer.strength);
  }
  for (const auto& [name, tau] : spectra.depth) {
    lines.Of("depth", name, -1, 0);
    lines.Add("tau", tau);
  }
  for (const ct::MatrixSpectra& matrix : spectra.matrices) AddMatrix(matrix, lines);
  return lines.Take();
}

}  // namespace ampgrad::train
