#pragma once

#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "train/trainer.h"

namespace ampgrad::train {

/// What a run knows beside its trainer. The two together are all that decides how it goes on.
struct RunState {
  double best_loss = std::numeric_limits<double>::infinity();  // of the evaluations so far
  Index best_step = 0;                                         // 0: there was no evaluation yet
  Index worse = 0;                                             // evaluations since the best one
  std::vector<Tensor> best;  // the trained parameters at best_step, in the trainer's order; empty unless they are kept
  Index log_bytes = 0;       // length of the log
};

/// What a run is: it goes on from a state only as the same run.
struct RunRecord {
  std::string command;                                      // that started it, for messages: "ampgrad sft"
  std::string settings;                                     // all of them, as JSON
  std::vector<std::pair<std::string, std::string>> inputs;  // name and digest of each file that it reads
};

/// The state of a run on disk, in a directory beside the run's output: ampgrad.json, the settings, and
/// state.safetensors, everything else: trained parameters, moments, best parameters, and the rest as metadata. The
/// directory appears with both, and each later state replaces the one before as a whole: a process that is killed at
/// any moment leaves the old state or the new one.
class RunDirectory {
 public:
  static constexpr char kSettings[] = "ampgrad.json";

  /// The directory for the output `out`: OUT.run.
  static std::filesystem::path For(const std::filesystem::path& out);

  /// The directory of a run that begins, which must hold no state yet, or, with `resume`, of one that goes on. Then the
  /// record must be that of the state, and the instruction set becomes the state's, since the bits depend on it.
  /// Nothing is written yet. Throws std::runtime_error with what differs, and when another process goes on with the
  /// run. Of several ranks the first alone writes, and all read the same.
  RunDirectory(std::filesystem::path directory, RunRecord record, bool resume, Ranks& ranks = Alone());
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  bool resumed() const { return resumed_; }
  /// How the user goes on from the state: "ampgrad sft --resume OUT.run".
  std::string HowToGoOn() const { return record_.command + " --resume " + directory_.string(); }

  /// A number that a run needs once, such as the loss of the model that it was given: from the state of a run that goes
  /// on, else what `compute` returns, which the states of this run will hold.
  double Once(const std::string& name, const std::function<double()>& compute);

  /// Writes the state, and the directory with its missing parents. Throws std::runtime_error, also when the ranks'
  /// parameters have come apart; the state that was there before is there still.
  void Save(const Trainer& trainer, const RunState& state);
  /// Puts the state into the parameters and the optimiser of `trainer`. Throws std::runtime_error when it belongs to
  /// other parameters.
  RunState Load(Trainer& trainer) const;
  /// Removes the directory, once the run's result is in its place.
  void Remove() const;

 private:
  void RequireSameRun();
  void Lock();
  void WriteState(const std::filesystem::path& file, const Trainer& trainer, const RunState& state) const;

  std::filesystem::path directory_;
  RunRecord record_;
  std::map<std::string, double> numbers_;  // of Once
  bool resumed_;
  Ranks& ranks_;
  int lock_ = -1;  // the directory, once it is there
};

}  // namespace ampgrad::train
