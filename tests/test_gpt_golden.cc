#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "models/safetensors.h"
#include "tests/temp_dir.h"
#include "train/reference_check.h"

/// The whole chain on a GPT-2 against numbers of an independent implementation in float64.
namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;

const fs::path kReference = fs::path(AMPGRAD_SOURCE_DIR) / "../shared/golden/gpt2-tiny";

class GptGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kReference / "golden.safetensors")) GTEST_SKIP() << "no reference results in " << kReference;
  }
};

TEST_F(GptGolden, EveryNumberMatches) {
  const ReferenceCheck check = CheckReference(kReference);
  for (const GroupResult& group : check.groups) {
    EXPECT_LE(group.error, group.bound) << group.group << ", worst " << group.worst;
    EXPECT_LE(group.bound, group.group == "loss curves" ? 1e-4 : 1e-5) << group.group;
  }
  EXPECT_TRUE(check.Passed());
}

// A group that was not compared would pass unseen. Two blocks: 28 tensors, 8 of them decomposed.
TEST_F(GptGolden, NothingIsLeftOut) {
  std::map<std::string, Index> tensors;
  for (const GroupResult& group : CheckReference(kReference).groups) tensors[group.group] = group.tensors;
  EXPECT_EQ(tensors, (std::map<std::string, Index>{{"logits", 1},
                                                   {"loss", 1},
                                                   {"gradients", 28},
                                                   {"mean row", 1},
                                                   {"eigenvalues", 1},
                                                   {"basis (subspace)", 1},
                                                   {"scores", 8},
                                                   {"spectrum", 5},
                                                   {"score gradients, reconstructed, explicit", 8},
                                                   {"score gradients, exact, explicit", 8},
                                                   {"score gradients, reconstructed, factored", 8},
                                                   {"score gradients, exact, factored", 8},
                                                   {"loss curves", 5}}));
}

// attn.c_proj is square, so that no check of shapes sees it transposed.
TEST_F(GptGolden, ATransposedProjectionFails) {
  const TempDir directory;
  for (const char* name : {"config.json", "golden.json", "golden.safetensors"}) {
    fs::copy_file(kReference / name, directory.path() / name);
  }
  const models::SafetensorsReader reader(kReference / "model.safetensors");
  std::vector<models::NamedTensor> tensors;
  for (const models::TensorEntry& entry : reader.header().entries) {
    const Tensor value = reader.ReadReal(entry.name);
    tensors.push_back({entry.name, entry.name == "h.0.attn.c_proj.weight" ? value.Transposed() : value});
  }
  models::WriteSafetensors(directory.path() / "model.safetensors", tensors, reader.header().metadata);

  const ReferenceCheck check = CheckReference(directory.path());
  EXPECT_FALSE(check.Passed());
  std::map<std::string, double> errors;
  for (const GroupResult& group : check.groups) errors[group.group] = group.error;
  EXPECT_GT(errors["logits"], 1e-3);
  EXPECT_GT(errors["gradients"], 1e-3);
}

}  // namespace
}  // namespace ampgrad::train
