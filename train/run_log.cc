#include "train/run_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>

#include "tensor/io/json.h"
#include "tensor/io/staged_directory.h"
#include "train/interrupt.h"

namespace ampgrad::train {
namespace {

constexpr char kColumns[] = "step,run,loss,lr,grad_norm,validation_loss,held_out_loss,tokens_per_second\n";

[[noreturn]] void FailWithErrno(const std::string& file, const char* action) {
  throw std::runtime_error(file + ": cannot be " + action + ": " + std::generic_category().message(errno));
}

// The shortest text that reads as the same number.
std::string Text(double value) { return nlohmann::json(value).dump(); }
std::string Text(const std::optional<double>& value) { return value ? Text(*value) : ""; }

std::string CsvLine(const std::string& run, const StepReport& r) {
  return std::to_string(r.result.step) + ",\"" + run + "\"," + Text(r.result.loss) + "," + Text(r.result.lr) + "," +
         Text(r.result.grad_norm) + "," + Text(r.validation_loss) + "," + Text(r.held_out_loss) + "," +
         Text(std::round(r.tokens_per_second)) + "\n";
}

std::string JsonLine(const std::string& run, const StepReport& r) {
  nlohmann::ordered_json line = {{"run", run},
                                 {"step", r.result.step},
                                 {"loss", r.result.loss},
                                 {"lr", r.result.lr},
                                 {"grad_norm", r.result.grad_norm}};
  if (r.validation_loss) line["validation_loss"] = *r.validation_loss;
  if (r.held_out_loss) line["held_out_loss"] = *r.held_out_loss;
  line["tokens_per_second"] = std::round(r.tokens_per_second);
  return io::JsonText(line) + "\n";
}

}  // namespace

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

RunLog::RunLog(const std::string& file, bool goes_on) : file_(file), csv_(file.ends_with(".csv")) {
  std::error_code error;
  if (!file.empty() && !goes_on && std::filesystem::exists(file, error)) {  // it may be an input of the run
    throw std::runtime_error(file + ": exists already; expected a new file for the log");
  }
}

RunLog::~RunLog() {
  if (fd_ < 0) return;
  close(fd_);
  if (kept_ || std::uncaught_exceptions() == 0 || NotedSignal() == 0) return;
  std::error_code ignored;  // the run has failed already
  std::filesystem::remove(file_, ignored);
}

void RunLog::Open(int flags) {
  fd_ = open(file_.c_str(), O_WRONLY | O_CLOEXEC | flags, 0666);
  if (fd_ < 0) FailWithErrno(file_, (flags & O_CREAT) ? "created" : "opened");
}

void RunLog::Write(const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t written = write(fd_, text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR) FailWithErrno(file_, "written");
    if (written > 0) done += static_cast<size_t>(written);
  }
  bytes_ += static_cast<Index>(text.size());
}

void RunLog::Add(const std::string& run, const StepReport& r) {
  if (file_.empty()) return;
  if (fd_ < 0) {
    Open(O_CREAT | O_EXCL);  // in case the name was taken meanwhile
    if (csv_) Write(kColumns);
  }
  Write(csv_ ? CsvLine(run, r) : JsonLine(run, r));
}

Index RunLog::Sync() {
  if (fd_ >= 0) {
    if (fsync(fd_) != 0) FailWithErrno(file_, "brought to disk");
    io::SyncDirectory(std::filesystem::absolute(file_).parent_path());
  }
  kept_ = true;
  return bytes_;
}

void RunLog::GoOnFrom(Index bytes) {
  if (file_.empty()) return;
  Open(0);
  kept_ = true;
  struct stat status;
  if (fstat(fd_, &status) != 0) FailWithErrno(file_, "read");
  if (status.st_size < bytes) {
    throw std::runtime_error(file_ + ": expected the log of the run, of at least " + std::to_string(bytes) +
                             " bytes, found " + std::to_string(status.st_size));
  }
  if (ftruncate(fd_, bytes) != 0 || lseek(fd_, bytes, SEEK_SET) < 0) FailWithErrno(file_, "written");
  bytes_ = bytes;
}

}  // namespace ampgrad::train
