#include "models/gguf/gguf_model.h"

#include <cstdio>
#include <set>
#include <stdexcept>

#include "tensor/io/own_file.h"
#include "tensor/io/safetensors_header.h"

namespace ampgrad::models {
namespace {

namespace fs = std::filesystem;

constexpr Index kMaxParts = 99999;  // of five digits

// "-00002-of-00005.gguf".
std::string PartSuffix(Index number, Index count) {
  char text[40];
  std::snprintf(text, sizeof(text), "-%05d-of-%05d.gguf", static_cast<int>(number), static_cast<int>(count));
  return text;
}

std::string ReadArchitecture(const io::GgufReader& reader) {
  if (reader.Value("general.type").StringOr("model") == "adapter") {
    throw std::runtime_error(reader.file() + ": an adapter for llama.cpp, not a model");
  }
  const io::JsonValue architecture = reader.Value("general.architecture");
  const std::string name = architecture.StringOr("");
  if (name != "llama" && name != "gpt2") architecture.Fail("\"llama\" or \"gpt2\"");
  return name;
}

}  // namespace

GgufModel::GgufModel(const fs::path& file) {
  parts_.emplace_back(file);
  const io::JsonValue number = parts_[0].Value("split.no"), count = parts_[0].Value("split.count");
  if (number.IntegerOr(0, 0, kMaxParts) != 0) number.Fail("0, as the first part of a split model is to be named");
  architecture_ = ReadArchitecture(parts_[0]);
  if (const Index parts = count.IntegerOr(1, 1, kMaxParts); parts > 1) OpenOtherParts(file, parts);
}

void GgufModel::OpenOtherParts(const fs::path& file, Index count) {
  const std::string name = file.filename().string(), suffix = PartSuffix(1, count);
  if (!name.ends_with(suffix)) {
    throw std::runtime_error(file.string() + ": expected a name that ends with " + suffix + ", as its split.count is " +
                             std::to_string(count));
  }
  const fs::path directory = file.has_parent_path() ? file.parent_path() : ".";
  const std::string stem = name.substr(0, name.size() - suffix.size());
  for (Index number = 2; number <= count; ++number) {
    const std::string part = stem + PartSuffix(number, count);
    if (!io::IsThere(directory / part)) {
      throw std::runtime_error(file.string() + ": part " + std::to_string(number) + " of " + std::to_string(count) +
                               ", " + io::QuoteName(part) + ", is missing");
    }
    parts_.emplace_back(io::OwnFile(directory, part));
    const io::JsonValue found = parts_.back().Value("split.no"), of = parts_.back().Value("split.count");
    if (found.Integer(0, kMaxParts) != number - 1) found.Fail(std::to_string(number - 1));
    if (of.Integer(1, kMaxParts) != count) of.Fail(std::to_string(count) + ", as in the first part");
  }
  std::set<std::string> names;
  for (const io::GgufReader& part : parts_) {
    for (const io::GgufTensor& tensor : part.header().tensors) {
      if (names.insert(tensor.name).second) continue;
      throw std::runtime_error(part.file() + ": tensor " + io::QuoteName(tensor.name) + " is also in another part");
    }
  }
  const io::JsonValue total = Value("split.tensors.count");
  const Index tensors = static_cast<Index>(names.size());
  if (total.IntegerOr(tensors, 0, INT32_MAX) != tensors) total.Fail(std::to_string(tensors) + ", as the parts hold");
}

const io::GgufReader* GgufModel::PartWith(const std::string& tensor) const {
  for (const io::GgufReader& part : parts_) {
    if (part.Has(tensor)) return &part;
  }
  return nullptr;
}

}  // namespace ampgrad::models
