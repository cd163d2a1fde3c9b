#include "train/study/study_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tensor/io/json.h"
#include "tensor/io/own_file.h"
#include "tensor/io/text_file.h"

namespace ampgrad::train {
namespace {

// The file, open to be added to and locked until it is closed.
class Locked {
 public:
  explicit Locked(const std::filesystem::path& file)
      : file_(file), fd_(open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
    if (fd_ < 0 || flock(fd_, LOCK_EX) != 0) Fail("open");
  }
  ~Locked() {
    if (fd_ >= 0) close(fd_);
  }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

  /// Cuts off a last line without its end.
  void CutPartialLine() {
    const off_t size = lseek(fd_, 0, SEEK_END);
    off_t whole = size;
    for (char last = 0; whole > 0; --whole) {
      if (pread(fd_, &last, 1, whole - 1) != 1) Fail("read");
      if (last == '\n') break;
    }
    if (whole != size && ftruncate(fd_, whole) != 0) Fail("shorten");
  }
  void Write(const std::string& line) {
    if (write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size()) || fsync(fd_) != 0) Fail("write");
  }

 private:
  [[noreturn]] void Fail(const char* what) const {
    throw std::runtime_error(file_.string() + ": cannot " + what + " it: " + std::strerror(errno));
  }

  std::filesystem::path file_;
  int fd_;
};

constexpr int64_t kMostBytes = int64_t{1} << 53;

std::vector<CutScores> ReadCuts(const io::JsonValue& line) {
  std::vector<CutScores> cuts;
  for (const io::JsonValue& cut : line.Field("matrices").Items()) {
    cuts.push_back({cut.Field("name").String(), cut.Field("pr").Number(), cut.Field("rise").Number()});
  }
  return cuts;
}

WrittenFile ReadFile(const io::JsonValue& line) {
  const auto bytes = [&](const char* name) { return line.Field(name).Integer(0, kMostBytes); };
  return {line.Field("arm").String(), bytes("model"), bytes("scores"), bytes("basis"), bytes("frozen"),
          line.Field("loss").Number()};
}

}  // namespace

StudyFile::StudyFile(const std::filesystem::path& directory) : file_(directory / "runs.jsonl") {
  if (!io::IsThere(file_)) return;
  const std::string text = io::ReadTextFile(file_);
  Index number = 0;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    ReadLine(text.substr(begin, end - begin), ++number);
  }
}

void StudyFile::ReadLine(const std::string& text, Index number) {
  const std::string where = file_.string() + ":" + std::to_string(number);
  const nlohmann::json json = io::ParseJsonObject(text, where);
  const io::JsonValue line(json, where);
  const std::string kind = line.Field("line").String();
  if (kind == "run") {
    runs_.push_back(ReadStudyRun(line));
    run_lines_.push_back(number);
  } else if (kind == "rate") {
    const double loss = line.Has("loss") ? line.Field("loss").Number() : INFINITY;
    tried_[line.Field("arm").String()][line.Field("lr").Number()] = loss;
  } else if (kind == "norm") {
    const double norm = line.Has("norm") ? line.Field("norm").Number() : INFINITY;
    norms_[line.Field("arm").String()][line.Field("lr").Number()] = norm;
  } else if (kind == "capture") {
    capture_lines_.push_back(number);
    auto& by_k = captures_[static_cast<uint64_t>(line.Field("seed").Integer(0, int64_t{1} << 53))];
    for (const auto& [k, share] : line.Field("by_k").json().items()) by_k[std::stoll(k)] = share.get<double>();
  } else if (kind == "cut scores") {
    cuts_line_ = number;
    cuts_ = ReadCuts(line);
  } else if (kind == "file") {
    file_lines_.push_back(number);
    files_.push_back(ReadFile(line));
  } else {
    line.Field("line").Fail("run, rate, norm, capture, cut scores or file");
  }
}

void StudyFile::Append(const nlohmann::ordered_json& line) {
  if (file_.empty()) return;
  Locked file(file_);
  file.CutPartialLine();
  file.Write(io::JsonText(line) + "\n");
}

bool StudyFile::HasRun(const std::string& arm, uint64_t seed) const {
  for (const StudyRun& run : runs_) {
    if (run.arm.name == arm && run.seed == seed) return true;
  }
  return false;
}

size_t StudyFile::TriedCount(const std::string& arm) const {
  const auto found = tried_.find(arm);
  return found == tried_.end() ? 0 : found->second.size();
}

void StudyFile::AddRun(const StudyRun& record) {
  Append(ToJson(record));
  runs_.push_back(record);
}

void StudyFile::AddTried(const std::string& arm, double lr, double loss) {
  Append({{"line", "rate"}, {"arm", arm}, {"lr", lr}, {"loss", loss}});
  tried_[arm][lr] = loss;
}

void StudyFile::AddNorm(const std::string& arm, double lr, double norm) {
  Append({{"line", "norm"}, {"arm", arm}, {"lr", lr}, {"norm", norm}});
  norms_[arm][lr] = norm;
}

void StudyFile::AddCapture(uint64_t seed, const std::map<Index, double>& by_k) {
  nlohmann::ordered_json shares = nlohmann::ordered_json::object();
  for (const auto& [k, share] : by_k) shares[std::to_string(k)] = share;
  Append({{"line", "capture"}, {"seed", seed}, {"by_k", shares}});
  captures_[seed] = by_k;
}

void StudyFile::AddCuts(Index k, const std::vector<CutScores>& cuts) {
  nlohmann::ordered_json matrices = nlohmann::ordered_json::array();
  for (const auto& [name, pr, rise] : cuts) matrices.push_back({{"name", name}, {"pr", pr}, {"rise", rise}});
  Append({{"line", "cut scores"}, {"k", k}, {"matrices", matrices}});
  cuts_ = cuts;
}

void StudyFile::AddFile(const WrittenFile& file) {
  Append({{"line", "file"},
          {"arm", file.arm},
          {"model", file.model},
          {"scores", file.scores},
          {"basis", file.basis},
          {"frozen", file.frozen},
          {"loss", file.loss}});
  files_.push_back(file);
}

}  // namespace ampgrad::train
