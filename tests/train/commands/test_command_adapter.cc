#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "models/model_directory.h"
#include "tensor/io/safetensors_reader.h"
#include "tests/support/command_line.h"
#include "tests/support/files.h"

/// Adapters on the command line: sft --save, --adapter, merge and export.
namespace ampgrad::train {
namespace {

class CommandAdapter : public CommandLine {
 protected:
  // An adapter that the method trains.
  void Train(const std::string& out, const Words& method) {
    ExpectRuns(Sft(out, 3, Join({"--save", "adapter", "--lr", "1e-2", "--rank", "2", "--k", "3"}, method)));
  }
  std::string Generated(const Words& model) {
    return ExpectRuns(Join(Join({"generate"}, model), {"--prompt", "Once", "--tokens", "12"})).out;
  }
  std::map<std::string, Tensor> Tensors(const std::string& directory) {
    const io::SafetensorsReader reader(Path(directory) + "/model.safetensors");
    std::map<std::string, Tensor> tensors;
    for (const io::TensorEntry& entry : reader.header().entries) tensors[entry.name] = reader.ReadReal(entry.name);
    return tensors;
  }
  // The largest difference of two models' weights.
  double Apart(const std::string& a, const std::string& b) {
    const std::map<std::string, Tensor> x = Tensors(a), y = Tensors(b);
    EXPECT_EQ(x.size(), y.size());
    double worst = 0;
    for (const auto& [name, value] : x) {
      for (Index i = 0; i < value.size(); ++i) worst = std::max(worst, std::abs(0.0 + value[i] - y.at(name)[i]));
    }
    return worst;
  }
};

TEST_F(CommandAdapter, IsTheModelThatWasTrained) {
  for (const char* method : {"amplitude", "lora", "dora", "sparse", "norms"}) {
    SCOPED_TRACE(method);
    const std::string name = method;
    const Words options = {"--method", method, "--rank", "2", "--k", "3", "--lr", "1e-2", "--save", "both"};
    ExpectRuns(Sft(name, 3, options));
    ExpectRuns({"merge", "--model", Path("base"), "--adapter", Path(name), "--out", Path(name + "-merged")});
    EXPECT_LE(Apart(name, name + "-merged"), 1e-6);
    EXPECT_GT(Apart(name, "base"), 1e-4);
    EXPECT_EQ(Generated({"--model", Path("base"), "--adapter", Path(name)}),
              Generated({"--model", Path(name + "-merged")}));
  }
}

TEST_F(CommandAdapter, BringsItsBase) {
  Train("lora", {"--method", "lora"});
  EXPECT_EQ(FilesBelow(Path("lora")), (std::set<std::string>{"adapter.safetensors", "ampgrad.json"}));
  EXPECT_EQ(Generated({"--model", Path("lora")}), Generated({"--model", Path("base"), "--adapter", Path("lora")}));
  ExpectFails(2, {"generate", "--model", Path("lora"), "--adapter", Path("lora"), "--prompt", "a"},
              "ampgrad generate: --model " + Path("lora") + " is an adapter, too; expected its base");
  ExpectFails(1, {"generate", "--model", Path("base"), "--adapter", Path("base"), "--prompt", "a"},
              Path("base") + ": expected a directory with adapter.safetensors or adapter_config.json, found neither");
  ExpectFails(2, {"merge", "--model", Path("base"), "--out", Path("new")},
              "ampgrad merge: expected an adapter: --adapter DIR, or as --model");
  std::filesystem::rename(Path("base"), Path("moved"));
  ExpectFails(1, {"generate", "--model", Path("lora"), "--prompt", "a"},
              Path("lora") + ": an adapter over " + Path("base") + ", which is not here; expected --model BASE " +
                  "--adapter " + Path("lora"));
}

// Two runs of three steps: the second begins where the first ended, with fresh moments.
TEST_F(CommandAdapter, TrainsOn) {
  Train("first", {"--method", "lora"});
  const Words on = {"--adapter", Path("first"), "--save", "adapter", "--lr", "1e-2"};
  const Result result = ExpectRuns(Sft("second", 3, on));
  EXPECT_NE(result.out.find("the adapter: "), std::string::npos) << result.out;
  ExpectRuns({"merge", "--model", Path("first"), "--out", Path("one")});
  ExpectRuns({"merge", "--model", Path("second"), "--out", Path("two")});
  EXPECT_GT(Apart("one", "two"), 1e-5);
  EXPECT_GT(Apart("two", "base"), Apart("one", "base"));
}

// What made the adapter is what goes on; dropout is a setting of the run.
TEST_F(CommandAdapter, GoesOnByItsOwnMethodAlone) {
  Train("first", {"--method", "lora"});
  const Words on = {"--adapter", Path("first"), "--save", "merged"};
  const auto refused = [&](const char* option, const char* value) {
    ExpectFails(2, Sft("second", 2, Join(on, {option, value})),
                std::string("ampgrad sft: the adapter goes on as it was trained, by lora: expected no ") + option +
                    " beside it, found " + value);
  };
  refused("--method", "dora");
  refused("--rank", "4");
  refused("--layers", "1");
  refused("--targets", "c_fc");
  ExpectRuns(Sft("plain", 2, on));
  ExpectRuns(Sft("same", 2, Join(on, {"--method", "lora"})));
  ExpectRuns(Sft("dropped", 2, Join(on, {"--dropout", "0.5"})));
  ExpectRuns(Sft("explicit", 2, Join(on, {"--chain", "explicit"})));
  EXPECT_EQ(Apart("plain", "same"), 0);
  EXPECT_GT(Apart("plain", "dropped"), 1e-5);
  EXPECT_LT(Apart("plain", "explicit"), 1e-4);
}

TEST_F(CommandAdapter, MergesInHalfWidthAndSaysTheError) {
  Train("lora", {"--method", "lora"});
  const Result result = ExpectRuns({"merge", "--model", Path("lora"), "--type", "bf16", "--out", Path("half")});
  // A number is rounded by at most 1/256 of it, and by a third of that on average.
  const double error = std::atof(result.out.c_str() + std::string("rounding to BF16 changes the matrices by ").size());
  EXPECT_GT(error, 1e-3) << result.out;
  EXPECT_LT(error, 1.0 / 256) << result.out;
  ExpectRuns({"merge", "--model", Path("lora"), "--out", Path("whole")});
  EXPECT_LT(std::filesystem::file_size(Path("half/model.safetensors")),
            0.6 * static_cast<double>(std::filesystem::file_size(Path("whole/model.safetensors"))));
}

TEST_F(CommandAdapter, ExportsForPeftAndReadsItBack) {
  for (const char* method : {"amplitude", "lora", "lora-fa", "pissa", "dora", "core", "vera"}) {
    SCOPED_TRACE(method);
    const std::string name = method;
    Train(name, {"--method", method});
    ExpectRuns({"export", "--model", Path(name), "--format", "peft", "--out", Path(name + "-peft")});
    EXPECT_EQ(FilesBelow(Path(name + "-peft")),
              (std::set<std::string>{"README.md", "adapter_config.json", "adapter_model.safetensors"}));
    ExpectRuns({"merge", "--model", Path(name), "--out", Path(name + "-ours")});
    ExpectRuns({"merge", "--model", Path(name + "-peft"), "--out", Path(name + "-back")});
    EXPECT_LE(Apart(name + "-ours", name + "-back"), 1e-6);
  }
}

TEST_F(CommandAdapter, WhatNoAdapterHoldsIsWrittenMerged) {
  Train("lossy", {"--start", "reconstructed"});
  const Result result = ExpectRuns({"export", "--model", Path("lossy"), "--format", "peft", "--out", Path("lossy-hf")});
  EXPECT_NE(result.out.find("the start reconstructed, differs from it in every direction: written merged"),
            std::string::npos)
      << result.out;
  EXPECT_TRUE(FilesBelow(Path("lossy-hf")).contains("model.safetensors"));
  ExpectRuns({"export", "--model", Path("lossy"), "--format", "gguf", "--out", Path("lossy.gguf")});
  const auto merged = models::LoadModel(Path("lossy-hf")), written = models::LoadModel(Path("lossy.gguf"));
  const nn::Parts expected = merged->Parts(), found = written->Parts();
  for (size_t i = 0; i < expected.matrices.size(); ++i) {
    const Tensor a = expected.matrices[i]->form->Merged().Widened(), b = found.matrices[i]->form->Merged().Widened();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin())) << expected.matrices[i]->name;
  }
}

