#include "train/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "train/report/format.h"

namespace ampgrad::train {
namespace {

constexpr double kSecondsBetweenLines = 10;
constexpr double kSecondsBetweenRedraws = 0.1;
constexpr Index kBarWidth = 12;

std::string Clock(double seconds) {
  char text[32];
  const int whole = static_cast<int>(std::lround(seconds));
  std::snprintf(text, sizeof text, "%d:%02d", whole / 60, whole % 60);
  return text;
}

// The width of a terminal; a line that is longer would not be overwritten by the next.
size_t Columns(std::FILE* out) {
  winsize size = {};
  return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

}  // namespace

Progress::Progress(std::string label, std::FILE* out)
    : label_(std::move(label)), out_(out), terminal_(isatty(fileno(out))) {}

void Progress::Show(const StepReport& r, bool last) {
  if (r.validation_loss) evaluation_ = report::Format(", validation loss %.4f", *r.validation_loss);
  if (r.held_out_loss) evaluation_ = report::Format(", held-out loss %.4f", *r.held_out_loss);
  const bool evaluated = r.validation_loss || r.held_out_loss;
  const double pause = terminal_ ? kSecondsBetweenRedraws : kSecondsBetweenLines;
  if (!last && !evaluated && r.seconds - last_shown_ < pause) return;
  last_shown_ = r.seconds;
  const double left = r.seconds / static_cast<double>(r.here) * static_cast<double>(r.steps - r.result.step);
  const std::string figures = report::Format(
      "%lld/%lld, loss %.4f%s, rate %.2g, %.0f tokens/s, %.0f MB, %s left", static_cast<long long>(r.result.step),
      static_cast<long long>(r.steps), r.result.loss, evaluation_.c_str(), r.result.lr, r.tokens_per_second,
      static_cast<double>(Tensor::PeakBytes()) * 1e-6, Clock(last ? 0 : left).c_str());
  if (terminal_) {
    const size_t filled = static_cast<size_t>(kBarWidth * r.result.step / r.steps);
    const std::string line =
        label_ + " [" + std::string(filled, '=') + std::string(kBarWidth - filled, ' ') + "] " + figures;
    std::fprintf(out_, "\r%s\033[K%s", line.substr(0, Columns(out_) - 1).c_str(), last ? "\n" : "");
  } else {
    std::fprintf(out_, "%s: step %s\n", label_.c_str(), figures.c_str());
  }
  std::fflush(out_);
}

void Progress::Say(const std::string& line) {
  std::fprintf(out_, "%s%s\n", terminal_ ? "\r\033[K" : "", line.c_str());
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

}  // namespace ampgrad::train
