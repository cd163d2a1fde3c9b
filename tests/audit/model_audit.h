#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "models/language_model.h"
#include "tensor/io/safetensors_reader.h"
#include "tensor/io/safetensors_writer.h"
#include "tests/audit/findings.h"
#include "train/data/chat_data.h"

namespace ampgrad::audit {

/// Told about each tensor as it is done: its number, of how many, and its name.
using ModelProgress = std::function<void(size_t done, size_t all, const std::string& name)>;

/// Audits every parameter tensor of a model on one batch, in the precision of the build: first the model as it is, all
/// of it trained, then in amplitude form (start exact, K = 8), where the scores are trained and everything else is
/// frozen. Of each trained tensor the entries of largest gradient and random ones are held against a central difference
/// of the loss, and so is the whole tensor along its gradient and along a random direction.
std::vector<LedgerEntry> AuditModel(models::LanguageModel& model, const train::Batch& batch, uint64_t seed,
                                    const ModelProgress& progress = nullptr);

/// Holds what a backward takes as a constant: the norms of DoRA. By definition its gradients of A and B are not those
/// of the loss while the norms move.
void HoldConstants(models::LanguageModel& model);

/// The gradients of all parameters of the model but those that a form keeps frozen.
std::vector<io::NamedTensor> DenseGradients(models::LanguageModel& model, const train::Batch& batch);

/// Fills in float_error: how far gradients that the float build wrote are from `gradients` of this one.
void CompareWithFloat(const std::vector<io::NamedTensor>& gradients, const io::SafetensorsReader& in_float,
                      std::vector<LedgerEntry>& ledger);

/// The first batch of a file of JSON lines (*.jsonl) or of a text, for a model of `vocabulary` tokens.
train::Batch ReadBatch(const train::ChatSource& source, const models::LanguageModel& model);

}  // namespace ampgrad::audit
