#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/real.h"

namespace ampgrad::train {

/// The command line is wrong: exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The largest number of steps, samples, ranks and the like that an option takes.
inline constexpr Index kMany = 1'000'000'000;

/// An option of a command.
struct OptionSpec {
  const char* name;      // "steps" for --steps
  const char* value;     // how the help shows its value; null for a switch
  const char* fallback;  // its value when absent; "" for none, null when the option must be given
  const char* help;
  bool takes_words = false;  // its value is also what stands without an option: the items of a list
};

/// The options of one call, checked against the command's list.
class Options {
 public:
  /// The options are the words, then the file of --config for what the words leave open, then the defaults. With
  /// --resume DIR they are those of DIR/ampgrad.json, and only options that change no number may stand beside it.
  /// Throws UsageError for an unknown, repeated, incomplete or missing option, or a stray word; std::runtime_error for
  /// a file that does not hold options of this command.
  Options(const std::vector<OptionSpec>& specs, const std::vector<std::string>& words);

  /// Whether the option has a value, given or by default.
  bool Has(const std::string& name) const { return !String(name).empty(); }
  /// Whether it was given, by a word or a file.
  bool Given(const std::string& name) const { return given_.contains(name); }
  /// Whether the command has such an option at all.
  bool Knows(const std::string& name) const { return values_.contains(name); }
  const std::string& String(const std::string& name) const { return values_.at(name); }
  /// The items of a comma-separated list, of which none is empty. No items without a value.
  std::vector<std::string> Strings(const std::string& name) const;
  /// One of `choices`.
  std::string Choice(const std::string& name, const std::vector<std::string>& choices) const;
  /// An integer in [min, max].
  Index Integer(const std::string& name, Index min, Index max) const;
  /// A comma-separated list of integers in [min, max].
  std::vector<Index> Integers(const std::string& name, Index min, Index max) const;
  /// A number in [min, max].
  double Number(const std::string& name, double min, double max) const;
  /// A comma-separated list of numbers in [min, max].
  std::vector<double> Numbers(const std::string& name, double min, double max) const;

  /// The same options with `value` for one that was not given. It then counts as given.
  Options WithDefault(const std::string& name, const std::string& value) const;

  /// Everything that a file for --config needs to start the same run: a JSON object with a key for each option that has
  /// a value, by default or given, in the order of the command's list. Left out are options that change no number.
  std::string Settings() const;

 private:
  void ReadWords(const std::vector<std::string>& words);
  void ReadFile(const std::string& file);

  std::vector<OptionSpec> specs_;
  std::map<std::string, std::string> values_;
  std::set<std::string> given_;
};

/// The lists, one after another.
std::vector<OptionSpec> Join(std::initializer_list<std::vector<OptionSpec>> lists);

/// The lines that describe `specs`.
std::string DescribeOptions(const std::vector<OptionSpec>& specs);

}  // namespace ampgrad::train
