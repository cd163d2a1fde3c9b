#include "train/progress.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

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

RunLog::RunLog(const std::string& file) : file_(file) {
  if (file.empty()) return;
  std::error_code error;
  if (std::filesystem::is_regular_file(file, error)) {  // it may be an input of the run
    throw std::runtime_error(file + ": exists already; expected a new file for the log");
  }
  out_.open(file);
  if (!out_) throw std::runtime_error(file + ": cannot be created");
}

void RunLog::Add(const std::string& run, const StepReport& r) {
  if (file_.empty()) return;
  const nlohmann::ordered_json line = {
      {"run", run},        {"step", r.result.step},           {"loss", r.result.loss},
      {"lr", r.result.lr}, {"grad_norm", r.result.grad_norm}, {"tokens_per_second", std::round(r.tokens_per_second)}};
  out_ << line.dump() << std::endl;  // flushed, so that a run can be followed
  if (!out_) throw std::runtime_error(file_ + ": cannot be written");
}

}  // namespace ampgrad::train
