#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tensor/stored_tensor.h"

namespace ampgrad::models {

/// The weights of a model, whatever files hold them, by the names and in the shapes of Hugging Face's directories.
/// Every error is a std::runtime_error that names the file and, where there is one, the tensor.
class WeightFiles {
 public:
  virtual ~WeightFiles() = default;

  /// The file to name in messages that concern no tensor.
  virtual const std::string& file() const = 0;
  /// What a user should know although nothing is wrong, one sentence each.
  virtual const std::vector<std::string>& notes() const = 0;
  /// The names of all tensors, sorted.
  virtual std::vector<std::string> Names() const = 0;
  virtual bool Has(const std::string& name) const = 0;
  /// What the file itself calls a tensor, which it need not hold.
  virtual std::string OwnName(const std::string& name) const { return name; }

  /// The file that holds a tensor. This function and those below throw std::runtime_error when Has(name) is false.
  virtual const std::string& FileOf(const std::string& name) const = 0;
  virtual Shape ShapeOf(const std::string& name) const = 0;
  /// The numbers in Real. Refuses NaN and infinity, as the function below does.
  virtual Tensor ReadReal(const std::string& name) const = 0;
  /// A tensor as it is stored, in its place in the mapped file where rows stand there in order.
  virtual StoredTensor ReadStored(const std::string& name) const = 0;
};

/// The files that hold the weights of a model: those of a directory by their extension, or the parts of a GGUF file.
std::vector<std::filesystem::path> WeightPaths(const std::filesystem::path& model);
/// Opens the weights of a model directory (`SafetensorsFiles`, `Nf4Files`), or of a GGUF file (`GgufFiles`).
std::unique_ptr<WeightFiles> OpenWeights(const std::filesystem::path& model);

}  // namespace ampgrad::models
