#include "train/progress.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "train/interrupt.h"

namespace ampgrad::train {
namespace {

constexpr double kSecondsBetweenLines = 10;
constexpr double kSecondsBetweenRedraws = 0.1;
constexpr int kBarWidth = 24;

std::string Clock(double seconds) {
  char text[32];
  const int whole = static_cast<int>(std::lround(seconds));
  std::snprintf(text, sizeof text, "%d:%02d", whole / 60, whole % 60);
  return text;
}

}  // namespace

Progress::Progress(std::string label, std::FILE* out)
    : label_(std::move(label)), out_(out), terminal_(isatty(fileno(out))) {}

void Progress::Show(const StepReport& r) {
  const bool last = r.result.step == r.steps;
  const double pause = terminal_ ? kSecondsBetweenRedraws : kSecondsBetweenLines;
  if (!last && r.seconds - last_shown_ < pause) return;
  last_shown_ = r.seconds;
  const double left = r.seconds / static_cast<double>(r.result.step) * static_cast<double>(r.steps - r.result.step);
  if (terminal_) {
    const int filled = static_cast<int>(kBarWidth * r.result.step / r.steps);
    std::fprintf(out_, "\r%-22s [%s%s] %lld/%lld  loss %.4f  %.0f tokens/s  %s left \033[K", label_.c_str(),
                 std::string(filled, '=').c_str(), std::string(kBarWidth - filled, ' ').c_str(),
                 static_cast<long long>(r.result.step), static_cast<long long>(r.steps), r.result.loss,
                 r.tokens_per_second, Clock(left).c_str());
    if (last) std::fputc('\n', out_);
  } else {
    std::fprintf(out_, "%s: step %lld/%lld, loss %.4f, %.0f tokens/s, %s left\n", label_.c_str(),
                 static_cast<long long>(r.result.step), static_cast<long long>(r.steps), r.result.loss,
                 r.tokens_per_second, Clock(left).c_str());
  }
  std::fflush(out_);
}

Phase::Phase(std::string what, std::FILE* out) : what_(std::move(what)), out_(out), terminal_(isatty(fileno(out))) {
  // A std::thread would allocate, and so have the C library reserve a heap of its own: 64 MB that a limit on address
  // space counts. If no thread is to be had, the work goes on unseen.
  pthread_attr_t small;
  if (pthread_attr_init(&small) != 0) return;
  ticking_ = pthread_attr_setstacksize(&small, 1 << 17) == 0 && pthread_create(&clock_, &small, Run, this) == 0;
  pthread_attr_destroy(&small);
}

Phase::~Phase() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    done_ = true;
  }
  ended_.notify_all();
  if (ticking_) pthread_join(clock_, nullptr);
}

void Phase::Now(std::string what) {
  const std::lock_guard<std::mutex> lock(mutex_);
  what_ = std::move(what);
}

void* Phase::Run(void* phase) {
  static_cast<Phase*>(phase)->ShowSeconds();
  return nullptr;
}

void Phase::ShowSeconds() {
  const auto begin = std::chrono::steady_clock::now();
  std::unique_lock<std::mutex> lock(mutex_);
  int next = 1;
  while (!ended_.wait_until(lock, begin + std::chrono::seconds(next), [this] { return done_; })) {
    std::fprintf(out_, terminal_ ? "\r%s … %d s\033[K" : "%s … %d s\n", what_.c_str(), next);
    std::fflush(out_);
    next = terminal_ ? next + 1 : next / 10 * 10 + 10;
  }
  if (terminal_ && next > 1) std::fputs("\r\033[K", out_);
}

RunLog::RunLog(const std::string& file) : file_(file) {
  std::error_code error;
  if (!file.empty() && std::filesystem::exists(file, error)) {  // it may be an input of the run
    throw std::runtime_error(file + ": exists already; expected a new file for the log");
  }
}

RunLog::~RunLog() {
  if (!out_.is_open() || std::uncaught_exceptions() == 0 || NotedSignal() == 0) return;
  std::error_code ignored;  // the run has failed already
  std::filesystem::remove(file_, ignored);
}

void RunLog::Create() {
  // In case the name was taken meanwhile.
  const int fd = open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) throw std::runtime_error(file_ + ": cannot be created: " + std::generic_category().message(errno));
  close(fd);
  out_.open(file_);
}

void RunLog::Add(const std::string& run, const StepReport& r) {
  if (file_.empty()) return;
  if (!out_.is_open()) Create();
  const nlohmann::ordered_json line = {
      {"run", run},        {"step", r.result.step},           {"loss", r.result.loss},
      {"lr", r.result.lr}, {"grad_norm", r.result.grad_norm}, {"tokens_per_second", std::round(r.tokens_per_second)}};
  out_ << line.dump() << std::endl;  // flushed, so that a run can be followed
  if (!out_) throw std::runtime_error(file_ + ": cannot be written");
}

}  // namespace ampgrad::train
