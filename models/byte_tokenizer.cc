#include "models/byte_tokenizer.h"

#include <stdexcept>

#include "models/json_file.h"

namespace ampgrad::models {
namespace {

// GPT-2's byte map: the 188 printable bytes of Latin-1 stand for themselves, the other 68, in order, for U+0100
// onwards.
std::array<int, 256> CodePointOfByte() {
  std::array<int, 256> code_points;
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    code_points[byte] = printable ? byte : next++;
  }
  return code_points;
}

// All code points of the byte map lie below U+0800: one or two bytes.
std::string Utf8(int code_point) {
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  return {static_cast<char>(0xC0 | code_point >> 6), static_cast<char>(0x80 | (code_point & 0x3F))};
}

}  // namespace

ByteTokenizer::ByteTokenizer() {
  for (int byte = 0; byte < kVocabulary; ++byte) {
    id_of_byte_[byte] = byte;
    byte_of_id_[byte] = static_cast<unsigned char>(byte);
  }
}

ByteTokenizer ByteTokenizer::FromFile(const std::filesystem::path& path) {
  const nlohmann::json json = ReadJsonObject(path);
  const auto refuse = [&](const std::string& why) {
    throw std::runtime_error(path.string() + ": expected a byte-level tokenizer without merges, found " + why);
  };
  const auto field = [&](const nlohmann::json& object, const char* key) {
    return object.contains(key) ? object[key] : nlohmann::json();
  };
  const nlohmann::json model = field(json, "model");
  if (!model.is_object()) refuse("no model");
  for (const char* key : {"normalizer", "truncation", "padding"}) {
    if (!field(json, key).is_null()) refuse(std::string("a ") + key);
  }
  const nlohmann::json pre = field(json, "pre_tokenizer"), post = field(json, "post_processor");
  if (!pre.is_object() || field(pre, "type") != "ByteLevel" || field(pre, "add_prefix_space") != false) {
    refuse("another pre_tokenizer than ByteLevel without a prefix space");
  }
  if (!post.is_null() && (!post.is_object() || field(post, "type") != "ByteLevel")) refuse("a post_processor");
  if (!field(json, "added_tokens").empty()) refuse("added tokens");

  if (!field(model, "type").is_null() && field(model, "type") != "BPE") refuse("another model than BPE");
  if (!field(model, "merges").is_array() || !model["merges"].empty()) refuse("merges");
  if (!field(model, "vocab").is_object() || model["vocab"].size() != kVocabulary) {
    refuse("a vocabulary of another size than 256");
  }
  ByteTokenizer tokenizer;
  std::array<bool, kVocabulary> taken{};
  const auto code_points = CodePointOfByte();
  for (int byte = 0; byte < kVocabulary; ++byte) {
    const auto id = model["vocab"].find(Utf8(code_points[byte]));
    if (id == model["vocab"].end()) refuse("no token for byte " + std::to_string(byte));
    if (!id->is_number_unsigned() || id->get<uint64_t>() >= kVocabulary || taken[id->get<size_t>()]) {
      refuse("the id " + id->dump() + " for byte " + std::to_string(byte));
    }
    taken[id->get<size_t>()] = true;
    tokenizer.id_of_byte_[byte] = id->get<int>();
    tokenizer.byte_of_id_[id->get<size_t>()] = static_cast<unsigned char>(byte);
  }
  return tokenizer;
}

nlohmann::json ByteTokenizer::ToJson() const {
  nlohmann::json vocab = nlohmann::json::object();
  const auto code_points = CodePointOfByte();
  for (int byte = 0; byte < kVocabulary; ++byte) vocab[Utf8(code_points[byte])] = id_of_byte_[byte];
  const nlohmann::json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", nlohmann::json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", nullptr},
          {"decoder", byte_level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"vocab", vocab},
            {"merges", nlohmann::json::array()}}}};
}

std::vector<int> ByteTokenizer::Encode(std::string_view text) const {
  std::vector<int> ids;
  ids.reserve(text.size());
  for (const char c : text) ids.push_back(id_of_byte_[static_cast<unsigned char>(c)]);
  return ids;
}

std::string ByteTokenizer::Decode(const std::vector<int>& ids) const {
  std::string text;
  text.reserve(ids.size());
  for (const int id : ids) {
    if (id < 0 || id >= kVocabulary) {
      throw std::invalid_argument("[tokenizer] expected ids in 0..255, found " + std::to_string(id));
    }
    text.push_back(static_cast<char>(byte_of_id_[id]));
  }
  return text;
}

}  // namespace ampgrad::models
