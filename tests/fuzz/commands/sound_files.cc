#include "tests/fuzz/commands/sound_files.h"

#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ct/adapter/native_adapter.h"
#include "models/gpt.h"
#include "models/llama.h"
#include "models/model_directory.h"
#include "tensor/io/json.h"
#include "tensor/io/safetensors_reader.h"
#include "tests/support/chat_files.h"
#include "tests/support/small_models.h"
#include "train/methods/method.h"

namespace ampgrad::fuzz {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

std::string MutateText(const std::string& text, Draw& draw) { return MutateBytes(text, draw); }

// Changes the JSON of an adapter's metadata, and leaves its tensors as they are.
std::string MutateAdapter(const std::string& file, Draw& draw) {
  uint64_t size;
  std::memcpy(&size, file.data(), sizeof size);
  nlohmann::json header = nlohmann::json::parse(file.substr(sizeof size, size));
  std::string& metadata = header["__metadata__"]["ampgrad_adapter"].get_ref<std::string&>();
  metadata = MutateJson(metadata, draw);
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t changed = text.size();
  std::string result(reinterpret_cast<const char*>(&changed), sizeof changed);
  return result + text + file.substr(sizeof size + size);
}

// An adapter over the folder "chat": by `method`, as it is before any step.
void MakeAdapter(const fs::path& directory, const std::string& method) {
  const auto model = models::LoadModel(directory.parent_path() / "chat");
  const ct::BaseWeights base(model->Parts());
  const train::MethodSettings settings{.method = method, .k = 2, .rank = 2, .share = 0.05};
  train::Prepare(*model, settings, train::MakeBases(*model, settings, {}, {}));
  fs::create_directories(directory);
  ct::WriteNativeAdapter(directory, model->Parts(), base, {method, "../chat"});
}

std::string Questions() {
  std::string lines;
  for (int i = 0; i < 12; ++i) {
    const std::string n = std::to_string(i);
    lines += R"({"prompt": "How many birds? )" + n + R"(", "completion": "There are )" + n + " birds.\"}\n";
  }
  return lines;
}

std::string Conversations() {
  std::string lines;
  for (int i = 0; i < 12; ++i) {
    const nlohmann::json line = {{"messages",
                                  {{{"role", "system"}, {"content", "Count."}},
                                   {{"role", "user"}, {"content", "How many? " + std::to_string(i)}},
                                   {{"role", "assistant"}, {"content", std::to_string(i)}}}}};
    lines += line.dump() + "\n";
  }
  return lines;
}

// A Llama with the vocabulary of a tokenizer.json, and what belongs to a chat model.
void MakeChatModel(const fs::path& directory, const nlohmann::json& tokenizer_json, const std::string& jinja) {
  const auto tokenizer = models::Tokenizer::FromJson(tokenizer_json, "tokenizer.json");
  models::LlamaConfig config = LittleLlamaConfig();
  config.vocab_size = tokenizer.vocabulary();
  config.max_position_embeddings = 64;
  models::Llama model(config);
  Randomise(model, 1);
  fs::create_directories(directory);
  models::SaveModel(directory, model, tokenizer);
  Put(directory / "tokenizer.json", tokenizer_json.dump(1));
  Put(directory / "tokenizer_config.json",
      nlohmann::json{{"eos_token", "</s>"}, {"bos_token", "<s>"}, {"chat_template", jinja}}.dump(1));
  Put(directory / "generation_config.json", R"({"eos_token_id": [2, 3], "temperature": 0.6, "top_p": 0.9})");
}

// Gives the file of weights the name of a first shard, and writes the index of all shards.
void SplitIntoShards(const fs::path& directory) {
  const fs::path whole = directory / "model.safetensors", first = "model-00001-of-00001.safetensors";
  nlohmann::json names = nlohmann::json::object();
  const io::SafetensorsReader reader(whole);
  for (const io::TensorEntry& entry : reader.header().entries) names[entry.name] = first;
  fs::rename(whole, directory / first);
  Put(directory / "model.safetensors.index.json",
      nlohmann::json{{"metadata", {{"total_size", 0}}}, {"weight_map", names}}.dump(1));
}

}  // namespace

