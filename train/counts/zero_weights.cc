#include "train/counts/zero_weights.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "nn/forms/frozen.h"
#include "nn/modules.h"
#include "tensor/io/gguf/gguf_names.h"
#include "tensor/io/mapped_zeros.h"

namespace ampgrad::train {

namespace {

StoredType TypeOf(const nn::Matrix& matrix, StoredType type) {
  if (type == StoredType::kNf4 && matrix.kind != nn::MatrixKind::kBlock) return StoredType::kBf16;
  return matrix.StoredShape().cols() % BlockOf(type).numbers == 0 ? type : StoredType::kF16;
}

}  // namespace

void UseZeroWeights(models::LanguageModel& model, StoredType type) {
  const nn::Parts parts = model.Parts();
  Index most = 1;
  for (const nn::Matrix* matrix : parts.matrices) {
    most = std::max(most, BytesOf(TypeOf(*matrix, type), matrix->StoredShape().size()));
  }
  const std::shared_ptr<const void> zeros = io::MapZeros(most);  // all matrices are views of the same
  for (nn::Matrix* matrix : parts.matrices) {
    const StoredTensor weight(TypeOf(*matrix, type), matrix->StoredShape(), zeros);
    matrix->form = std::make_unique<nn::Frozen>(weight, matrix->layout);
  }
  nn::MakeVectors(parts);
}

Index BytesToCopy(models::LanguageModel& model, StoredType type) {
  const std::string architecture = model.Config().at("model_type");
  Index bytes = 0;
  for (const nn::Matrix* matrix : model.Parts().matrices) {
    const bool in_pairs = io::PairedHeadsOf(architecture, matrix->name) != io::PairedHeads::kNone;
    const bool copied = type == StoredType::kNf4 ? matrix->kind == nn::MatrixKind::kBlock : HasBlocks(type) && in_pairs;
    if (copied) bytes += matrix->form->MappedBytes();
  }
  return bytes;
}

}  // namespace ampgrad::train
