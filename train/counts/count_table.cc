#include "train/counts/count_table.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "train/report/columns.h"
#include "train/report/format.h"
#include "train/report/grouped.h"

namespace ampgrad::train {
namespace {

using report::Grouped;
using report::Left;
using report::Right;

constexpr size_t kLabel = 58, kColumn = 14, kColumnsAtOnce = 3;

// A value for each K.
using CellOfK = std::function<std::string(Index k)>;

std::string Line(const std::string& label, const std::vector<Index>& ks, const CellOfK& cell) {
  std::string line = Left("  " + label, kLabel);
  for (const Index k : ks) line += Right(cell(k), kColumn);
  return line + "\n";
}

std::string CountLine(const std::string& label, Index count) {
  return Left("  " + label, kLabel) + Right(Grouped(count), kColumn) + "\n";
}

std::string FormatModel(const ModelShape& shape, const Counts& c) {
  const models::LanguageModel& model = *shape.model;
  std::string text = report::Wrap(
      shape.name + ": " + shape.family + ", d = " + Grouped(model.width()) + ", " + Grouped(model.layers()) +
          " layers, inner " + Grouped(shape.inner) + ", heads " + Grouped(shape.heads) + " and " +
          Grouped(shape.kv_heads) + " of keys, vocabulary " + Grouped(model.vocabulary()) + ", context " +
          Grouped(model.context()) + (shape.tied ? ", head tied to the embedding" : ", head of its own"),
      2);
  text += "\n";
  if (!shape.note.empty()) text += report::Wrap("  " + shape.note, 2) + "\n";
  text += "\nNumbers of the model\n" + CountLine("matrices of the blocks", c.block_numbers) +
          CountLine(shape.tied ? "vocabulary, once" : "vocabulary, embedding and head", c.vocabulary);
  if (c.positions > 0) text += CountLine("positions", c.positions);
  text += CountLine("biases and norms", c.vectors) + CountLine("unique parameters", c.Unique());
  if (c.StateDict() == c.Unique()) return text;
  return text + CountLine("state-dict elements: these, the tied copy and causal masks", c.StateDict());
}

std::string FormatChoice(const Counts& c, const CountRequest& request) {
  return "\nWhat is decomposed: rows '" + request.rows + "', layers '" + request.layers + "'\n" +
         CountLine("matrices", c.matrices) + CountLine("rows of width d", c.rows) +
         (c.rows == c.unique_rows ? "" : CountLine("of these rows, each of the tied vocabulary once", c.unique_rows)) +
         CountLine("numbers in these rows", c.Decomposed()) +
         CountLine("full SFT of these layers: numbers of their matrices", c.full) +
         CountLine("numbers of the head", c.head);
}

// Lines of ratios that are made anew for each K. They differ in no name.
std::string RatioLines(const std::vector<Index>& ks, const std::function<std::vector<Ratio>(Index)>& ratios,
                       const std::function<std::string(const Ratio&)>& label, std::string (*format)(double)) {
  std::string text;
  const std::vector<Ratio> first = ratios(ks[0]);
  for (size_t i = 0; i < first.size(); ++i) {
    text += Line(label(first[i]), ks, [&](Index k) { return format(ratios(k)[i].Value()); });
  }
  return text;
}

std::string FormatScores(const Counts& c, const std::vector<Index>& ks) {
  std::string text = "\n" + Left("Numbers of W = S·B + 1·μᵀ", kLabel);
  for (const Index k : ks) text += Right("K = " + Grouped(k), kColumn);
  text += "\n" + Line("scores S: the numbers that train", ks, [&](Index k) { return Grouped(c.Scores(k)); });
  if (c.rows != c.unique_rows) {
    text += Line("of these, tied ones once", ks, [&](Index k) { return Grouped(c.UniqueScores(k)); });
  }
  text += Line("basis B", ks, [&](Index k) { return Grouped(c.Basis(k)); }) +
          Line("mean row μ", ks, [&](Index) { return Grouped(c.Mean()); }) +
          Line("frozen numbers outside the decomposed matrices", ks, [&](Index) { return Grouped(c.Frozen()); }) +
          Line(c.rows == c.unique_rows ? "total: a file of all these" : "total: a file of all these, tied ones once",
               ks, [&](Index k) { return Grouped(c.File(k)); });
  if (c.StateDict() == c.Unique()) return text;
  return text +
         Line("total, tied copies and masks counted", ks, [&](Index k) { return Grouped(c.FileOfStateDict(k)); });
}

std::string FormatShares(const Counts& c, const std::vector<Index>& ks) {
  return "\nTrained share: scores as a part of\n" + RatioLines(
                                                        ks, [&](Index k) { return TrainedShares(c, k); },
                                                        [](const Ratio& r) { return r.of_name; }, report::Percent);
}

std::string FormatCost(const Counts& c, const std::vector<Index>& ks) {
  const auto bytes = [](Index trained) { return report::Bytes(static_cast<double>(MomentBytes(trained))); };
  return "\nAdamW's two moments in F32, 8 bytes for each trained number\n" +
         Line("of the scores", ks, [&](Index k) { return bytes(c.UniqueScores(k)); }) +
         Line("of full SFT of these layers", ks, [&](Index) { return bytes(c.full); }) +
         Line("of full SFT of these layers and the head", ks, [&](Index) { return bytes(c.full + c.head); }) +
         "\nCompression: numbers before / after\n" +
         RatioLines(
             ks, [&](Index k) { return Compressions(c, k); }, [](const Ratio& r) { return r.name + " / " + r.of_name; },
             report::Times) +
         "\nLoRA of the same layers' matrices\n" +
         Line("rank that trains as many numbers as the scores", ks, [&](Index k) {
           return report::Format("%.1f", static_cast<double>(c.UniqueScores(k)) / static_cast<double>(c.rank_cost));
         });
}

// Unique parameters × (unique parameters / scores).
double Effective(const Counts& c, Index k) {
  const double unique = static_cast<double>(c.Unique());
  return unique * (unique / static_cast<double>(c.UniqueScores(k)));
}

std::string FormatEffective(const Counts& c, const std::vector<Index>& ks) {
  return "\n\"Effective parameters\": a product of counts, not measured\n" +
         Line("unique parameters × (unique parameters / scores)", ks,
              [&](Index k) { return report::Format("%.4g", Effective(c, k)); });
}

std::string FormatRanks(const Counts& c, const std::vector<Index>& ranks) {
  std::string text;
  for (const Index rank : ranks) {
    text += CountLine("rank " + Grouped(rank) + ", in + out = " + Grouped(c.rank_cost), c.Lora(rank)) +
            CountLine("rank " + Grouped(rank) + ", embedding and head as well",
                      c.Lora(rank) + rank * c.vocabulary_rank_cost);
  }
  return text;
}

nlohmann::ordered_json ToJson(const std::vector<Ratio>& ratios) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Ratio& r : ratios) {
    json.push_back(
        {{"numerator", r.name}, {"count", r.count}, {"denominator", r.of_name}, {"of", r.of}, {"value", r.Value()}});
  }
  return json;
}

