#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "ct/amplitude.h"
#include "ct/basis.h"
#include "ct/rows.h"
#include "models/gpt.h"
#include "nn/forms/frozen.h"
#include "tensor/kernels/kernels.h"
#include "tensor/thread_pool.h"
#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"

/// Which rows a model has. The counts are those of the papers' small model (GPT-2 shape, 8 layers of width 256, a
/// vocabulary of 15,007), each written out as a sum over its matrices.
namespace ampgrad::ct {
namespace {

using ops::Layout;

constexpr Index kGptLayers = 8, kGptWidth = 256, kGptInner = 1024, kGptVocabulary = 15007, kGptContext = 512;

std::unique_ptr<models::Gpt> PapersModel(bool tied) {
  models::GptConfig config = models::PresetConfig("photonic");
  config.vocab_size = kGptVocabulary;
  config.tie_word_embeddings = tied;
  auto model = std::make_unique<models::Gpt>(config);
  SetZero(*model);
  return model;
}

std::vector<RowSource> Select(models::LanguageModel& model, RowsPolicy policy) {
  return SelectRows(model.Parts().matrices, model.width(), policy);
}

// A basis of the right shape. Its values do not matter to a count.
std::shared_ptr<const Basis> AnyBasis(Index k, Index d) {
  return std::make_shared<const Basis>(Basis{Tensor({k, d}), Tensor({d}), std::vector<double>(d, 1.0), 0});
}

// How many elements the forms of `sources` train; shared ones count once.
Index CountScores(const std::vector<RowSource>& sources) {
  std::vector<Param*> scores;
  for (const RowSource& source : sources) scores.push_back(&source.matrix->form->Part("scores"));
  return models::CountParameters(scores);
}

std::vector<std::string> Names(const std::vector<RowSource>& sources) {
  std::vector<std::string> names;
  for (const RowSource& source : sources) names.push_back(source.matrix->name);
  return names;
}

TEST(Rows, PapersModelHasAsManyParameters) {
  const auto model = PapersModel(true);
  const Index vocabulary = kGptVocabulary * kGptWidth, positions = kGptContext * kGptWidth;
  const Index weights = kGptLayers * (3 * kGptWidth + kGptWidth + 2 * kGptInner) * kGptWidth;
  const Index biases = kGptLayers * (3 * kGptWidth + kGptWidth + kGptInner + kGptWidth),
              norms = (kGptLayers * 2 + 1) * 2 * kGptWidth;
  EXPECT_EQ(vocabulary + positions + weights + biases + norms, 10'291'456);
  EXPECT_EQ(models::CountParameters(*model), 10'291'456);
}

TEST(Rows, BlocksOfThePapersModel) {
  const auto model = PapersModel(true);
  const std::vector<RowSource> sources = Select(*model, RowsPolicy::kBlocks);
  EXPECT_EQ(sources.size(), 4u * kGptLayers);
  // c_attn, attn.c_proj, c_fc as nn.Linear stores them, mlp.c_proj transposed
  EXPECT_EQ(CountRows(sources), kGptLayers * (768 + 256 + 1024 + 1024));
  EXPECT_EQ(CountRows(sources), 24'576);
}

TEST(Rows, WidthOfThePapersModelCountsTheTiedVocabularyTwice) {
  const auto model = PapersModel(true);
  const std::vector<RowSource> sources = Select(*model, RowsPolicy::kWidth);
  EXPECT_EQ(sources.size(), 1u + 3 * kGptLayers);
  EXPECT_EQ(CountRows(sources), 2 * kGptVocabulary + kGptLayers * (768 + 256 + 1024));
  EXPECT_EQ(CountRows(sources), 46'398);
}

TEST(Rows, ScoresOfThePapersModel) {
  const auto model = PapersModel(true);
  const std::vector<RowSource> sources = Select(*model, RowsPolicy::kWidth);
  const auto basis = AnyBasis(8, kGptWidth);
  EXPECT_EQ(basis->vectors.size(), 2'048);
  EXPECT_EQ(CountRows(sources) * basis->k(), 371'184);
  models::SetTrainable(*model, false);
  UseAmplitude(sources, basis, Start::kExact);
  EXPECT_EQ(CountScores(sources), 251'128);  // the tied vocabulary is one matrix and has one set of scores
  EXPECT_EQ(CountScores(sources), 371'184 - 8 * kGptVocabulary);
  EXPECT_EQ(models::CountParameters(models::TrainableParameters(*model)), 251'128);
}

TEST(Rows, ScoresOfAnUntiedModelAreTheFullCount) {
  const auto model = PapersModel(false);
  const std::vector<RowSource> sources = Select(*model, RowsPolicy::kWidth);
  EXPECT_EQ(CountRows(sources), 46'398);  // two vocabulary matrices, each once
  UseAmplitude(sources, AnyBasis(8, kGptWidth), Start::kExact);
  EXPECT_EQ(CountScores(sources), 371'184);
}

// Square matrices tell nothing by their shape: query and output projection of a Llama differ in what they write to.
TEST(Rows, ResidualTransposesWhatWritesToTheResidualStream) {
  const auto gpt = TinyGpt(1);
  for (const RowSource& source : Select(*gpt, RowsPolicy::kResidual)) {
    const bool writes = source.matrix->name.ends_with("c_proj.weight");
    EXPECT_EQ(source.layout, writes ? Layout::kInOut : Layout::kOutIn) << source.matrix->name;
    EXPECT_EQ(source.rows, writes ? source.matrix->in : source.matrix->out) << source.matrix->name;
  }
  EXPECT_EQ(Names(Select(*gpt, RowsPolicy::kResidual)), Names(Select(*gpt, RowsPolicy::kBlocks)));

  const auto llama = LittleLlama(1);
  std::vector<std::string> transposed;
  for (const RowSource& source : Select(*llama, RowsPolicy::kResidual)) {
    if (source.layout == Layout::kInOut) transposed.push_back(source.matrix->name);
  }
  EXPECT_EQ(transposed,
            (std::vector<std::string>{"layers.0.self_attn.o_proj.weight", "layers.0.mlp.down_proj.weight",
                                      "layers.1.self_attn.o_proj.weight", "layers.1.mlp.down_proj.weight"}));
}

TEST(Rows, BlocksInTheOrderOfTheModel) {
  const auto model = TinyGpt(1);
  EXPECT_EQ(Names(Select(*model, RowsPolicy::kBlocks)),
            (std::vector<std::string>{"h.0.attn.c_attn.weight", "h.0.attn.c_proj.weight", "h.0.mlp.c_fc.weight",
                                      "h.0.mlp.c_proj.weight", "h.1.attn.c_attn.weight", "h.1.attn.c_proj.weight",
                                      "h.1.mlp.c_fc.weight", "h.1.mlp.c_proj.weight"}));
}

TEST(Rows, WidthTakesTheVocabularyAndLeavesOutPositionsAndDownProjections) {
  const auto tied = TinyGpt(1, true), untied = TinyGpt(1, false);
  const std::vector<RowSource> sources = Select(*tied, RowsPolicy::kWidth);
  const std::vector<std::string> blocks = {"h.0.attn.c_attn.weight", "h.0.attn.c_proj.weight", "h.0.mlp.c_fc.weight",
                                           "h.1.attn.c_attn.weight", "h.1.attn.c_proj.weight", "h.1.mlp.c_fc.weight"};
  std::vector<std::string> expected = {"wte.weight"};
  expected.insert(expected.end(), blocks.begin(), blocks.end());
  EXPECT_EQ(Names(sources), expected);
  EXPECT_EQ(sources[0].repeats, 2);
  for (size_t i = 1; i < sources.size(); ++i) EXPECT_EQ(sources[i].repeats, 1) << sources[i].matrix->name;

  const std::vector<RowSource> untied_sources = Select(*untied, RowsPolicy::kWidth);
  expected.push_back("lm_head.weight");
  EXPECT_EQ(Names(untied_sources), expected);
  for (const RowSource& source : untied_sources) EXPECT_EQ(source.repeats, 1) << source.matrix->name;
}

TEST(Rows, LeavesOutMatricesOfAnotherWidth) {
  const auto neither = MakeMatrix("neither", Layout::kOutIn, Tensor({5, 6}));
  const auto down = MakeMatrix("down", Layout::kOutIn, Tensor({4, 6}));
  const auto up = MakeMatrix("up", Layout::kOutIn, Tensor({6, 4}));
  const std::vector<nn::Matrix*> matrices = {neither.get(), down.get(), up.get()};
  const std::vector<RowSource> blocks = SelectRows(matrices, 4, RowsPolicy::kBlocks);
  EXPECT_EQ(Names(blocks), (std::vector<std::string>{"down", "up"}));
  EXPECT_EQ(CountRows(blocks), 6 + 6);
  EXPECT_EQ(Names(SelectRows(matrices, 4, RowsPolicy::kWidth)), std::vector<std::string>{"up"});
  EXPECT_TRUE(SelectRows(matrices, 7, RowsPolicy::kBlocks).empty());
  EXPECT_EQ(CountRows({}), 0);
}

// W [out, in] with W_oi = 100·o + i, in either layout.
Tensor Numbered(Index out, Index in, Layout layout) {
  Tensor stored(layout == Layout::kOutIn ? Shape{out, in} : Shape{in, out});
  for (Index o = 0; o < out; ++o) {
    for (Index i = 0; i < in; ++i) {
      (layout == Layout::kOutIn ? stored.row(o)[i] : stored.row(i)[o]) = static_cast<Real>(100 * o + i);
    }
  }
  return stored;
}

TEST(Rows, ReadsBothLayoutsAlike) {
  constexpr Index kD = 4, kOther = 6;
  for (const Layout layout : {Layout::kOutIn, Layout::kInOut}) {
    // In a matrix that reads width d, row r belongs to output r; in a matrix that writes width d, to input r.
    const auto reads = MakeMatrix("reads", layout, Numbered(kOther, kD, layout));
    const auto writes = MakeMatrix("writes", layout, Numbered(kD, kOther, layout));
    const auto square = MakeMatrix("square", layout, Numbered(kD, kD, layout));
    const std::vector<RowSource> sources =
        SelectRows({reads.get(), writes.get(), square.get()}, kD, RowsPolicy::kBlocks);
    ASSERT_EQ(sources.size(), 3u);
    const std::vector<Tensor> rows = {ReadRows(sources[0]), ReadRows(sources[1]), ReadRows(sources[2])};
    ASSERT_EQ(rows[0].shape(), Shape({kOther, kD}));
    ASSERT_EQ(rows[1].shape(), Shape({kOther, kD}));
    ASSERT_EQ(rows[2].shape(), Shape({kD, kD}));
    EXPECT_EQ(sources[0].rows, kOther);
    EXPECT_EQ(sources[1].rows, kOther);
    EXPECT_EQ(sources[2].rows, kD);
    for (Index r = 0; r < kOther; ++r) {
      for (Index j = 0; j < kD; ++j) {
        EXPECT_EQ(rows[0].row(r)[j], static_cast<Real>(100 * r + j));
        EXPECT_EQ(rows[1].row(r)[j], static_cast<Real>(100 * j + r));
        if (r < kD) {
          EXPECT_EQ(rows[2].row(r)[j], static_cast<Real>(100 * r + j));  // as nn.Linear stores it
        }
      }
    }
  }
}

// GPT-2 stores [in, out]: the rows of the down projection are the stored rows; those of the others are the columns.
TEST(Rows, OrientationOfGpt2) {
  const auto model = TinyGpt(3);
  for (const RowSource& source : Select(*model, RowsPolicy::kBlocks)) {
    const Tensor stored = source.matrix->form->Merged().Widened(), rows = ReadRows(source);
    const bool down = source.matrix->name.ends_with("mlp.c_proj.weight");
    ASSERT_EQ(rows.shape(), Shape({source.rows, model->width()})) << source.matrix->name;
    for (Index r = 0; r < rows.rows(); ++r) {
      for (Index j = 0; j < rows.cols(); ++j) {
        ASSERT_EQ(rows.row(r)[j], down ? stored.row(r)[j] : stored.row(j)[r]) << source.matrix->name;
      }
    }
  }
}

// The rows of the blocks and of the vocabulary; a tied vocabulary counts once.
TEST(Rows, AllAreBlocksAndVocabulary) {
  for (const bool tied : {true, false}) {
    const auto model = TinyGpt(3, tied);
    std::vector<std::string> expected = Names(Select(*model, RowsPolicy::kBlocks));
    expected.insert(expected.begin(), "wte.weight");
    if (!tied) expected.push_back("lm_head.weight");
    const std::vector<RowSource> all = Select(*model, RowsPolicy::kAll);
    EXPECT_EQ(Names(all), expected);
    EXPECT_EQ(CountRows(all), CountRows(Select(*model, RowsPolicy::kBlocks)) + (tied ? 1 : 2) * 23);
  }
}

TEST(Rows, PolicyWords) {
  EXPECT_EQ(ParseRowsPolicy("blocks"), RowsPolicy::kBlocks);
  EXPECT_EQ(ParseRowsPolicy("width"), RowsPolicy::kWidth);
  EXPECT_EQ(ParseRowsPolicy("all"), RowsPolicy::kAll);
  EXPECT_EQ(ParseRowsPolicy("residual"), RowsPolicy::kResidual);
  for (const std::string& word : RowsPolicyNames()) EXPECT_EQ(ToString(ParseRowsPolicy(word)), word);
  for (const std::string word : {"", "Blocks", "width ", "every"}) {
    ExpectMessage<std::invalid_argument>(
        [&] { ParseRowsPolicy(word); },
        "[rows] expected the policy blocks, width, all or residual, found '" + word + "'");
  }
}

// Of a matrix as it lies in a file a sample reads its own rows and no others, in either layout. Bytes are counted with
// one thread: when a second one first makes its work space is a matter of chance.
TEST(Rows, OfASampleAreTheOnlyOnesWidened) {
  SetNumThreads(1);
  const Tensor values = Random(9, 0).NormalTensor({4000, 40}, 1);
  for (const ops::Layout layout : {ops::Layout::kOutIn, ops::Layout::kInOut}) {
    const Tensor stored = layout == ops::Layout::kOutIn ? values : kernels::Transposed(values);
    const auto dense = MakeMatrix("a", layout, stored), frozen = MakeMatrix("a", layout, stored);
    frozen->form = std::make_unique<nn::Frozen>(Rounded(stored, StoredType::kF32), layout);
    dense->form = std::make_unique<nn::Dense>("a", frozen->form->Merged().Widened(), layout);
    const RowSample sample{52, 3};
    const Basis expected = ComputeBasis({SourceOf(*dense)}, 3, sample);
    Tensor::ResetPeakBytes();
    const Index before = Tensor::LiveBytes();
    const Basis basis = ComputeBasis({SourceOf(*frozen)}, 3, sample);
    EXPECT_LT(Tensor::PeakBytes() - before, values.size() * static_cast<Index>(sizeof(Real)) / 4);
    EXPECT_TRUE(SameBits(basis.vectors, expected.vectors));
    EXPECT_TRUE(SameBits(basis.mean, expected.mean));
  }
  SetNumThreads(0);
}

}  // namespace
}  // namespace ampgrad::ct