TEST_F(CommandAdapter, VariantsShareABasis) {
  Train("first", {});
  const std::string basis = Path("first/adapter.safetensors");
  Train("second", {"--basis-file", basis, "--seed", "2"});
  Train("whole", {"--seed", "2"});
  ExpectRuns({"merge", "--model", Path("second"), "--out", Path("second-merged")});
  ExpectRuns({"merge", "--model", Path("whole"), "--out", Path("whole-merged")});
  EXPECT_EQ(Apart("second-merged", "whole-merged"), 0);
  const io::SafetensorsReader reader(Path("second/adapter.safetensors"));
  EXPECT_FALSE(reader.Has("basis") || reader.Has("mean"));
  ExpectFails(1, Sft("new", 3, {"--basis-file", basis, "--k", "4"}), basis + ": expected at least 4 vectors, found 3");
}

// A basis that was read has no eigenvalues, of which a share could be captured.
TEST_F(CommandAdapter, DescribesABasisThatIsReadByWhatIsKnown) {
  Train("first", {});
  const std::string basis = Path("first/adapter.safetensors");
  const Result result = ExpectRuns(Sft("second", 3, {"--basis-file", basis, "--k", "3"}));
  EXPECT_NE(result.out.find("given basis: K = 3 of width 32, R² 0."), std::string::npos) << result.out;
  EXPECT_EQ(result.out.find("variance captured"), std::string::npos) << result.out;
  ExpectFails(2, Sft("new", 3, {"--basis-file", basis, "--basis", "random"}),
              "--basis-file is a basis of its own: expected no --basis beside it, found random");
}

TEST_F(CommandAdapter, KeepsATaughtTemplateWhenItIsMerged) {
  Train("taught", {"--template", "zephyr"});
  ExpectRuns({"merge", "--model", Path("taught"), "--out", Path("merged")});
  const std::string jinja = Get(Path("taught/chat_template.jinja"));
  EXPECT_NE(jinja.find("<|assistant|>"), std::string::npos);
  EXPECT_EQ(Get(Path("merged/chat_template.jinja")), jinja);
}

TEST_F(CommandAdapter, ALevelTrainsNothing) {
  const Result result = ExpectRuns(Sft("level", 3, {"--k", "0", "--start", "reconstructed"}));
  EXPECT_NE(result.out.find("reconstructed K=0: 0 parameters are trained"), std::string::npos) << result.out;
  const size_t start = result.out.find("start "), end = result.out.find("end ");
  EXPECT_EQ(result.out.substr(start + 6, 6), result.out.substr(end + 4, 6));
  ExpectFails(2, Sft("new", 3, {"--k", "0", "--start", "reconstructed", "--save", "adapter"}),
              "--k 0 trains nothing; expected --save merged, found adapter");
}

}  // namespace
}  // namespace ampgrad::train