void MakeSoundFiles(const fs::path& directory, const fs::path& golden) {
  MakeChatModel(directory / "chat", ByteTokenizerJson(kControlTokens, "<s>"), kChatMlJinja);
  Put(directory / "chat" / "data.jsonl", Conversations());
  for (const char* name : {"llama", "gpt2", "llama3"}) {
    auto tokenizer = nlohmann::json::parse(Get(golden / "tokenizers" / name / "tokenizer.json"));
    tokenizer["truncation"] = nullptr;  // GPT-2's asks for it
    MakeChatModel(directory / name, tokenizer, "");
    fs::remove(directory / name / "tokenizer_config.json");
    Put(directory / name / "data.jsonl", Questions());
  }
  fs::copy(directory / "chat", directory / "shards");
  SplitIntoShards(directory / "shards");
  models::Gpt gpt(models::PresetConfig("nano"));
  gpt.Initialise(1);
  fs::create_directories(directory / "gpt");
  models::SaveModel(directory / "gpt", gpt, models::Tokenizer::Bytes());
  Put(directory / "gpt" / "data.jsonl", Questions());
  for (const char* name : {"gpt2-tiny", "llama-tiny"}) fs::copy(golden / name, directory / name);
  for (const char* method : {"amplitude", "dora", "sparse"}) MakeAdapter(directory / method, method);
  for (const char* name : {"gpt2-patterns", "llama-regex"}) fs::copy(golden / "peft" / name, directory / name);
}

std::vector<Subject> Subjects() {
  const Words generate = {"generate", "--model", ".", "--prompt", "How many?", "--tokens", "4", "--threads", "1"};
  const Words sft = {"sft", "--model", ".",       "--data", "data.jsonl", "--out", "out",   "--steps",  "1",
                     "--k", "2",       "--batch", "2",      "--threads",  "1",     "--log", "log.jsonl"};
  const Words adapted = {"generate",  "--model",  "../chat", "--adapter", ".", "--prompt",
                         "How many?", "--tokens", "4",       "--threads", "1"};
  const auto merge = [](const char* base) {
    return Words{"merge", "--model", base, "--adapter", ".", "--out", "out", "--threads", "1"};
  };
  const Words check = {"check", "--reference", ".", "--threads", "1"};
  return {{"config of a GPT-2", "gpt", "config.json", MutateJson, generate},
          {"config of a GPT-2, trained", "gpt", "config.json", MutateJson, sft},
          {"config of a Llama", "chat", "config.json", MutateJson, generate},
          {"config of a Llama, trained", "chat", "config.json", MutateJson, sft},
          {"tokenizer of bytes", "chat", "tokenizer.json", MutateJson, generate},
          {"tokenizer of Llama-2", "llama", "tokenizer.json", MutateJson, sft},
          {"tokenizer of GPT-2", "gpt2", "tokenizer.json", MutateJson, sft},
          {"tokenizer of Llama-3", "llama3", "tokenizer.json", MutateJson, generate},
          {"template", "chat", "tokenizer_config.json", MutateJson, sft},
          {"template's text", "chat", "tokenizer_config.json", MutateText, sft},
          {"generation", "chat", "generation_config.json", MutateJson, generate},
          {"index", "shards", "model.safetensors.index.json", MutateJson, generate},
          {"index, trained", "shards", "model.safetensors.index.json", MutateJson, sft},
          {"questions", "gpt", "data.jsonl", MutateJsonLine, sft},
          {"conversations", "chat", "data.jsonl", MutateJsonLine, sft},
          {"bytes of conversations", "chat", "data.jsonl", MutateText, sft},
          {"golden results of a GPT-2", "gpt2-tiny", "golden.json", MutateJson, check},
          {"golden results of a Llama", "llama-tiny", "golden.json", MutateJson, check},
          {"golden config", "llama-tiny", "config.json", MutateJson, check},
          {"adapter of amplitude", "amplitude", "adapter.safetensors", MutateAdapter, adapted},
          {"adapter of dora", "dora", "adapter.safetensors", MutateAdapter, merge("../chat")},
          {"adapter of sparse", "sparse", "adapter.safetensors", MutateAdapter, adapted},
          {"bytes of an adapter", "dora", "adapter.safetensors", MutateText, adapted},
          {"adapter of PEFT, patterns", "gpt2-patterns", "adapter_config.json", MutateJson, merge("../gpt2-tiny")},
          {"adapter of PEFT, expression", "llama-regex", "adapter_config.json", MutateJson, merge("../llama-tiny")}};
}

}  // namespace ampgrad::fuzz
