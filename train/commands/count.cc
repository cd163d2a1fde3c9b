#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "tensor/io/printable.h"
#include "train/commands/commands.h"
#include "train/commands/options/method_options.h"
#include "train/counts/count_table.h"
#include "train/counts/paper_figures.h"

namespace ampgrad::train {
namespace {

Scope ReadLayers(const std::string& word, Index layers) {
  try {
    return ParseLayers(word, layers);
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
}

// The Ks to count. Of the default, those that exceed the width d are left out.
std::vector<Index> ReadKs(const Options& options, Index width) {
  if (options.Given("k")) return options.Integers("k", 1, width);
  std::vector<Index> ks = options.Integers("k", 1, kMany);
  std::erase_if(ks, [width](Index k) { return k > width; });
  return ks.empty() ? std::vector<Index>{width} : ks;
}

// Counts the model that options name, prints what was counted, and returns it for the file.
nlohmann::ordered_json CountGivenModel(const Options& options) {
  const ModelShape shape =
      options.Has("model") ? ReadShape(options.String("model")) : PresetShape(options.Choice("preset", ShapePresets()));
  const Scope scope = ReadLayers(options.String("layers"), shape.model->layers());
  const Counts counts = CountModel(shape, ReadRowsPolicy(options), scope);
  CountRequest request{options.String("rows"), options.String("layers"), ReadKs(options, counts.width), {}};
  if (options.Has("rank")) request.ranks = options.Integers("rank", 1, counts.width);
  std::printf("%s", io::Printable(FormatCounts(shape, counts, request), "\n").c_str());
  return CountsJson(shape, counts, request);
}

int CountMain(const Options& options) {
  const bool model = options.Has("model"), preset = options.Has("preset"), papers = options.Has("papers");
  if (model && preset) throw UsageError("expected one of --model and --preset, found both");
  if (!model && !preset && !papers) throw UsageError("expected one of --model, --preset and --papers, found none");
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (model || preset) json["counts"] = CountGivenModel(options);
  if (papers) {
    std::printf("%s%s", model || preset ? "\n" : "", FormatPaperFigures().c_str());
    json["papers"] = PaperFiguresJson();
  }
  if (options.Has("json")) {
    const std::string text = io::JsonText(json, 1);
    io::WriteFileAtomically(options.String("json"), text + "\n");
  }
  return 0;
}

}  // namespace

Command CountCommand() {
  return {"count",
          "Count what a model has and a method trains, with every share's denominator; reads no weights.",
          {{"model", "DIR", "", "model directory; config.json is enough"},
           {"preset", "NAME", "",
            "public shape: photonic (the papers' 10.2M model), gpt2, gpt2-xl, tinyllama, llama-7b, llama-13b (1 and 2) "
            "or llama-70b (2)"},
           {"k", "K,K,…", "8,64", "scores a row"},
           {"rows", "WHICH", "blocks", "rows that are decomposed: blocks, width (the papers' 10.2M), all or residual"},
           {"layers", "WHICH", "all", "layers that train: all, last:N, A-B or A; of a choice, the blocks alone"},
           {"rank", "R,R,…", "", "ranks of LoRA to count beside them"},
           {"papers", nullptr, "", "print the papers' figures, with the arithmetic that leads to each"},
           {"json", "FILE", "", "write the counts as JSON"}},
          CountMain};
}

}  // namespace ampgrad::train
