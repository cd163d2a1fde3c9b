#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "ct/spectra/model_spectra.h"
#include "tensor/io/atomic_file.h"
#include "train/commands/commands.h"
#include "train/commands/options/method_options.h"
#include "train/commands/options/model_options.h"
#include "train/progress.h"
#include "train/spectra/spectra_data.h"
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

int Run(const Options& options) {
  const GivenModel given = ReadGivenModel(options, AdapterUse::kApply);
  models::LanguageModel& model = *given.model;
  ct::SpectraOptions spectra_options{.ks = ReadKs(options, model),
                                     .basis = ct::ParseBasisKind(options.Choice("basis", ct::BasisKindNames())),
                                     .nulls = !options.Has("no-nulls"),
                                     .seed = static_cast<uint64_t>(options.Integer("seed", 0, kMany)),
                                     .embedding = ct::FindEmbedding(model.Parts().matrices)};
  const auto sources = ct::SelectRows(model.Parts().matrices, model.width(), ReadRowsPolicy(options));
  const ct::ModelSpectra spectra = Measure(sources, spectra_options);
  const KScaling scaling = ScaleK(spectra);
  std::fputs(FormatSpectra(spectra, scaling).c_str(), stdout);
  if (options.Has("json"))
    io::WriteFileAtomically(options.String("json"), SpectraJson(spectra, scaling).dump(1) + "\n");
  if (options.Has("csv")) io::WriteFileAtomically(options.String("csv"), SpectraCsv(spectra));
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
             {"no-nulls", nullptr, "", "draw no level of chance: faster, and no figure is tested"},
             {"seed", "N", "1", "draws chance"},
             {"json", "FILE", "", "write every figure as JSON"},
             {"csv", "FILE", "", "write every figure as a line of CSV"}}}),
      Run};
}

}  // namespace ampgrad::train
