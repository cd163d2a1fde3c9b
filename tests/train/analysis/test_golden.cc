#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tensor/io/safetensors_reader.h"
#include "tensor/io/safetensors_writer.h"
#include "tensor/io/text_file.h"
#include "tensor/kernels/kernels.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"
#include "train/analysis/reference_check.h"

/// The whole chain on a GPT-2 and on two Llamas against numbers of an independent implementation in float64.
namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;

struct Reference {
  fs::path directory;
  Index tensors, decomposed, layers;
  Index ks;  // values of K in analysis.json
  bool forms;
};

class GoldenModel : public ::testing::TestWithParam<Reference> {};

TEST_P(GoldenModel, EveryNumberMatches) {
  const Comparison check = CheckReference(GetParam().directory);
  for (const GroupResult& group : check.groups) {
    EXPECT_LE(group.error, group.bound) << group.group << ", worst " << group.worst;
    EXPECT_LE(group.bound, group.group == "loss curves" ? 1e-4 : 1e-5) << group.group;
  }
  EXPECT_TRUE(check.Passed());
}

// A group that was not compared would pass unseen.
TEST_P(GoldenModel, NothingIsLeftOut) {
  std::map<std::string, Index> tensors;
  for (const GroupResult& group : CheckReference(GetParam().directory).groups) tensors[group.group] = group.tensors;
  const Index all = GetParam().tensors, decomposed = GetParam().decomposed;
  std::map<std::string, Index> expected = {{"logits", 1},
                                           {"loss", 1},
                                           {"gradients", all},
                                           {"mean row", 1},
                                           {"eigenvalues", 1},
                                           {"basis (subspace)", 1},
                                           {"scores", decomposed},
                                           {"spectrum", 5},
                                           {"score gradients, reconstructed, explicit", decomposed},
                                           {"score gradients, exact, explicit", decomposed},
                                           {"score gradients, reconstructed, factored", decomposed},
                                           {"score gradients, exact, factored", decomposed},
                                           {"loss curves", 5},
                                           {"figures of the model", 5 + 3 * GetParam().layers + 7 * GetParam().ks},
                                           {"figures of matrices", 9 * decomposed * GetParam().ks},
                                           {"figures of alignment", (2 + decomposed) * GetParam().ks}};
  if (GetParam().forms) {
    // Each trained factor of each matrix by both chains; sparse has one. Curves and merged matrices likewise.
    const std::map<std::string, Index> factors = {{"lora", 2}, {"lora_fa", 1}, {"core", 1}, {"vera", 2}, {"dora", 3}};
    for (const auto& [form, count] : factors) expected["gradients of " + form] = 2 * count * decomposed;
    expected["gradients of sparse"] = decomposed;
    expected["merged matrices"] = 2 * 5 + 1;
    expected["loss curves"] += 2 * 5 + 1;
  }
  EXPECT_EQ(tensors, expected);
}

// GPT-2 has two blocks of 12 tensors, 4 of them decomposed, and 4 more tensors. Llama has blocks of 9, 7 of them
// decomposed, and 3 more tensors or, with a tied vocabulary, 2.
std::vector<Reference> References() {
  std::vector<Reference> references = {{Golden("gpt2-tiny"), 28, 8, 2, 4, true},
                                       {Golden("llama-tiny"), 21, 14, 2, 4, true}};
#ifdef AMPGRAD_SHARED_DIR
  references.push_back({kStories, 47, 35, 5, 5, false});
#endif
  return references;
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenModel, ::testing::ValuesIn(References()), [](const auto& info) {
  std::string name = info.param.directory.filename().string();
  name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
  return name;
});

#ifdef AMPGRAD_SHARED_DIR
class GoldenGguf : public ::testing::TestWithParam<std::pair<const char*, Index>> {};

TEST_P(GoldenGguf, EveryNumberMatches) {
  const auto [name, decomposed] = GetParam();
  const Comparison check = CheckReference(Shared(std::string("golden/") + name));
  std::map<std::string, Index> tensors;
  for (const GroupResult& group : check.groups) {
    EXPECT_LE(group.error, sizeof(Real) == sizeof(float) ? 1e-5 : 1e-9) << group.group << ", worst " << group.worst;
    tensors[group.group] = group.tensors;
  }
  const std::map<std::string, Index> expected = {{"logits", 1},
                                                 {"loss", 1},
                                                 {"first rows", tensors["first rows"]},
                                                 {"mean row", 1},
                                                 {"eigenvalues", 1},
                                                 {"basis (subspace)", 1},
                                                 {"spectrum", 3},
                                                 {"score gradients, exact, explicit", decomposed},
                                                 {"score gradients, exact, factored", decomposed}};
  EXPECT_EQ(tensors, expected);
  EXPECT_GE(tensors["first rows"], decomposed + 1);
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenGguf,
                         ::testing::Values(std::pair("gguf-mixed", 14), std::pair("gguf-stories", 35),
                                           std::pair("gguf-stories-q8", 35)),
                         [](const auto& info) {
                           std::string name = info.param.first;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });
