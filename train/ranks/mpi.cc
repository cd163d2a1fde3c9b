// The only file that knows MPI. Built without AMPGRAD_MPI, it knows only how to tell that mpirun was used all the same.
#include "train/ranks/mpi.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

#ifdef AMPGRAD_MPI
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <span>
#include <vector>

#include "train/ranks/watcher.h"
#endif

namespace ampgrad::train {
namespace {

// How many ranks the launcher says there are: that of Open MPI, or of MPICH and those that follow it.
int LaunchedRanks() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (const char* size = std::getenv(name)) return std::atoi(size);
  }
  return 1;
}

#ifdef AMPGRAD_MPI

// The same for all processes of a machine, whatever their host names and networks.
std::string ThisMachine() {
  std::string id;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id);
  return id;
}

class MpiRanks final : public Ranks {
 public:
  MpiRanks() {
    int given = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &given);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm_dup(MPI_COMM_WORLD, &failures_);
    const std::vector<std::string> machines = Gather(ThisMachine());
    here_ = static_cast<int>(std::count(machines.begin(), machines.end(), machines[rank_]));
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    const std::string job = Gather(std::to_string(getpid()) + "-" + std::to_string(now))[0];
    if (std::find(machines.begin(), machines.end(), machines[rank_]) - machines.begin() == rank_) watcher_.Open(job);
    MPI_Barrier(MPI_COMM_WORLD);
    watcher_.Follow(job, rank_);
  }
  // Once all are here, one may be killed because another has ended with an error: nobody need say that it died.
  ~MpiRanks() override {
    MPI_Barrier(MPI_COMM_WORLD);
    watcher_.ExpectEnd();
    MPI_Finalize();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int here() const override { return here_; }

  void Sum(std::span<int64_t> values) override {
    constexpr size_t kMost = 1 << 22;  // MPI counts with an int, and takes as much again for its own use
    for (size_t begin = 0; begin < values.size(); begin += kMost) {
      const auto count = static_cast<int>(std::min(kMost, values.size() - begin));
      MPI_Allreduce(MPI_IN_PLACE, values.data() + begin, count, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
    }
  }

  std::vector<std::string> Gather(const std::string& bytes) override {
    const int own = static_cast<int>(bytes.size());
    std::vector<int> sizes(size_), begins(size_);
    MPI_Allgather(&own, 1, MPI_INT, sizes.data(), 1, MPI_INT, MPI_COMM_WORLD);
    for (int i = 1; i < size_; ++i) begins[i] = begins[i - 1] + sizes[i - 1];
    std::string all(begins.back() + sizes.back(), '\0');
    MPI_Allgatherv(bytes.data(), own, MPI_CHAR, all.data(), sizes.data(), begins.data(), MPI_CHAR, MPI_COMM_WORLD);
    std::vector<std::string> parts;
    for (int i = 0; i < size_; ++i) parts.push_back(all.substr(begins[i], sizes[i]));
    return parts;
  }

  Failure Fail() override {
    watcher_.ExpectEnd();  // the error says why
    MPI_Request all;
    MPI_Ibarrier(failures_, &all);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    int done = 0;
    while (MPI_Test(&all, &done, MPI_STATUS_IGNORE), !done && std::chrono::steady_clock::now() < end) usleep(1000);
    if (done) return Failure::kShared;
    return watcher_.MaySpeak() ? Failure::kOwn : Failure::kUnspoken;
  }

  void NoteStop() override { watcher_.ExpectEnd(); }

 private:
  void AbortOthers(int code) override {
    watcher_.ExpectEnd();
    MPI_Abort(MPI_COMM_WORLD, code);
  }

  Watcher watcher_;  // first: MPI may start threads
  int rank_ = 0, size_ = 1, here_ = 1;
  MPI_Comm failures_;
};

std::string Library() {
  char name[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(name, &length);
  return std::string(name, std::string(name, length).find_first_of(",\n"));
}

#endif

}  // namespace

std::unique_ptr<Ranks> JoinMpi() {
  const int launched = LaunchedRanks();
  if (launched <= 1) return nullptr;
#ifdef AMPGRAD_MPI
  auto ranks = std::make_unique<MpiRanks>();
  if (ranks->size() == launched) return ranks;
  throw std::runtime_error("expected an mpirun of this program's MPI, " + Library() + ", found another one's, with " +
                           std::to_string(launched) + " ranks");
#else
  throw std::runtime_error("expected one process, as this program was built without MPI, found " +
                           std::to_string(launched) + " ranks");
#endif
}

}  // namespace ampgrad::train
