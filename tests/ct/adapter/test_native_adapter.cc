#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ct/adapter/convert.h"
#include "ct/adapter/native_adapter.h"
#include "tensor/io/safetensors_writer.h"
#include "tests/reference/numbers.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"
#include "tests/train/training.h"
#include "train/methods/method.h"

namespace ampgrad::ct {
namespace {

using train::MethodSettings;

constexpr Index kLength = 6;

std::vector<MethodSettings> AdapterMethods() {
  std::vector<MethodSettings> all;
  for (const char* method : {"lora", "lora-fa", "pissa", "dora", "core", "vera", "sparse", "norms"}) {
    all.push_back({.method = method, .chain = nn::Chain::kFactored, .rank = 2, .alpha = 3, .share = 0.05, .seed = 5});
  }
  for (const Start start : {Start::kExact, Start::kReconstructed}) {
    all.push_back({.method = "amplitude", .k = 3, .start = start, .chain = nn::Chain::kFactored});
    all.push_back(
        {.method = "amplitude", .k = 3, .start = start, .chain = nn::Chain::kFactored, .basis = BasisKind::kType});
  }
  all.push_back({.method = "amplitude", .scope = {.all_layers = false, .first = 1, .last = 1, .head = true}, .k = 3});
  all.push_back({.method = "full", .scope = {.targets = {"c_proj", "v_proj"}}});
  return all;
}

train::Batch SomeBatch(const models::LanguageModel& model) {
  return {kLength, RandomIds(2 * kLength, model.vocabulary(), 1), RandomIds(2 * kLength, model.vocabulary(), 2)};
}

// A model as files hold it: numbers that float32 holds exactly, frozen.
std::unique_ptr<models::LanguageModel> Base(models::LanguageModel& model) {
  RoundToFloat(model);
  auto base = model.Clone();
  for (nn::Matrix* matrix : base->Parts().matrices) {
    matrix->form = std::make_unique<nn::Frozen>(matrix->form->Merged(), matrix->layout);
  }
  return base;
}

// The base after two steps of the method.
std::unique_ptr<models::LanguageModel> Trained(models::LanguageModel& base, const MethodSettings& method) {
  auto model = base.Clone();
  train::Prepare(*model, method, train::MakeBases(*model, method, {}, {}));
  train::Trainer trainer(*model, train::OptionsOf(2, 1e-2));
  for (Index i = 0; i < 2; ++i) trainer.Step(SomeBatch(base));
  return model;
}

class NativeAdapterTest : public ::testing::Test {
 protected:
  std::filesystem::path path() const { return directory_.path(); }
  // Writes the adapter of a model that was trained by the method.
  std::unique_ptr<models::LanguageModel> Write(models::LanguageModel& base, const MethodSettings& method,
                                               const AdapterHeader& more = {}) {
    auto model = Trained(base, method);
    AdapterHeader header = more;
    header.method = method.method;
    header.base = "base";
    WriteNativeAdapter(path(), model->Parts(), BaseWeights(base.Parts()), header);
    return model;
  }
  // Writes the tensors again with other metadata.
  void ChangeMetadata(const std::function<void(nlohmann::json&)>& change) {
    const io::SafetensorsReader reader(path() / kAdapterFile);
    nlohmann::json json = nlohmann::json::parse(reader.header().metadata.at("ampgrad_adapter"));
    change(json);
    std::vector<io::NamedTensor> tensors;
    for (const io::TensorEntry& entry : reader.header().entries)
      tensors.push_back({entry.name, reader.ReadReal(entry.name)});
    io::WriteSafetensors(path() / kAdapterFile, tensors, {{"ampgrad_adapter", json.dump()}});
  }
  std::string File() const { return (path() / kAdapterFile).string(); }
  void ExpectRefused(models::LanguageModel& base, const std::string& message) {
    ExpectMessage<std::runtime_error>(
        [&] { NativeAdapter(path()).ApplyTo(base.Clone()->Parts(), nn::Chain::kFactored); }, message);
  }

