#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ampgrad::train {

/// The processes that make one run together. Each has a rank, 0 … size − 1, and all of them call the same functions in
/// the same order. This class is one process alone.
class Ranks {
 public:
  Ranks() = default;
  virtual ~Ranks() = default;
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  virtual int rank() const { return 0; }
  virtual int size() const { return 1; }
  /// How many of them are on this machine.
  virtual int here() const { return 1; }
  /// The one that writes files and talks.
  bool IsFirst() const { return rank() == 0; }

  /// Replaces each value by its sum over all ranks, which must not overflow.
  virtual void Sum(std::span<int64_t>) {}
  /// What each rank gave, by rank.
  virtual std::vector<std::string> Gather(const std::string& bytes) { return {bytes}; }

  /// What a rank that has failed does with its error.
  enum class Failure {
    kShared,   // all ranks met it: the first says so, and all end by themselves
    kOwn,      // only this rank met it, and says so
    kUnspoken  // another one has said why all end
  };
  /// Waits up to a second for the other ranks to fail, too.
  virtual Failure Fail() { return Failure::kShared; }
  /// Ends the other ranks, whatever they do, and this one.
  [[noreturn]] void Abort(int code);
  /// For a signal handler: the program was told to stop, so that nobody need wonder if it dies.
  virtual void NoteStop() {}

 protected:
  virtual void AbortOthers(int) {}
};

/// One process.
Ranks& Alone();
/// The ranks of this program: Alone() unless it has joined others.
Ranks& ProgramRanks();
/// Makes `ranks` those of this program, from its start to its end.
void UseRanks(std::unique_ptr<Ranks> ranks);

/// The part of `count` things that falls to a rank: [begin, end), with begin = rank·count/size.
struct Share {
  int64_t begin, end;
};
Share ShareOf(const Ranks& ranks, int64_t count);

/// Names and values of what must be the same on all ranks.
using Facts = std::vector<std::pair<std::string, std::string>>;
/// Throws std::runtime_error when a fact is not: "rank 2: expected --lr of rank 0, 0.1, found 0.2". All ranks throw the
/// same.
void RequireSame(Ranks& ranks, const Facts& facts);

}  // namespace ampgrad::train
