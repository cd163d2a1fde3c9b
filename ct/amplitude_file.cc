#include "ct/amplitude_file.h"

#include "tensor/io/safetensors_writer.h"

namespace ampgrad::ct {

void WriteAmplitudes(const std::filesystem::path& file, const Basis& basis, Start start,
                     const std::vector<Param*>& trained) {
  std::vector<io::NamedTensor> tensors = {{"basis", basis.vectors}, {"mean", basis.mean}};
  for (const Param* param : trained) tensors.push_back({param->name, param->value});
  io::WriteSafetensors(file, tensors, {{"format", "pt"}, {"start", ToString(start)}});
}

}  // namespace ampgrad::ct
