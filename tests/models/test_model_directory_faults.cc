#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "models/model_directory.h"
#include "tests/support/files.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"

/// Directories that are no models, and directories that must appear whole or not at all.
namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

// A saved model whose config.json is replaced.
class WithConfig {
 public:
  WithConfig() { SaveModel(path(), *TinyGpt(9), Tokenizer::Bytes()); }
  fs::path path() const { return directory_.path(); }
  std::string Error() const {
    return MessageOf(path(), [&] { LoadModel(path()); });
  }
  std::string Error(const std::string& config) const {
    Put(path() / "config.json", config);
    return Error();
  }

 private:
  TempDir directory_;
};

TEST(ModelDirectory, ReportsMissingFiles) {
  const WithConfig saved;
  EXPECT_EQ(saved.Error(), "");
  fs::remove(saved.path() / "tokenizer.json");  // the model does not need it
  EXPECT_EQ(saved.Error(), "");
  fs::rename(saved.path() / "model.safetensors", saved.path() / "elsewhere");
  EXPECT_EQ(saved.Error(), "D: expected model.safetensors or model.safetensors.index.json, found neither");
  fs::remove(saved.path() / "config.json");
  EXPECT_EQ(saved.Error(), "D/config.json: no such file");
  fs::create_directory(saved.path() / "config.json");
  EXPECT_EQ(saved.Error(), "D/config.json: not a regular file");
  EXPECT_EQ(MessageOf(saved.path(), [&] { LoadModel(saved.path() / "none"); }), "D/none: no such model directory");
  EXPECT_EQ(MessageOf(saved.path(), [&] { LoadModel(saved.path() / "elsewhere"); }),
            "D/elsewhere: no such model directory");
}

