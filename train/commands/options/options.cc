#include "train/commands/options/options.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tensor/io/json.h"

namespace ampgrad::train {
namespace {

const OptionSpec* Find(const std::vector<OptionSpec>& specs, const std::string& name) {
  const auto it = std::find_if(specs.begin(), specs.end(), [&](const OptionSpec& spec) { return name == spec.name; });
  return it == specs.end() ? nullptr : &*it;
}

// The whole of `text` as a number in [min, max]; NaN is in no range.
template <class T>
T ParseNumber(const std::string& name, const std::string& text, T min, T max, const char* kind) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= min && value <= max)) {
    std::ostringstream message;
    message << "expected --" << name << " to be " << kind << " in " << min << ".." << max << ", found '" << text << "'";
    throw UsageError(message.str());
  }
  return value;
}

std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  return parts;
}

// Whether an option says how this call works, and not what comes of it.
bool IsOfTheCallAlone(const std::string& name) { return name == "threads" || name == "config" || name == "help"; }

// A value of a file as a word of the command line; a list is cut at commas there.
std::string OptionText(const io::JsonValue& value) {
  const nlohmann::json& json = value.json();
  if (json.is_number()) return json.dump();
  if (!json.is_array() || json.empty()) return value.NonEmptyString();
  std::string text;
  for (const io::JsonValue item : value.Items()) text += (text.empty() ? "" : ",") + OptionText(item);
  return text;
}

}  // namespace

Options::Options(const std::vector<OptionSpec>& specs, const std::vector<std::string>& words) : specs_(specs) {
  ReadWords(words);
  if (values_.contains("resume")) {
    for (const auto& [name, value] : values_) {
      if (name == "resume" || name == "threads") continue;
      throw UsageError("--" + name +
                       " beside --resume: a run goes on with its own settings; expected none but --threads");
    }
    ReadFile(values_["resume"] + "/ampgrad.json");
  } else if (values_.contains("config")) {
    ReadFile(values_["config"]);
  }
  for (const auto& [name, value] : values_) given_.insert(name);
  for (const OptionSpec& spec : specs_) {
    if (values_.contains(spec.name)) continue;
    if (!spec.fallback) throw UsageError(std::string("--") + spec.name + " is missing");
    values_[spec.name] = spec.fallback;
  }
}

void Options::ReadWords(const std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with("--")) {
      const auto taker = std::ranges::find_if(specs_, &OptionSpec::takes_words);
      if (taker == specs_.end()) throw UsageError("expected an option, found '" + words[i] + "'");
      std::string& list = values_[taker->name];
      list += (list.empty() ? "" : ",") + words[i];
      continue;
    }
    const size_t equals = words[i].find('=');
    const std::string name = words[i].substr(2, equals == std::string::npos ? equals : equals - 2);
    const OptionSpec* spec = Find(specs_, name);
    if (!spec) throw UsageError("unknown option --" + name);
    if (values_.contains(name)) throw UsageError("--" + name + " stands twice");
    if (!spec->value) {
      if (equals != std::string::npos) throw UsageError("--" + name + " takes no value");
      values_[name] = "yes";
    } else if (equals != std::string::npos) {
      values_[name] = words[i].substr(equals + 1);
    } else if (i + 1 < words.size()) {
      values_[name] = words[++i];
    } else {
      throw UsageError("--" + name + " needs a value: " + spec->value);
    }
    if (values_[name].empty()) throw UsageError("--" + name + " needs a value: " + spec->value);
  }
}

void Options::ReadFile(const std::string& file) {
  const nlohmann::json json = io::ReadJsonObject(file);
  const io::JsonValue options(json, file);
  for (const auto& item : json.items()) {
    const std::string& name = item.key();
    const OptionSpec* spec = Find(specs_, name);
    if (!spec || name == "config" || name == "resume" || name == "help") {
      throw std::runtime_error(file + ": expected the options of this command, found the key '" + name + "'");
    }
    const io::JsonValue value = options.Field(name);
    if (value.null() || values_.contains(name)) continue;
    if (!spec->value) {
      if (value.Boolean()) values_[name] = "yes";
    } else {
      values_[name] = OptionText(value);
    }
  }
}

Options Options::WithDefault(const std::string& name, const std::string& value) const {
  Options options = *this;
  if (options.given_.insert(name).second) options.values_[name] = value;
  return options;
}

std::string Options::Settings() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const OptionSpec& spec : specs_) {
    const std::string& value = values_.at(spec.name);
    if (value.empty() || IsOfTheCallAlone(spec.name) || spec.name == std::string("resume")) continue;
    // A number that would not read as the same text, such as 1e-3, stays a text.
    const nlohmann::json number = spec.value ? nlohmann::json::parse(value, nullptr, false) : nlohmann::json(true);
    const bool same = number.is_number() && number.dump() == value;
    json[spec.name] = !spec.value || same ? nlohmann::ordered_json(number) : nlohmann::ordered_json(value);
  }
  return io::JsonText(json, 1) + "\n";
}

std::string Options::Choice(const std::string& name, const std::vector<std::string>& choices) const {
  const std::string& value = String(name);
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return value;
  std::string list;
  for (const std::string& choice : choices) list += (list.empty() ? "" : ", ") + choice;
  throw UsageError("expected --" + name + " to be one of " + list + ", found '" + value + "'");
}

std::vector<std::string> Options::Strings(const std::string& name) const {
  if (!Has(name)) return {};
  const std::vector<std::string> parts = SplitAtCommas(String(name));
  if (std::find(parts.begin(), parts.end(), "") == parts.end()) return parts;
  throw UsageError("expected --" + name + " to be a list without empty items, found '" + String(name) + "'");
}

Index Options::Integer(const std::string& name, Index min, Index max) const {
  return ParseNumber<Index>(name, String(name), min, max, "an integer");
}

std::vector<Index> Options::Integers(const std::string& name, Index min, Index max) const {
  std::vector<Index> values;
  for (const std::string& part : SplitAtCommas(String(name))) {
    values.push_back(ParseNumber<Index>(name, part, min, max, "a list of integers"));
  }
  return values;
}

double Options::Number(const std::string& name, double min, double max) const {
  return ParseNumber<double>(name, String(name), min, max, "a number");
}

std::vector<double> Options::Numbers(const std::string& name, double min, double max) const {
  std::vector<double> values;
  for (const std::string& part : SplitAtCommas(String(name))) {
    values.push_back(ParseNumber<double>(name, part, min, max, "a list of numbers"));
  }
  return values;
}

std::string DescribeOptions(const std::vector<OptionSpec>& specs) {
  std::string text;
  for (const OptionSpec& spec : specs) {
    std::string left = std::string("  --") + spec.name + (spec.value ? std::string(" ") + spec.value : "");
    left.resize(std::max<size_t>(left.size() + 1, 26), ' ');
    text += left + spec.help;
    if (!spec.fallback) text += " (required)";
    if (spec.fallback && *spec.fallback) text += std::string(" [") + spec.fallback + "]";
    text += "\n";
  }
  return text;
}

std::vector<OptionSpec> Join(std::initializer_list<std::vector<OptionSpec>> lists) {
  std::vector<OptionSpec> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

}  // namespace ampgrad::train
