#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ampgrad::models {

/// What a fine-tuned model takes over from the directory it came from: its special tokens and the files that training
/// does not touch (tokenizer, chat templates, generation, licence and card). All is read before the training, so a
/// fault of these files costs no trained model, and neither does a change of them meanwhile.
class KeptFiles {
 public:
  /// Of a model that was not read from a directory: no files.
  KeptFiles() = default;
  /// Of a GGUF file: what it says of special tokens, its chat template, and where generation ends.
  /// Throws std::runtime_error when a file cannot be read, is not JSON though its name says so, or is a link out of the
  /// directory (`io::OwnFile`).
  explicit KeptFiles(const std::filesystem::path& directory);

  /// Adds what the training taught: the tokens that end an answer, and the Jinja text of the chat template unless that
  /// is empty, in which case the directory's own template is kept.
  void Teach(const std::vector<int>& ends, const std::string& chat_template);

  /// Replaces the special tokens of `config`, which names those that the model itself stops at. The ends that were
  /// taught are added to eos_token_id.
  void SetTokens(nlohmann::json& config) const;
  /// Writes the files. None has wider rights than the one it was read from.
  void Write(const std::filesystem::path& directory, const nlohmann::json& config) const;

 private:
  struct File {
    std::string name, bytes;
    unsigned mode = 0666;
  };
  void Read(const std::filesystem::path& directory, const std::string& name);
  std::string GenerationConfig(const std::string& bytes, const nlohmann::json& config) const;

  std::vector<File> files_;
  nlohmann::json tokens_;  // the special tokens of the directory's config.json; null when there was none
  std::vector<int> ends_;
};

}  // namespace ampgrad::models
