#include "train/commands/options.h"

#include <algorithm>
#include <charconv>
#include <sstream>

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

}  // namespace

Options::Options(const std::vector<OptionSpec>& specs, const std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with("--")) throw UsageError("expected an option, found '" + words[i] + "'");
    const size_t equals = words[i].find('=');
    const std::string name = words[i].substr(2, equals == std::string::npos ? equals : equals - 2);
    const OptionSpec* spec = Find(specs, name);
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
  for (const OptionSpec& spec : specs) {
    if (values_.contains(spec.name)) continue;
    if (!spec.fallback) throw UsageError(std::string("--") + spec.name + " is missing");
    values_[spec.name] = spec.fallback;
  }
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

}  // namespace ampgrad::train
