#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/files/safetensors_files.h"
#include "models/files/weight_files.h"

namespace ampgrad::models {

/// The weights of a directory whose matrices bitsandbytes quantised to NF4, plain or nested (Dettmers et al.,
/// arXiv:2305.14314). A matrix is read into blocks of 32 numbers, each with its scale, in memory of its own; one whose
/// rows are no multiple of 32 numbers is widened. Errors as in `WeightFiles`.
class Nf4Files : public WeightFiles {
 public:
  /// Whether some weight of the files is such a matrix.
  static bool Holds(const SafetensorsFiles& files);
  /// Throws for a quantised matrix whose parts are missing, or whose description is not that of NF4.
  explicit Nf4Files(std::unique_ptr<SafetensorsFiles> files);

  const std::string& file() const override { return files_->file(); }
  const std::vector<std::string>& notes() const override { return files_->notes(); }
  std::vector<std::string> Names() const override;
  bool Has(const std::string& name) const override { return files_->Has(name); }
  const std::string& FileOf(const std::string& name) const override { return files_->FileOf(name); }
  Shape ShapeOf(const std::string& name) const override;
  Tensor ReadReal(const std::string& name) const override { return ReadStored(name).Widened(); }
  StoredTensor ReadStored(const std::string& name) const override;

 private:
  // What the quantisation of a matrix is.
  struct State {
    Shape shape;             // [out, in]
    Index block;             // numbers with one scale
    Index nested_block = 0;  // scales with one scale of their own; 0: scales are plain
    float nested_offset = 0;
  };

  State ReadState(const std::string& weight) const;
  std::vector<float> ReadScales(const std::string& weight, const State& state) const;
  [[noreturn]] void Fail(const std::string& tensor, const std::string& what) const;

  std::unique_ptr<SafetensorsFiles> files_;
  std::map<std::string, State> states_;  // by the name of the weight
};

}  // namespace ampgrad::models
