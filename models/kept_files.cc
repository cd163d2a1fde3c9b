#include "models/kept_files.h"

#include <algorithm>
#include <set>

#include "models/files/model_texts.h"
#include "models/gguf/gguf_path.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "tensor/io/own_file.h"
#include "tensor/io/text_file.h"

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

constexpr char kGeneration[] = "generation_config.json", kTemplate[] = "chat_template.jinja";
constexpr char kTemplates[] = "additional_chat_templates";

// Whether a file belongs to the tokenizer, to the chat templates or to what must stand beside a model that is passed
// on.
bool IsKept(const std::string& name) {
  static const std::set<std::string> kNames = {"tokenizer_config.json",
                                               "special_tokens_map.json",
                                               "added_tokens.json",
                                               "vocab.json",
                                               "merges.txt",
                                               "tokenizer.model",
                                               kGeneration,
                                               kTemplate,
                                               "README.md"};
  if (kNames.contains(name)) return true;
  return std::ranges::any_of(std::vector<const char*>{"LICENSE", "LICENCE", "NOTICE", "USE_POLICY"},
                             [&](const char* start) { return name.starts_with(start); });
}

// The names of a directory's files, sorted.
std::vector<std::string> NamesIn(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

// Adds the ids to a field that is null, an id or a list of ids; a field that has them all stays as it is.
void AddEnds(const std::vector<int>& ends, nlohmann::json& field) {
  nlohmann::json ids = field.is_array() ? field : field.is_null() ? nlohmann::json::array() : nlohmann::json{field};
  const size_t before = ids.size();
  for (const int id : ends) {
    if (std::ranges::find(ids, nlohmann::json(id)) == ids.end()) ids.push_back(id);
  }
  if (ids.size() > before) field = ids.size() == 1 ? ids[0] : ids;
}

}  // namespace

KeptFiles::KeptFiles(const fs::path& directory) {
  const nlohmann::json config = RequireModelText(directory, "config.json").json;
  tokens_ = nlohmann::json::object();
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    if (config.contains(key)) tokens_[key] = config[key];
  }
  if (GgufOf(directory)) {
    for (const char* name : {"tokenizer_config.json", kGeneration}) {
      if (const auto text = ReadModelText(directory, name)) files_.push_back({name, text->json.dump(2) + "\n"});
    }
    return;
  }
  for (const std::string& name : NamesIn(directory)) {
    if (IsKept(name)) Read(directory, name);
  }
  if (!fs::is_directory(io::OwnFile(directory, kTemplates))) return;
  for (const std::string& name : NamesIn(directory / kTemplates)) {
    if (name.ends_with(".jinja")) Read(directory, kTemplates + ("/" + name));
  }
}

void KeptFiles::Read(const fs::path& directory, const std::string& name) {
  constexpr uint64_t kLimit = 256 << 20;
  const fs::path file = io::OwnFile(directory, name);
  const std::string bytes = io::ReadTextFile(file, kLimit);
  if (name.ends_with(".json")) io::ParseJsonObject(bytes, file.string());
  files_.push_back({name, bytes, static_cast<unsigned>(fs::status(file).permissions()) & 0666});
}

void KeptFiles::Teach(const std::vector<int>& ends, const std::string& chat_template) {
  ends_ = ends;
  if (chat_template.empty()) return;
  std::erase_if(files_, [](const File& file) { return file.name == kTemplate; });
  files_.push_back({kTemplate, chat_template});
}

void KeptFiles::SetTokens(nlohmann::json& config) const {
  nlohmann::json ends = config.value("eos_token_id", nlohmann::json());
  if (!tokens_.is_null()) {
    for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) config.erase(key);
    config.update(tokens_);
    if (config.contains("eos_token_id")) ends = config["eos_token_id"];
  }
  const nlohmann::json before = ends;
  AddEnds(ends_, ends);
  if (ends != before) config["eos_token_id"] = ends;
}

std::string KeptFiles::GenerationConfig(const std::string& bytes, const nlohmann::json& config) const {
  nlohmann::json generation = bytes.empty() ? nlohmann::json::object() : nlohmann::json::parse(bytes);
  nlohmann::json ends = generation.value("eos_token_id", nlohmann::json());
  if (ends.is_null()) ends = config.value("eos_token_id", nlohmann::json());
  AddEnds(ends_, ends);
  if (generation.value("eos_token_id", nlohmann::json()) == ends) return bytes;
  generation["eos_token_id"] = ends;
  return generation.dump(2) + "\n";
}

void KeptFiles::Write(const fs::path& directory, const nlohmann::json& config) const {
  bool has_generation = false;
  for (const File& file : files_) {
    const bool generation = file.name == kGeneration && !ends_.empty();
    has_generation = has_generation || generation;
    fs::create_directories((directory / file.name).parent_path());
    io::WriteFileAtomically(directory / file.name, generation ? GenerationConfig(file.bytes, config) : file.bytes,
                            file.mode);
  }
  // Hugging Face's library stops at the tokens that this file names.
  if (!ends_.empty() && !has_generation) {
    io::WriteFileAtomically(directory / kGeneration, GenerationConfig("", config));
  }
}

}  // namespace ampgrad::models