#endif

// What no check of shapes sees: a square projection transposed, the queries' or keys' rows in the order of neighbouring
// pairs instead of halves, two matrices of one shape exchanged. Returns the error of each group.
std::map<std::string, double> ErrorsWith(const fs::path& reference,
                                         const std::function<void(std::map<std::string, Tensor>&)>& damage) {
  const TempDir directory;
  for (const char* name : {"config.json", "golden.json", "golden.safetensors"}) {
    fs::copy_file(reference / name, directory.path() / name);
  }
  const io::SafetensorsReader reader(reference / "model.safetensors");
  std::map<std::string, Tensor> values;
  for (const io::TensorEntry& entry : reader.header().entries) values[entry.name] = reader.ReadReal(entry.name);
  damage(values);
  std::vector<io::NamedTensor> tensors;
  for (const auto& [name, value] : values) tensors.push_back({name, value});
  io::WriteSafetensors(directory.path() / "model.safetensors", tensors, {{"format", "pt"}});
  std::map<std::string, double> errors;
  const Comparison check = CheckReference(directory.path());
  EXPECT_FALSE(check.Passed());
  for (const GroupResult& group : check.groups) errors[group.group] = group.error;
  return errors;
}

// A figure of analysis.json that is off by a thousandth.
TEST(GoldenModelFault, AFalseSpectralFigureIsSeen) {
  const fs::path reference = Golden("gpt2-tiny");
  for (const char* key : {"\"weight_pr\": ", "\"pr_stacked\": ", "\"max_corr\": ", "\"kurtosis\": ",
                          "\"mean_max_cosine\": ", "\"n95\": "}) {
    const TempDir directory;
    for (const auto& entry : fs::directory_iterator(reference)) {
      if (entry.is_regular_file()) fs::copy_file(entry.path(), directory.path() / entry.path().filename());
    }
    std::string json = io::ReadTextFile(reference / "analysis.json");
    const size_t begin = json.rfind(key) + std::string(key).size();
    const size_t length = json.find_first_of(",}\n", begin) - begin;
    json.replace(begin, length, std::to_string(std::stod(json.substr(begin, length)) * 1.001 + 1e-3));
    fs::permissions(directory.path() / "analysis.json", fs::perms::owner_write, fs::perm_options::add);
    std::ofstream(directory.path() / "analysis.json") << json;
    const Comparison check = CheckReference(directory.path());
    EXPECT_FALSE(check.Passed()) << key;
    for (const GroupResult& group : check.groups) {
      EXPECT_EQ(group.Passed(), !group.group.starts_with("figures") || group.error < 1e-6) << key << group.group;
    }
  }
}

void ExpectSeen(const std::map<std::string, double>& errors) {
  EXPECT_GT(errors.at("logits"), 1e-3);
  EXPECT_GT(errors.at("gradients"), 1e-3);
}

// Rows 2j, 2j+1 of each head where the rows j, j + half are expected.
Tensor InNeighbouringPairs(const Tensor& w, Index heads) {
  Tensor out = w.Clone();
  const Index dim = w.rows() / heads, half = dim / 2;
  for (Index row = 0; row < w.rows(); ++row) {
    const Index head = row / dim, j = row % dim;
    const Index from = head * dim + (j % 2 == 0 ? j / 2 : half + j / 2);
    std::copy_n(w.row(from), w.cols(), out.row(row));
  }
  return out;
}

TEST(GoldenDamage, ATransposedProjectionFails) {
  ExpectSeen(ErrorsWith(Golden("gpt2-tiny"), [](std::map<std::string, Tensor>& w) {
    Tensor& c_proj = w.at("h.0.attn.c_proj.weight");
    c_proj = kernels::Transposed(c_proj);
  }));
  ExpectSeen(ErrorsWith(Golden("llama-tiny"), [](std::map<std::string, Tensor>& w) {
    Tensor& o_proj = w.at("model.layers.0.self_attn.o_proj.weight");
    o_proj = kernels::Transposed(o_proj);
  }));
}

TEST(GoldenDamage, QueriesAndKeysInNeighbouringPairsFail) {
  ExpectSeen(ErrorsWith(Golden("llama-tiny"), [](std::map<std::string, Tensor>& w) {
    for (const std::string layer : {"model.layers.0.self_attn.", "model.layers.1.self_attn."}) {
      w.at(layer + "q_proj.weight") = InNeighbouringPairs(w.at(layer + "q_proj.weight"), 4);
      w.at(layer + "k_proj.weight") = InNeighbouringPairs(w.at(layer + "k_proj.weight"), 2);
    }
  }));
}

TEST(GoldenDamage, ExchangedKeysAndValuesFail) {
  ExpectSeen(ErrorsWith(Golden("llama-tiny"), [](std::map<std::string, Tensor>& w) {
    std::swap(w.at("model.layers.1.self_attn.k_proj.weight"), w.at("model.layers.1.self_attn.v_proj.weight"));
  }));
}

}  // namespace
}  // namespace ampgrad::train
