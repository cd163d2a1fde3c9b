#include "train/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>

#include "tensor/io/json.h"
#include "tensor/io/safetensors_reader.h"
#include "tensor/io/safetensors_writer.h"
#include "tensor/io/staged_directory.h"
#include "tensor/kernels/simd/simd_target.h"

namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;

constexpr char kState[] = "state.safetensors", kMetadata[] = "ampgrad_run";
constexpr const char* kNumberType = sizeof(Real) == sizeof(float) ? "float" : "double";

using Slots = std::vector<Optimizer::Slot>;

// A tensor of the state.
struct Part {
  std::string name;
  const Tensor* value;
};

std::vector<Part> PartsOf(const Slots& slots, const std::vector<Tensor>& best) {
  std::vector<Part> parts;
  for (size_t i = 0; i < slots.size(); ++i) {
    const std::string& name = slots[i].param->name;
    parts.push_back({"param." + name, &slots[i].param->value});
    if (!slots[i].m.empty()) parts.push_back({"m." + name, &slots[i].m});
    if (!slots[i].v.empty()) parts.push_back({"v." + name, &slots[i].v});
    if (!best.empty()) parts.push_back({"best." + name, &best[i]});
  }
  return parts;
}

nlohmann::json Metadata(const io::SafetensorsReader& reader) {
  const auto& metadata = reader.header().metadata;
  const auto found = metadata.find(kMetadata);
  if (found == metadata.end()) throw std::runtime_error(reader.file() + ": expected the state of a run, found none");
  return io::ParseJsonObject(found->second, reader.file());
}

// Copies a tensor of the state into the storage of `to`.
void ReadInto(const io::SafetensorsReader& reader, const std::string& name, Tensor& to) {
  if (!reader.Has(name)) throw std::runtime_error(reader.file() + ": expected the tensor " + name + ", found none");
  const Tensor value = reader.ReadReal(name);
  if (value.shape() != to.shape()) {
    throw std::runtime_error(reader.file() + ": expected " + name + " of shape " + to.shape().ToString() + ", found " +
                             value.shape().ToString());
  }
  std::copy(value.begin(), value.end(), to.begin());
}

// What processes left that were killed as they wrote a state.
void RemoveOrphans(const fs::path& directory) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    std::error_code ignored;  // it is in nobody's way
    if (entry.path().extension() == ".tmp") fs::remove(entry.path(), ignored);
  }
}

}  // namespace

fs::path RunDirectory::For(const fs::path& out) {
  fs::path directory = out.lexically_normal();
  if (!directory.has_filename()) directory = directory.parent_path();
  if (directory == "." || directory.filename() == "..") directory = fs::weakly_canonical(fs::absolute(directory));
  return directory += ".run";
}

RunDirectory::RunDirectory(fs::path directory, RunRecord record, bool resume, Ranks& ranks)
    : directory_(std::move(directory)), record_(std::move(record)), resumed_(resume), ranks_(ranks) {
  std::error_code error;
  if (resume) {
    RequireSameRun();
    if (!ranks_.IsFirst()) return;
    Lock();
    RemoveOrphans(directory_);
  } else if (fs::exists(directory_ / kState, error)) {
    throw std::runtime_error(directory_.string() + ": holds the state of a run that did not end; go on with '" +
                             HowToGoOn() + "', or remove it");
  } else {
    const io::StagedDirectory trial(directory_);
  }
}

RunDirectory::~RunDirectory() {
  if (lock_ >= 0) close(lock_);
}

// Two processes would write the same state, but also the same log. The lock goes with the process.
void RunDirectory::Lock() {
  lock_ = open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ >= 0 && flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  const std::string reason = errno == EWOULDBLOCK ? "another process goes on with this run"
                                                  : "cannot be locked: " + std::generic_category().message(errno);
  if (lock_ >= 0) close(lock_);
  throw std::runtime_error(directory_.string() + ": " + reason);
}

void RunDirectory::RequireSameRun() {
  const io::SafetensorsReader reader(directory_ / kState);
  const nlohmann::json json = Metadata(reader);
  const io::JsonValue metadata(json, reader.file());
  if (const std::string numbers = metadata.Field("numbers").String(); numbers != kNumberType) {
    throw std::runtime_error(reader.file() + ": expected numbers of type " + kNumberType + ", found " + numbers);
  }
  const nlohmann::json& inputs = metadata.Field("inputs").json();
  if (!inputs.is_object() || inputs.size() != record_.inputs.size()) {
    metadata.Field("inputs").Fail("a list of " + std::to_string(record_.inputs.size()) + " files");
  }
  for (const auto& [name, digest] : record_.inputs) {
    const std::string before = metadata.Field("inputs").Field(name).StringOr("nothing");
    if (before == digest) continue;
    throw std::runtime_error(name + ": has changed since the run began: expected " + before + ", found " + digest);
  }
  const std::string simd = metadata.Field("simd").String();
  const std::vector<std::string> targets = SimdTargets();
  if (std::find(targets.begin(), targets.end(), simd) == targets.end()) {
    throw std::runtime_error(directory_.string() + ": expected a CPU with " + simd +
                             ", on which the run began, as other instructions round otherwise; found " + targets[0]);
  }
  UseSimdTarget(simd);
  for (const auto& item : metadata.Field("once").json().items()) {
    numbers_[item.key()] = metadata.Field("once").Field(item.key()).Number();
  }
}

