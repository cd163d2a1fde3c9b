#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/model_directory.h"
#include "tests/support/files.h"
#include "tests/support/small_models.h"
#include "tests/support/temp_dir.h"

/// What a fine-tuned model takes over from the directory it came from, and the tokens at which it stops.
namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Ids = std::vector<int>;

// A saved model, to which tests add files, and a directory to save to.
class Base {
 public:
  Base() { SaveModel(path(), *model_, Tokenizer::Bytes()); }
  fs::path path() const { return base_.path(); }
  fs::path out() const { return out_.path(); }
  void PutFile(const std::string& name, const std::string& bytes) const {
    fs::create_directories((path() / name).parent_path());
    Put(path() / name, bytes);
  }
  Ids Stops() const { return StopTokens(path(), *LoadModel(path()), Tokenizer::Bytes()); }
  KeptFiles Read() const { return KeptFiles(path()); }
  std::string Error() const {
    return MessageOf(path(), [&] { Read(); });
  }
  void Save(const KeptFiles& kept) const { SaveModel(out(), *model_, Tokenizer::Bytes(), kept); }
  Json Saved(const std::string& name) const { return Json::parse(Get(out() / name)); }

 private:
  TempDir base_, out_;
  std::unique_ptr<LanguageModel> model_ = TinyGpt(9);
};

TEST(StopTokens, AreThoseOfAllFiles) {
  const Base base;
  EXPECT_EQ(base.Stops(), (Ids{0, 0}));
  base.PutFile("generation_config.json", R"({"eos_token_id": [2, 426]})");
  EXPECT_EQ(base.Stops(), (Ids{0, 0, 2, 426}));
  base.PutFile("generation_config.json", R"({"eos_token_id": 5})");
  base.PutFile("tokenizer_config.json", R"({"eos_token": {"content": "A"}})");
  EXPECT_EQ(base.Stops(), (Ids{0, 0, 65, 5}));
  base.PutFile("tokenizer_config.json", R"({"eos_token": "</s>"})");  // no token, which never comes
  EXPECT_EQ(base.Stops(), (Ids{0, 0, 5}));
  base.PutFile("generation_config.json", R"({"eos_token_id": "5"})");
  EXPECT_EQ(MessageOf(base.path(), [&] { base.Stops(); }),
            "D/generation_config.json: expected eos_token_id to be an integer or a list of integers in 0..2147483647, "
            "found \"5\"");
}

TEST(KeptFiles, TravelWithTheModel) {
  const Base base;
  const std::vector<std::string> names = {
      "tokenizer.model", "merges.txt", "chat_template.jinja", "LICENSE",
      "LICENSE.txt",     "NOTICE",     "README.md",           "additional_chat_templates/tools.jinja"};
  for (const std::string& name : names) base.PutFile(name, name + "\0\xFF");
  const std::vector<std::string> json = {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                                         "vocab.json", "generation_config.json"};
  for (const std::string& name : json) base.PutFile(name, "{\"a\":  1}");
  base.PutFile("optimizer.pt", "large");
  base.Save(base.Read());
  for (const std::string& name : names) EXPECT_EQ(Get(base.out() / name), name + "\0\xFF") << name;
  for (const std::string& name : json) EXPECT_EQ(Get(base.out() / name), "{\"a\":  1}") << name;
  EXPECT_FALSE(fs::exists(base.out() / "optimizer.pt"));
}

// What changes in the base during a training, or is gone, changes nothing.
TEST(KeptFiles, AreReadBeforeTheTraining) {
  const Base base;
  base.PutFile("tokenizer.model", "as it was");
  const KeptFiles kept = base.Read();
  base.PutFile("config.json", R"({"model_type": "gpt2", "bos_token_id": 99999})");
  fs::remove(base.path() / "tokenizer.model");
  base.Save(kept);
  EXPECT_EQ(Get(base.out() / "tokenizer.model"), "as it was");
  EXPECT_EQ(base.Saved("config.json")["bos_token_id"], 0);
  EXPECT_NO_THROW(LoadModel(base.out()));
}

TEST(KeptFiles, FaultsAreFoundBeforeTheTraining) {
  const Base base;
  EXPECT_EQ(base.Error(), "");
  base.PutFile("generation_config.json", "TOP-SECRET");
  EXPECT_TRUE(base.Error().starts_with("D/generation_config.json: not valid JSON: ")) << base.Error();
  fs::remove(base.path() / "generation_config.json");
  fs::create_directory(base.path() / "generation_config.json");
  EXPECT_EQ(base.Error(), "D/generation_config.json: not a regular file");
  fs::remove(base.path() / "generation_config.json");
  fs::create_symlink("nowhere", base.path() / "chat_template.jinja");
  EXPECT_EQ(base.Error(), "D/chat_template.jinja: no such file");
}

TEST(KeptFiles, NothingOutsideIsCopied) {
  const TempDir elsewhere;
  Put(elsewhere.path() / "secret.jinja", "TOP-SECRET");
  const fs::path secret = fs::canonical(elsewhere.path() / "secret.jinja");
  for (const char* name : {"special_tokens_map.json", "LICENSE", "additional_chat_templates/a.jinja"}) {
    const Base base;
    base.PutFile(name, "{}");
    fs::remove(base.path() / name);
    fs::create_symlink(secret, base.path() / name);
    EXPECT_EQ(base.Error(),
              std::string("D/") + name + ": expected a file in this directory, found a link to " + secret.string());
  }
}

TEST(KeptFiles, CopiesHaveNoWiderRights) {
  const Base base;
  base.PutFile("tokenizer.model", "x");
  base.PutFile("README.md", "x");
  fs::permissions(base.path() / "tokenizer.model", fs::perms::owner_read | fs::perms::owner_write);
  fs::permissions(base.path() / "README.md", fs::perms::all);
  const mode_t before = umask(0027);
  base.Save(base.Read());
  umask(before);
  EXPECT_EQ(fs::status(base.out() / "tokenizer.model").permissions(), fs::perms(0600));
  EXPECT_EQ(fs::status(base.out() / "README.md").permissions(), fs::perms(0640));
}

// The token that ends an answer in a template is often not the one that the base stops at.
TEST(KeptFiles, RecordWhatWasTaught) {
  const Base base;
  base.PutFile("chat_template.jinja", "the base's own");
  KeptFiles kept = base.Read();
  kept.Teach({0}, "");
  base.Save(kept);
  EXPECT_EQ(base.Saved("config.json")["eos_token_id"], 0);
  EXPECT_EQ(Get(base.out() / "chat_template.jinja"), "the base's own");
  kept.Teach({7}, "{{ messages }}");
  base.Save(kept);
  EXPECT_EQ(base.Saved("config.json")["eos_token_id"], Json({0, 7}));
  EXPECT_EQ(base.Saved("generation_config.json")["eos_token_id"], Json({0, 7}));
  EXPECT_EQ(Get(base.out() / "chat_template.jinja"), "{{ messages }}");
  EXPECT_EQ(LoadModel(base.out())->EndTokens(), (Ids{0, 7, 0}));

  base.PutFile("generation_config.json", R"({"eos_token_id": [3, 7], "top_k": 4})");
  kept = base.Read();
  kept.Teach({7, 8}, "");
  base.Save(kept);
  EXPECT_EQ(base.Saved("generation_config.json"), (Json{{"eos_token_id", {3, 7, 8}}, {"top_k", 4}}));
  EXPECT_EQ(base.Saved("config.json")["eos_token_id"], Json({0, 7, 8}));
}

}  // namespace
}  // namespace ampgrad::models