nlohmann::ordered_json ScoresJson(const Counts& c, Index k) {
  return {{"k", k},
          {"scores", c.Scores(k)},
          {"unique_scores", c.UniqueScores(k)},
          {"basis", c.Basis(k)},
          {"mean", c.Mean()},
          {"frozen", c.Frozen()},
          {"file", c.File(k)},
          {"file_of_state_dict", c.FileOfStateDict(k)},
          {"moment_bytes", MomentBytes(c.UniqueScores(k))},
          {"lora_rank_of_as_many", static_cast<double>(c.UniqueScores(k)) / static_cast<double>(c.rank_cost)},
          {"effective_parameters",
           {{"factors", {c.Unique(), Effective(c, k) / static_cast<double>(c.Unique())}},
            {"product", Effective(c, k)},
            {"measured", false}}},
          {"trained_shares", ToJson(TrainedShares(c, k))},
          {"compressions", ToJson(Compressions(c, k))}};
}

}  // namespace

std::string FormatCounts(const ModelShape& shape, const Counts& counts, const CountRequest& request) {
  std::string text = FormatModel(shape, counts) + FormatChoice(counts, request);
  for (size_t begin = 0; begin < request.ks.size(); begin += kColumnsAtOnce) {
    const size_t end = std::min(request.ks.size(), begin + kColumnsAtOnce);
    const std::vector<Index> ks(request.ks.begin() + static_cast<Index>(begin),
                                request.ks.begin() + static_cast<Index>(end));
    text += FormatScores(counts, ks) + FormatShares(counts, ks) + FormatCost(counts, ks) + FormatEffective(counts, ks);
  }
  if (request.ranks.empty()) return text;
  return text + "\nLoRA of a given rank, numbers that train\n" + FormatRanks(counts, request.ranks);
}

nlohmann::ordered_json CountsJson(const ModelShape& shape, const Counts& c, const CountRequest& request) {
  nlohmann::ordered_json json = {{"model", shape.name},
                                 {"family", shape.family},
                                 {"width", c.width},
                                 {"rows_policy", request.rows},
                                 {"layers", request.layers},
                                 {"unique_parameters", c.Unique()},
                                 {"state_dict_elements", c.StateDict()},
                                 {"block_numbers", c.block_numbers},
                                 {"vocabulary", c.vocabulary},
                                 {"positions", c.positions},
                                 {"vectors", c.vectors},
                                 {"tied_copies", c.tied_copies},
                                 {"masks", c.masks},
                                 {"matrices", c.matrices},
                                 {"rows", c.rows},
                                 {"unique_rows", c.unique_rows},
                                 {"decomposed", c.Decomposed()},
                                 {"full_sft", c.full},
                                 {"full_sft_moment_bytes", MomentBytes(c.full)},
                                 {"head", c.head}};
  json["k"] = nlohmann::ordered_json::array();
  json["lora"] = nlohmann::ordered_json::array();
  for (const Index k : request.ks) json["k"].push_back(ScoresJson(c, k));
  for (const Index rank : request.ranks) {
    json["lora"].push_back(
        {{"rank", rank}, {"blocks", c.Lora(rank)}, {"with_vocabulary", c.Lora(rank) + rank * c.vocabulary_rank_cost}});
  }
  return json;
}

}  // namespace ampgrad::train