double RunDirectory::Once(const std::string& name, const std::function<double()>& compute) {
  const auto known = numbers_.find(name);
  return known != numbers_.end() ? known->second : numbers_[name] = compute();
}

void RunDirectory::Save(const Trainer& trainer, const RunState& state) {
  RequireSameTrained(trainer);
  if (!ranks_.IsFirst()) return;
  if (lock_ >= 0) return WriteState(directory_ / kState, trainer, state);
  io::StagedDirectory first(directory_);
  io::WriteFileAtomically(first.path() / kSettings, record_.settings);
  WriteState(first.path() / kState, trainer, state);
  first.Commit();
  Lock();
}

void RunDirectory::WriteState(const fs::path& file, const Trainer& trainer, const RunState& state) const {
  const Slots& slots = trainer.optimizer().slots();
  nlohmann::json metadata = {{"step", trainer.step()},
                             {"exponent", trainer.exponent()},
                             {"best_step", state.best_step},
                             {"worse", state.worse},
                             {"log_bytes", state.log_bytes},
                             {"numbers", kNumberType},
                             {"simd", SimdTarget()},
                             {"once", numbers_},
                             {"inputs", nlohmann::json::object()},
                             {"steps", nlohmann::json::array()}};
  if (state.best_step > 0) metadata["best_loss"] = state.best_loss;
  for (const auto& [name, digest] : record_.inputs) metadata["inputs"][name] = digest;
  for (const Optimizer::Slot& slot : slots) metadata["steps"].push_back(slot.steps);

  std::vector<io::NamedTensor> tensors;
  for (const Part& part : PartsOf(slots, state.best)) tensors.push_back({part.name, *part.value});
  io::WriteSafetensors(file, tensors, {{kMetadata, io::JsonText(metadata)}}, kRealType);
}

RunState RunDirectory::Load(Trainer& trainer) const {
  constexpr Index kMany = Index{1} << 60;
  const io::SafetensorsReader reader(directory_ / kState);
  const nlohmann::json json = Metadata(reader);
  const io::JsonValue metadata(json, reader.file());
  RunState state;
  state.best_step = metadata.Field("best_step").Integer(0, kMany);
  state.worse = metadata.Field("worse").Integer(0, kMany);
  state.log_bytes = metadata.Field("log_bytes").Integer(0, kMany);
  if (state.best_step > 0) state.best_loss = metadata.Field("best_loss").Number();
  constexpr Index kMostExponent = 1100;
  trainer.GoOnFrom(metadata.Field("step").Integer(0, trainer.options().steps),
                   static_cast<int>(metadata.Field("exponent").Integer(-kMostExponent, kMostExponent)));

  Slots& slots = trainer.optimizer().slots();
  const std::vector<Index> steps = metadata.Field("steps").Integers(0, kMany);
  if (steps.size() != slots.size()) {
    metadata.Field("steps").Fail("a list of " + std::to_string(slots.size()) + " numbers");
  }
  for (size_t i = 0; i < slots.size(); ++i) {
    const std::string& name = slots[i].param->name;
    slots[i].steps = steps[i];
    ReadInto(reader, "param." + name, slots[i].param->value);
    if (!slots[i].m.empty()) ReadInto(reader, "m." + name, slots[i].m);
    if (!slots[i].v.empty()) ReadInto(reader, "v." + name, slots[i].v);
    if (!reader.Has("best." + slots[0].param->name)) continue;
    state.best.emplace_back(slots[i].param->value.shape());
    ReadInto(reader, "best." + name, state.best.back());
  }
  return state;
}

void RunDirectory::Remove() const {
  if (!ranks_.IsFirst()) return;
  // The state first: what is left of it if the process is killed meanwhile is no run to go on with.
  std::error_code ignored;  // the result is in its place; what stays behind is in nobody's way
  fs::remove(directory_ / kState, ignored);
  fs::remove_all(directory_, ignored);
}

}  // namespace ampgrad::train
