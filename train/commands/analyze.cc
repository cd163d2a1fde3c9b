#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "ct/spectra/model_spectra.h"
#include "models/model_directory.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "tensor/io/own_file.h"
#include "tensor/io/text_file.h"
#include "train/change/change_report.h"
#include "train/commands/commands.h"
#include "train/commands/options/method_options.h"
#include "train/commands/options/model_options.h"
#include "train/corpus/score_prediction.h"
#include "train/progress.h"
#include "train/spectra/spectra_data.h"
#include "train/spectra/spectra_page.h"
#include "train/spectra/spectra_text.h"

namespace ampgrad::train {
namespace {

// The values of --k, ascending, each once; by default 8 and 64, but no more than half the width.
std::vector<Index> ReadKs(const Options& options, const models::LanguageModel& model) {
  std::vector<Index> ks;
  if (options.Given("k")) {
    ks = options.Integers("k", 1, kMany);
    for (const Index k : ks) CheckK(k, model);
  } else {
    for (const Index k : {Index{8}, Index{64}}) ks.push_back(std::clamp<Index>(model.width() / 2, 1, k));
  }
  std::sort(ks.begin(), ks.end());
  ks.erase(std::unique(ks.begin(), ks.end()), ks.end());
  return ks;
}

ct::ModelSpectra Measure(const std::vector<ct::RowSource>& sources, const ct::SpectraOptions& options) {
  Phase phase("measuring");
  return ct::MeasureSpectra(sources, options, [&](const std::string& what) { phase.Now(what); });
}

// Whether a text predicts the scores, for the smallest K.
corpus::ScorePrediction Predict(const Options& options, const GivenModel& given, const ct::Basis& basis,
                                uint64_t seed) {
  const Phase phase("predicting scores from the text");
  const std::string file = options.String("text");
  const models::Tokenizer tokenizer = models::LoadTokenizer(given.Texts(), *given.model);
  const std::vector<int> ids = corpus::TextIds(io::ReadTextFile(file), tokenizer, file);
  return corpus::PredictScores(*given.model, basis, ids, seed);
}

// What lies between the model and the one before it: that of --against, or the base under the adapter.
WeightChange Compare(const Options& options, const GivenModel& given, const std::vector<Index>& ks) {
  const std::unique_ptr<models::LanguageModel> before =
      ReadModel(options.Has("against") ? options.String("against") : given.base.string());
  const Phase phase("comparing the weights");
  ChangeOptions change{.ks = ks, .policy = ReadRowsPolicy(options)};
  std::optional<models::Tokenizer> tokenizer;
  if (io::IsThere(given.Texts() / "tokenizer.json")) {
    tokenizer.emplace(models::LoadTokenizer(given.Texts(), *given.model));
    change.tokenizer = &*tokenizer;
  }
  const auto sources = ct::SelectRows(before->Parts().matrices, before->width(), change.policy);
  return CompareWeights(*before, *given.model, ct::ComputeBasis(sources, ks.back()), change);
}

// What makes the same figures again.
std::string AnalyzeLine(const Options& options) {
  std::string line = "ampgrad analyze";
  for (const char* name : {"model", "adapter", "k", "rows", "basis", "text", "against", "seed"}) {
    if (options.Given(name)) line += std::string(" --") + name + " " + options.String(name);
  }
  return line + (options.Has("no-nulls") ? " --no-nulls" : "");
}

int AnalyzeMain(const Options& options) {
  const GivenModel given = ReadGivenModel(options, AdapterUse::kApply);
  models::LanguageModel& model = *given.model;
  const ct::SpectraOptions measured{.ks = ReadKs(options, model),
                                    .basis = ct::ParseBasisKind(options.Choice("basis", ct::BasisKindNames())),
                                    .nulls = !options.Has("no-nulls"),
                                    .seed = static_cast<uint64_t>(options.Integer("seed", 0, kMany)),
                                    .embedding = ct::FindEmbedding(model.Parts().matrices)};
  const auto sources = ct::SelectRows(model.Parts().matrices, model.width(), ReadRowsPolicy(options));
  const ct::ModelSpectra spectra = Measure(sources, measured);
  const KScaling scaling = ScaleK(spectra);
  nlohmann::ordered_json json = SpectraJson(spectra, scaling);
  std::vector<std::string> sections;
  std::fputs(FormatSpectra(spectra, scaling).c_str(), stdout);
  if (options.Has("text")) {
    const ct::Basis basis = ct::Truncated(spectra.basis, measured.ks.front());
    const corpus::ScorePrediction prediction = Predict(options, given, basis, measured.seed);
    std::printf("\n%s", corpus::FormatPrediction(prediction).c_str());
    json["corpus"] = corpus::PredictionJson(prediction);
    sections.push_back(corpus::PredictionSection(prediction));
  }
  if (options.Has("against") || !given.adapter.empty()) {
    const WeightChange change = Compare(options, given, measured.ks);
    std::printf("\n%s", FormatChange(change).c_str());
    json["change"] = ChangeJson(change);
    sections.push_back(ChangeSection(change));
  }
  if (options.Has("json")) io::WriteFileAtomically(options.String("json"), io::JsonText(json, 1) + "\n");
  if (options.Has("csv")) io::WriteFileAtomically(options.String("csv"), SpectraCsv(spectra));
  if (options.Has("html")) {
    io::WriteFileAtomically(options.String("html"),
                            SpectraPage(spectra, scaling, options.String("model"), AnalyzeLine(options), sections));
  }
  return 0;
}

}  // namespace

Command AnalyzeCommand() {
  return {
      "analyze", "Show what the weights say, each figure beside the level that chance would give.",
      Join({ModelOptionSpecs(),
            {{"k", "LIST", "8,64", "values of K; by default at most half the width"},
             {"rows", "POLICY", "blocks",
              "rows that are measured: blocks, all (with the vocabulary), or width (the same, none transposed)"},
             {"basis", "KIND", "universal", "basis of the scores: universal, bottom, random, type, matrix or minor"},
             {"text", "FILE", "", "text from which the scores are predicted, for the smallest K"},
             {"against", "DIR", "", "model before training: what changed; default, with --adapter: the base"},
             {"no-nulls", nullptr, "", "draw no level of chance: faster, and no figure is tested"},
             {"seed", "N", "1", "draws chance"},
             {"json", "FILE", "", "write every figure as JSON"},
             {"csv", "FILE", "", "write every figure of the spectra as a line of CSV"},
             {"html", "FILE", "", "write all of it as a page of pictures and tables that opens anywhere"}}}),
      AnalyzeMain};
}

}  // namespace ampgrad::train