TEST(ModelDirectory, RefusesAConfigThatIsNoObject) {
  const WithConfig saved;
  const std::string invalid = "D/config.json: not valid JSON: ";
  for (const std::string text : {"", " ", "{", "{\"model_type\":\"gpt2\",}", "{} {}", "{'a':1}", "{\"a\":\"\xFF\"}"}) {
    EXPECT_TRUE(saved.Error(text).starts_with(invalid)) << text << ": " << saved.Error(text);
  }
  for (const auto& [text, type] : {std::pair{"[]", "array"}, std::pair{"null", "null"}, std::pair{"7", "number"},
                                   std::pair{"\"gpt2\"", "string"}, std::pair{"true", "boolean"}}) {
    EXPECT_EQ(saved.Error(text), std::string("D/config.json: expected a JSON object, found ") + type);
  }
  EXPECT_EQ(saved.Error(R"({"model_type":"gpt2","model_type":"gpt2"})"),
            "D/config.json: the key \"model_type\" stands twice");
  EXPECT_EQ(saved.Error("{\"a\":" + std::string(100'000, '[')), "D/config.json: JSON nested deeper than 64");
}

// Hugging Face's reader refuses it too.
TEST(ModelDirectory, RefusesAByteOrderMark) {
  const WithConfig saved;
  const std::string config = Get(saved.path() / "config.json");
  EXPECT_TRUE(saved.Error("\xEF\xBB\xBF" + config).starts_with("D/config.json: ")) << "it was accepted";
}

TEST(ModelDirectory, RefusesOtherArchitectures) {
  const WithConfig saved;
  for (const std::string type : {"mistral", "t5", "GPT2", ""}) {
    EXPECT_EQ(saved.Error(R"({"model_type":")" + type + "\"}"),
              "D/config.json: expected model_type to be \"gpt2\" or \"llama\", found \"" + type + "\"");
  }
  EXPECT_TRUE(saved.Error("{}").ends_with(", found nothing"));
  EXPECT_EQ(saved.Error(R"({"model_type":2})"), "D/config.json: expected model_type to be a string, found 2");
}

// The messages about fields are tested in test_gpt.cc; this test is about the name of the file in them.
TEST(ModelDirectory, NamesTheFileOfAWrongField) {
  const WithConfig saved;
  const std::string error = saved.Error(R"({"model_type":"gpt2","n_layer":"12"})");
  EXPECT_TRUE(error.starts_with("D/config.json: expected n_layer to be ")) << error;
}

// A directory "out" that does not exist yet.
class StagedDirectoryTest : public ::testing::Test {
 protected:
  fs::path root() const { return directory_.path(); }
  fs::path target() const { return root() / "out"; }
  std::string Error(const fs::path& path) const {
    return MessageOf(root(), [&] { StagedDirectory staged(path); });
  }

 private:
  TempDir directory_;
};

TEST_F(StagedDirectoryTest, LeavesNothingBehindWithoutCommit) {
  {
    StagedDirectory staged(target());
    EXPECT_TRUE(fs::is_directory(staged.path()));
    EXPECT_EQ(staged.path().parent_path(), root());  // a sibling: a rename is atomic only within one file system
    Put(staged.path() / "f", "x");
    fs::create_directory(staged.path() / "sub");
    EXPECT_FALSE(fs::exists(target()));
  }
  EXPECT_TRUE(FilesIn(root()).empty());
}

TEST_F(StagedDirectoryTest, LeavesNothingBehindAfterAnException) {
  EXPECT_EQ(MessageOf(root(),
                      [&] {
                        StagedDirectory staged(target());
                        Put(staged.path() / "f", "x");
                        throw std::runtime_error("stop");
                      }),
            "stop");
  EXPECT_TRUE(FilesIn(root()).empty());
}

TEST_F(StagedDirectoryTest, AppearsOnCommit) {
  {
    StagedDirectory staged(target());
    Put(staged.path() / "f", "x");
    staged.Commit();
    EXPECT_EQ(FilesIn(root()), std::vector<std::string>{"out"});
  }
  EXPECT_EQ(FilesIn(root()), std::vector<std::string>{"out"});
  EXPECT_EQ(FilesIn(target()), std::vector<std::string>{"f"});
  EXPECT_EQ(Get(target() / "f"), "x");
}

TEST_F(StagedDirectoryTest, TakesTheNameWithATrailingSlash) {
  StagedDirectory staged(target().string() + "/");
  Put(staged.path() / "f", "x");
  staged.Commit();
  EXPECT_EQ(FilesIn(root()), std::vector<std::string>{"out"});
  EXPECT_EQ(FilesIn(target()), std::vector<std::string>{"f"});
}

TEST_F(StagedDirectoryTest, TakesANameWithinTheWorkingDirectory) {
  const fs::path before = fs::current_path();
  fs::current_path(root());
  const std::string error = MessageOf({}, [] {
    StagedDirectory staged("out");
    Put(staged.path() / "f", "x");
    staged.Commit();
  });
  fs::current_path(before);
  EXPECT_EQ(error, "");
  EXPECT_EQ(FilesIn(target()), std::vector<std::string>{"f"});
}

TEST_F(StagedDirectoryTest, RefusesWhatIsThere) {
  fs::create_directory(target());
  Put(target() / "f", "x");
  Put(root() / "file", "y");
  const std::string end = ": exists already; expected a new or an empty directory";
  EXPECT_EQ(Error(target()), "D/out" + end);
  EXPECT_EQ(Error(root() / "file"), "D/file" + end);
  EXPECT_EQ(FilesIn(root()), (std::vector<std::string>{"file", "out"}));
  EXPECT_EQ(Get(target() / "f"), "x");
  EXPECT_EQ(Get(root() / "file"), "y");
}

TEST_F(StagedDirectoryTest, AcceptsAnEmptyDirectory) {
  fs::create_directory(target());
  StagedDirectory staged(target());
  Put(staged.path() / "f", "x");
  staged.Commit();
  EXPECT_EQ(FilesIn(target()), std::vector<std::string>{"f"});
}

TEST_F(StagedDirectoryTest, LeavesWhatAppearedMeanwhile) {
  StagedDirectory staged(target());
  fs::create_directory(target());
  Put(target() / "f", "x");
  EXPECT_TRUE(MessageOf(root(), [&] { staged.Commit(); }).starts_with("D/out: cannot be created: "));
  EXPECT_EQ(Get(target() / "f"), "x");
}

TEST_F(StagedDirectoryTest, ComesIntoBeingWhenItIsWrittenTo) {
  StagedDirectory staged(target());
  EXPECT_TRUE(FilesIn(root()).empty());
  EXPECT_TRUE(fs::is_directory(staged.path()));
}

TEST_F(StagedDirectoryTest, MakesMissingParents) {
  {
    StagedDirectory staged(root() / "a/b/out");
    EXPECT_TRUE(FilesIn(root()).empty());
    Put(staged.path() / "f", "x");
    staged.Commit();
  }
  EXPECT_EQ(FilesIn(root() / "a/b"), std::vector<std::string>{"out"});
  EXPECT_EQ(Get(root() / "a/b/out/f"), "x");
}

TEST_F(StagedDirectoryTest, ReportsAParentThatIsNoDirectory) {
  Put(root() / "file", "y");
  EXPECT_EQ(Error(root() / "file/out"), "D/file/out: cannot be created: Not a directory");
  EXPECT_EQ(Get(root() / "file"), "y");
}

// What an ordinary user sees when the test's directory has these permissions; root may do anything.
class AsOrdinaryUser : public StagedDirectoryTest {
 protected:
  static constexpr const char* kStaysRoot = "cannot give up the privileges of root";

  std::string ErrorWith(fs::perms perms) const {
    const bool root_user = getuid() == 0;
    fs::permissions(root(), perms);
    const bool switched = !root_user || setresuid(65534, 65534, 0) == 0;
    const std::string error = switched ? Error(target()) : kStaysRoot;
    if (root_user && setresuid(0, 0, 0) != 0) std::abort();  // no other test may run as somebody else
    fs::permissions(root(), fs::perms(0755));
    return error;
  }
};

TEST_F(AsOrdinaryUser, ReportsAParentThatCannotBeWritten) {
  const std::string error = ErrorWith(fs::perms(0555));
  if (error == kStaysRoot) GTEST_SKIP() << error;
  EXPECT_EQ(error, "D/out: cannot be created: Permission denied");
  EXPECT_TRUE(FilesIn(root()).empty());
}

TEST_F(AsOrdinaryUser, ReportsAParentThatCannotBeSearched) {
  const std::string error = ErrorWith(fs::perms(0000));
  if (error == kStaysRoot) GTEST_SKIP() << error;
  EXPECT_TRUE(error.starts_with("D/out: cannot be created: ")) << error;
  EXPECT_TRUE(FilesIn(root()).empty());
}

// An earlier process with the same id may have been killed; the files that it left are not part of the result.
TEST_F(StagedDirectoryTest, StepsAroundOrphans) {
  std::string orphan;
  {
    StagedDirectory staged(target());
    orphan = staged.path();
  }
  fs::create_directory(orphan);
  Put(fs::path(orphan) / "stale", "x");
  EXPECT_EQ(MessageOf(root(),
                      [&] {
                        StagedDirectory staged(target());
                        Put(staged.path() / "f", "x");
                        staged.Commit();
                      }),
            "");
  EXPECT_EQ(FilesIn(target()), std::vector<std::string>{"f"});
}

}  // namespace
}  // namespace ampgrad::models
