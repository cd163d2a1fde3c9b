#pragma once

#include "models/language_model.h"

namespace ampgrad::train {

/// Gives a model of shapes alone zeros for numbers, so that a step of it can be tried for the memory that it takes.
/// Matrices are held in `type`, or in F16 where their rows are no multiple of its blocks, as if they lay in a mapped
/// file; they take no memory. With NF4, which is for linear maps alone, the vocabulary is in BF16. Throws
/// std::invalid_argument for a type that is wider than Real.
void UseZeroWeights(models::LanguageModel& model, StoredType type);

/// Bytes of the matrices in such a file that a reader copies to memory: in a GGUF file, which blocks are taken to come
/// from, queries and keys of a Llama; of NF4 all blocks, as scales and codes lie apart.
Index BytesToCopy(models::LanguageModel& model, StoredType type);

}  // namespace ampgrad::train