 private:
  TempDir directory_;
};

TEST_F(NativeAdapterTest, GivesTheTrainedModelBackAndGoesOn) {
  for (const auto& family : BothFamilies(3, false)) {
    const auto base = Base(*family);
    const train::Batch batch = SomeBatch(*base);
    for (const MethodSettings& method : AdapterMethods()) {
      SCOPED_TRACE(base->Config().at("model_type").dump() + " " + method.Label() + " " + ToString(method.basis));
      const auto trained = Write(*base, method);
      const auto read = base->Clone();
      const NativeAdapter adapter(path());
      EXPECT_EQ(adapter.header().method, method.method);
      adapter.ApplyTo(read->Parts(), method.chain);
      // Files hold float32, to which the double build rounds.
      const bool exact = sizeof(Real) == 4;
      const Tensor expected = LogitsOf(*trained, batch.inputs, kLength), found = LogitsOf(*read, batch.inputs, kLength);
      EXPECT_TRUE(SameBits(found, expected) || !exact);
      for (Index i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5);
      // The same parameters train, and take the same steps.
      const auto theirs = models::TrainableParameters(*trained), ours = models::TrainableParameters(*read);
      ASSERT_EQ(ours.size(), theirs.size());
      for (size_t i = 0; i < ours.size(); ++i) EXPECT_EQ(ours[i]->name, theirs[i]->name);
      train::Trainer a(*trained, train::OptionsOf(2, 1e-2)), b(*read, train::OptionsOf(2, 1e-2));
      for (int step = 0; step < 2; ++step) {
        const double loss = a.Step(batch).loss;
        EXPECT_NEAR(b.Step(batch).loss, loss, exact ? 0 : 1e-5);
      }
    }
  }
}

TEST_F(NativeAdapterTest, AnotherBaseIsRefusedWithBothHashes) {
  const auto model = TinyGpt(3), other = TinyGpt(4);
  const auto base = Base(*model), another = Base(*other);
  Write(*base, {.method = "lora", .rank = 2});
  const NativeAdapter adapter(path());
  std::set<std::string> names;
  for (const nn::Matrix* matrix : train::MatricesInScope(*base, {})) names.insert(matrix->name);
  const std::string theirs = BaseWeights(another->Parts()).HashOf(names);
  EXPECT_NE(adapter.header().base_hash, theirs);
  ExpectRefused(*another, File() + ": expected a base whose weights have the hash " + adapter.header().base_hash +
                              ", as base had when the adapter was trained, found " + theirs);
}

// One number, one bit, a name or a type: each makes another base.
TEST_F(NativeAdapterTest, TheHashSeesEveryChange) {
  const auto model = TinyGpt(3);
  const std::set<std::string> one = {"h.0.attn.c_attn.weight"}, two = {"h.0.attn.c_attn.weight", "h.0.ln_1.weight"};
  const std::string before = BaseWeights(model->Parts()).HashOf(one);
  EXPECT_EQ(BaseWeights(model->Parts()).HashOf(one), before);
  EXPECT_NE(BaseWeights(model->Parts()).HashOf(two), before);
  EXPECT_NE(BaseWeights(model->Parts()).HashOf({"h.1.attn.c_attn.weight"}), before);
  Real& last = FindMatrix(*model, *one.begin())->form->Part("weight").value[16 * 48 - 1];
  last = std::nextafter(last, Real(1));
  EXPECT_NE(BaseWeights(model->Parts()).HashOf(one), before);
}

TEST_F(NativeAdapterTest, WritesWhatMatricesShareOnce) {
  const auto model = LittleLlama(3);
  const auto base = Base(*model);
  Write(*base, {.method = "amplitude", .k = 3});
  EXPECT_EQ(io::SafetensorsReader(path() / kAdapterFile).header().entries.size(), 14u + 2);
  Write(*base, {.method = "vera", .rank = 2});
  // b and d of each matrix; A for in = 16 and 24, B for out = 16, 8 and 24.
  EXPECT_EQ(io::SafetensorsReader(path() / kAdapterFile).header().entries.size(), 2 * 14u + 2 + 3);
}

TEST_F(NativeAdapterTest, LeavesTheBasisToAFile) {
  const auto model = TinyGpt(3);
  const auto base = Base(*model);
  const MethodSettings method{.method = "amplitude", .k = 3, .chain = nn::Chain::kFactored};
  const TempDir elsewhere;
  const std::filesystem::path file = elsewhere.path() / "basis.safetensors";
  const Basis basis = ComputeBasis(SelectRows(base->Parts().matrices, 16, RowsPolicy::kBlocks), 5);
  io::WriteSafetensors(file, {{"basis", basis.vectors}, {"mean", basis.mean}}, {});
  AdapterHeader header;
  header.basis_file = file.string();
  header.basis_hash = HashOf(ReadBasisFile(file));
  EXPECT_TRUE(std::isnan(VarianceCaptured(ReadBasisFile(file)))) << "its eigenvalues are in no file";
  const auto trained = Write(*base, method, header);
  EXPECT_EQ(io::SafetensorsReader(path() / kAdapterFile).header().entries.size(), 8u);
  const auto read = base->Clone();
  NativeAdapter(path()).ApplyTo(read->Parts(), method.chain);
  const train::Batch batch = SomeBatch(*base);
  const Tensor expected = LogitsOf(*trained, batch.inputs, kLength), found = LogitsOf(*read, batch.inputs, kLength);
  for (Index i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5);

  Tensor other = basis.vectors.Clone();
  other[0] += Real(0.5);
  io::WriteSafetensors(file, {{"basis", other}, {"mean", basis.mean}}, {});
  ExpectRefused(*base, File() + ": expected the basis in " + file.string() + " to have the hash " + header.basis_hash +
                           ", found " + HashOf(ReadBasisFile(file)));
  io::WriteSafetensors(file, {{"basis", other}}, {});
  ExpectRefused(*base, file.string() + ": expected the tensors basis and mean, found no mean");
}

// The vocabulary, whose rows are looked up, goes by the explicit chain; that of the blocks is the one asked for.
TEST_F(NativeAdapterTest, TheVocabularyDoesNotSetTheChainOfTheBlocks) {
  for (const auto& family : BothFamilies(3, false)) {
    const auto base = Base(*family);
    MethodSettings method{.method = "amplitude", .k = 3, .chain = nn::Chain::kFactored};
    method.rows = RowsPolicy::kAll;
    const auto trained = Write(*base, method);
    const auto read = base->Clone();
    NativeAdapter(path()).ApplyTo(read->Parts(), method.chain);
    const auto ops = [&](models::LanguageModel& model) {
      std::map<std::string, int> count;
      Tape tape;
      const Var logits = model.Logits(tape, SomeBatch(model).inputs, kLength);
      for (int node = 0; node < tape.size(); ++node) ++count[tape.op(node)];
      return count;
    };
    EXPECT_EQ(ops(*read), ops(*trained));
    EXPECT_GT(ops(*read).at("factored_linear"), 0);
    EXPECT_GT(ops(*read).at("reconstruct"), 0);
  }
}

TEST_F(NativeAdapterTest, RefusesWhatDoesNotFit) {
  const auto model = TinyGpt(3);
  const auto base = Base(*model);
  const std::string name = "h.0.attn.c_attn.weight";
  const auto refused = [&](const std::function<void(nlohmann::json&)>& change, const std::string& message) {
    Write(*base, {.method = "lora", .rank = 2});
    ChangeMetadata(change);
    ExpectRefused(*base, File() + ": " + message);
  };
  refused([&](auto& j) { j["version"] = 2; }, "expected version 1 of the adapter, found 2");
  refused([&](auto& j) { j["matrices"][name]["form"] = "rank"; }, name + ": expected a form that exists, found rank");
  refused([&](auto& j) { j["matrices"][name]["parts"].erase("A"); },
          name + ": expected the part A [0, 16], found none");
  refused([&](auto& j) { j["matrices"][name]["parts"]["A"] = "B." + name; },
          name + ": expected A of shape [48, 16], found [48, 2]");
  refused([&](auto& j) { j["matrices"][name]["numbers"].erase("scale"); },
          name + ": expected the number scale, found none");
  refused([&](auto& j) { j["matrices"][name]["parts"]["C"] = "A." + name; },
          name + ": expected no part beside those of the form low_rank, found C");
  refused([&](auto& j) { j["matrices"]["h.7"] = j["matrices"][name]; }, "expected a matrix of the base, found \"h.7\"");
  refused([&](auto& j) { j["vectors"] = {"h.7"}; }, "expected a vector of the base, found \"h.7\"");
}

TEST(LowRankAdapter, IsWhatTheFormsCompute) {
  for (const auto& family : BothFamilies(3, false)) {
    const auto base = Base(*family);
    const train::Batch batch = SomeBatch(*base);
    for (MethodSettings method : AdapterMethods()) {
      if (method.method == "sparse" || method.start == Start::kReconstructed) continue;
      SCOPED_TRACE(method.Label());
      const auto trained = Trained(*base, method), read = base->Clone();
      ApplyLowRank(ToLowRank(trained->Parts()), read->Parts(), nn::Chain::kFactored);
      const Tensor expected = LogitsOf(*trained, batch.inputs, kLength);
      const auto close = [&](models::LanguageModel& other) {
        const Tensor found = LogitsOf(other, batch.inputs, kLength);
        for (Index i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 200 * kEpsilon);
      };
      close(*read);
      FreezeForms(trained->Parts());
      close(*trained);
      EXPECT_TRUE(models::TrainableParameters(*trained).empty());
    }
  }
}

TEST(LowRankAdapter, RefusesAnUpdateOfFullRank) {
  const auto model = TinyGpt(3);
  const auto base = Base(*model);
  const auto lossy = Trained(*base, {.method = "amplitude", .k = 3, .start = Start::kReconstructed});
  ExpectMessage<FullRankError>([&] { ToLowRank(lossy->Parts()); },
                               "h.0.attn.c_attn.weight: expected a low-rank update of the base, found none: W = S·B + "
                               "μ, the start reconstructed, differs from it in every direction");
  const auto sparse = Trained(*base, {.method = "sparse", .share = 0.05});
  ExpectMessage<FullRankError>([&] { ToLowRank(sparse->Parts()); },
                               "h.0.attn.c_attn.weight: expected a low-rank update of the base, found none: the form "
                               "sparse changes it in no low-rank way");
}

}  // namespace
}  // namespace ampgrad::ct
