#include "ct/adapter/peft_reader.h"

#include <set>
#include <stdexcept>
#include <utility>

#include "ct/adapter/peft_config.h"
#include "ct/adapter/peft_names.h"
#include "tensor/io/own_file.h"
#include "tensor/io/safetensors_reader.h"
#include "tensor/io/text_file.h"
#include "tensor/kernels/kernels.h"

namespace ampgrad::ct {
namespace {

namespace fs = std::filesystem;

PeftConfig ReadConfig(const fs::path& directory) {
  const fs::path file = io::OwnFile(directory, kPeftConfig);
  return PeftConfig(io::ReadTextFile(file, kMaxPeftConfigBytes), file.string());
}

// The file of an adapter, read while the tensors that it must hold are ticked off.
class PeftTensors {
 public:
  explicit PeftTensors(const fs::path& file) : reader_(file) {
    for (const io::TensorEntry& entry : reader_.header().entries) left_.insert(entry.name);
  }

  Tensor Take(const std::string& name, const Shape& shape) {
    if (!reader_.Has(name)) throw std::runtime_error(reader_.file() + ": the tensor " + name + " is missing");
    if (const Shape found = reader_.ShapeOf(name); found != shape) {
      throw std::runtime_error(reader_.file() + ": expected " + name + " of shape " + shape.ToString() + ", found " +
                               found.ToString());
    }
    left_.erase(name);
    return reader_.ReadReal(name);
  }

  void RefuseLeftovers() const {
    if (left_.empty()) return;
    throw std::runtime_error(reader_.file() + ": the tensor " + io::QuoteName(*left_.begin()) + " belongs to no part " +
                             "of the model that " + kPeftConfig + " names");
  }

 private:
  io::SafetensorsReader reader_;
  std::set<std::string> left_;
};

PeftTensors OpenTensors(const fs::path& directory) {
  const fs::path file = io::OwnFile(directory, kPeftWeights);
  if (!io::IsThere(file) && io::IsThere(directory / "adapter_model.bin")) {
    throw std::runtime_error(
        file.string() + ": no such file; adapter_model.bin is not supported: save the adapter as " + "safetensors");
  }
  return PeftTensors(file);
}

MatrixUpdate ReadUpdate(const nn::Matrix& matrix, const std::string& module, const PeftConfig& config,
                        PeftTensors& tensors) {
  const bool embedding = IsEmbedding(matrix);
  const Index rank = config.RankOf(module);
  const UpdateNames names = PeftUpdateNames(module, embedding);
  Tensor a = tensors.Take(names.a, {rank, embedding ? matrix.out : matrix.in});
  Tensor b = tensors.Take(names.b, {embedding ? matrix.in : matrix.out, rank});
  if (embedding) {
    std::swap(a, b);
    a = kernels::Transposed(a);
    b = kernels::Transposed(b);
  }
  Tensor magnitude = config.has_magnitudes() ? tensors.Take(names.magnitude, {matrix.out}) : Tensor();
  return {matrix.name, std::move(a), std::move(b), config.ScaleOf(module), std::move(magnitude)};
}

// PEFT changes the embedding and leaves the head as it is, where a tied model has one matrix for both. And the
// magnitudes of an embedding are those of its columns.
void RefuseWhatTheModelCannotHold(const nn::Matrix& matrix, const PeftConfig& config, bool replaced,
                                  const fs::path& directory) {
  const std::string where = (directory / kPeftConfig).string();
  if (matrix.copies > 1) {
    throw std::runtime_error(where + ": an adapter of " + matrix.name +
                             " is not supported, as the head of this model is the same matrix");
  }
  if (IsEmbedding(matrix) && config.has_magnitudes() && !replaced) {
    throw std::runtime_error(where + ": use_dora is not supported for the embedding " + matrix.name);
  }
}

}  // namespace

LowRankAdapter ReadPeftAdapter(const fs::path& directory, const nn::Parts& parts,
                               const std::string& checkpoint_prefix) {
  const PeftConfig config = ReadConfig(directory);
  PeftTensors tensors = OpenTensors(directory);
  LowRankAdapter adapter;
  for (const nn::Matrix* matrix : parts.matrices) {
    const std::string module = PeftModule(matrix->name, checkpoint_prefix);
    const bool replaced = config.Replaces(module);
    if (!replaced && !config.Updates(module, matrix->kind)) continue;
    RefuseWhatTheModelCannotHold(*matrix, config, replaced, directory);
    if (replaced) {
      const std::string name = kPeftStart + module + ".weight";
      adapter.whole.push_back({matrix->name, tensors.Take(name, matrix->StoredShape())});
    } else {
      adapter.updates.push_back(ReadUpdate(*matrix, module, config, tensors));
    }
  }
  for (const Param* vector : parts.vectors) {
    const std::string module = PeftModule(vector->name, checkpoint_prefix);
    if (!config.Replaces(module)) continue;
    const std::string name = kPeftStart + module + vector->name.substr(vector->name.rfind('.'));
    adapter.whole.push_back({vector->name, tensors.Take(name, vector->value.shape())});
  }
  tensors.RefuseLeftovers();
  if (adapter.updates.empty()) {
    throw std::runtime_error((directory / kPeftConfig).string() +
                             ": expected target_modules to name a matrix of the model, found none that it has");
  }
  return adapter;
}

}  // namespace ampgrad::ct
