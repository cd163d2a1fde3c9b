#include "models/files/nf4_files.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "tensor/blocks.h"
#include "tensor/io/json.h"
#include "tensor/io/safetensors_header.h"

namespace ampgrad::models {
namespace {

const std::string kState = ".quant_state.bitsandbytes__nf4";
const char* const kParts[] = {".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"};

std::string WeightOf(const std::string& tensor, const std::string& suffix) {
  return tensor.ends_with(suffix) ? tensor.substr(0, tensor.size() - suffix.size()) : "";
}

}  // namespace

bool Nf4Files::Holds(const SafetensorsFiles& files) {
  return std::ranges::any_of(files.Names(), [](const std::string& name) { return name.ends_with(kState); });
}

Nf4Files::Nf4Files(std::unique_ptr<SafetensorsFiles> files) : files_(std::move(files)) {
  for (const std::string& name : files_->Names()) {
    if (const std::string weight = WeightOf(name, kState); !weight.empty()) states_[weight] = ReadState(weight);
  }
}

void Nf4Files::Fail(const std::string& tensor, const std::string& what) const {
  throw std::runtime_error(files_->FileOf(tensor) + ": tensor " + io::QuoteName(tensor) + ": expected " + what);
}

Nf4Files::State Nf4Files::ReadState(const std::string& weight) const {
  constexpr Index kMax = (Index{1} << 31) - 1;
  const std::string name = weight + kState;
  const std::string where = files_->FileOf(name) + ": tensor " + io::QuoteName(name);
  const nlohmann::json json = io::ParseJsonObject(files_->ReadBytes(name, "U8"), where);
  const io::JsonValue state(json, where), shape = state.Field("shape");
  if (state.Field("quant_type").String() != "nf4") state.Field("quant_type").Fail("\"nf4\"");
  if (!shape.json().is_array() || shape.json().size() != 2) shape.Fail("two extents");
  State read{{shape.Item(0).Integer(1, kMax), shape.Item(1).Integer(1, kMax)},
             state.Field("blocksize").Integer(32, 4096)};
  if (read.block % blocks::kRun != 0) state.Field("blocksize").Fail("a multiple of 32");
  if (files_->Has(weight + ".nested_absmax")) {
    read.nested_block = state.Field("nested_blocksize").Integer(1, kMax);
    read.nested_offset = static_cast<float>(state.Field("nested_offset").Number());
  }
  const Tensor map = files_->ReadReal(weight + ".quant_map");
  const bool same = map.size() == 16 && std::equal(map.begin(), map.end(), blocks::kNf4Values);
  if (!same) Fail(weight + ".quant_map", "the 16 values of NF4, found others");
  return read;
}

std::vector<std::string> Nf4Files::Names() const {
  std::vector<std::string> names;
  for (const std::string& name : files_->Names()) {
    const auto is_part = [&](const std::string& suffix) { return states_.contains(WeightOf(name, suffix)); };
    if (!is_part(kState) && std::ranges::none_of(kParts, is_part)) names.push_back(name);
  }
  return names;
}

Shape Nf4Files::ShapeOf(const std::string& name) const {
  const auto state = states_.find(name);
  return state == states_.end() ? files_->ShapeOf(name) : state->second.shape;
}

// The scale of each block: stored as such, or in bytes that stand for scales of their own.
std::vector<float> Nf4Files::ReadScales(const std::string& weight, const State& state) const {
  const std::string name = weight + ".absmax";
  const size_t count = static_cast<size_t>((state.shape.size() + state.block - 1) / state.block);
  std::vector<float> scales(count);
  if (state.nested_block == 0) {
    const Tensor plain = files_->ReadReal(name);
    if (static_cast<size_t>(plain.size()) != count) {
      Fail(name, std::to_string(count) + " scales, found " + std::to_string(plain.size()));
    }
    for (size_t i = 0; i < count; ++i) scales[i] = static_cast<float>(plain[static_cast<Index>(i)]);
    return scales;
  }
  const std::string codes = files_->ReadBytes(name, "U8");
  const Tensor values = files_->ReadReal(weight + ".nested_quant_map"),
               outer = files_->ReadReal(weight + ".nested_absmax");
  if (codes.size() != count) Fail(name, std::to_string(count) + " scales, found " + std::to_string(codes.size()));
  if (values.size() != 256) Fail(weight + ".nested_quant_map", "256 values, found " + std::to_string(values.size()));
  const Index wanted = (static_cast<Index>(count) + state.nested_block - 1) / state.nested_block;
  if (outer.size() != wanted) {
    Fail(weight + ".nested_absmax", std::to_string(wanted) + " scales, found " + std::to_string(outer.size()));
  }
  for (size_t i = 0; i < count; ++i) {
    const float value = static_cast<float>(values[static_cast<unsigned char>(codes[i])]);
    const float scale = static_cast<float>(outer[static_cast<Index>(i) / state.nested_block]);
    scales[i] = value * scale + state.nested_offset;
  }
  return scales;
}

StoredTensor Nf4Files::ReadStored(const std::string& name) const {
  const auto found = states_.find(name);
  if (found == states_.end()) return files_->ReadStored(name);
  const State& state = found->second;
  const std::string codes = files_->ReadBytes(name, "");
  const Index numbers = state.shape.size(), runs = (numbers + blocks::kRun - 1) / blocks::kRun;
  if (static_cast<Index>(codes.size()) != (numbers + 1) / 2) {
    Fail(name, std::to_string((numbers + 1) / 2) + " bytes for the shape " + state.shape.ToString() + ", found " +
                   std::to_string(codes.size()));
  }
  const std::vector<float> scales = ReadScales(name, state);
  Tensor storage = StorageOf(StoredType::kNf4, runs * blocks::kRun);
  auto* const made = reinterpret_cast<blocks::Nf4*>(storage.data());
  for (Index run = 0; run < runs; ++run) {
    const size_t at = static_cast<size_t>(run) * sizeof(blocks::Nf4::qs);
    made[run] = {};
    made[run].absmax = scales[static_cast<size_t>(run * blocks::kRun / state.block)];
    if (!std::isfinite(made[run].absmax)) Fail(name + ".absmax", "finite scales, found NaN or infinity");
    std::memcpy(made[run].qs, codes.data() + at, std::min(sizeof(made[run].qs), codes.size() - at));
  }
  if (state.shape.cols() % blocks::kRun == 0) return StoredTensor(StoredType::kNf4, state.shape, storage);
  Tensor wide = Tensor::Uninitialized(state.shape);
  Real run_wide[blocks::kRun];
  for (Index run = 0; run < runs; ++run) {
    blocks::WidenRun(StoredType::kNf4, made, run, run_wide);
    std::copy_n(run_wide, std::min(blocks::kRun, numbers - run * blocks::kRun), wide.data() + run * blocks::kRun);
  }
  return StoredTensor(wide);
}

}  // namespace ampgrad::models
