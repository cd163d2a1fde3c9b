#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "train/methods/method.h"
#include "train/trainer.h"

/// Adaptive freezing (S62): matrices stop training, one part after another, before the run ends.
namespace ampgrad::train {

/// The orders in which matrices can stop: "pr", those whose scores have the lowest participation ratio first,
/// "pr-high", the highest first, "random", and "layers", the lowest first.
std::vector<std::string> FreezeOrders();
/// Whether the word is one of them; else it is the name of a file.
bool IsFreezeOrder(const std::string& word);

/// The matrices in the scope of `settings` that train in `model`, in this order. The participation ratio is that of the
/// scores of `bases`, with settings.k of them; settings.seed draws the random order. Throws std::invalid_argument for
/// another order, and for one by participation ratio where a method has no basis to take scores of.
std::vector<std::string> OrderToFreeze(models::LanguageModel& model, const std::string& order,
                                       const MethodSettings& settings, const Bases& bases);

/// The schedule of the study: the first half of `order` stops after a quarter of the steps, and the first three
/// quarters after half of them.
std::vector<Freeze> FreezeInParts(const std::vector<std::string>& order, Index steps);

/// Reads a schedule: a line "STEP MATRIX" for each matrix that stops after so many steps; lines that are empty or begin
/// with '#' say nothing. Throws std::runtime_error "FILE:LINE: …" for a line that is no such thing, for a matrix that
/// does not train in `model`, and for one that is named twice.
std::vector<Freeze> ReadFreezes(const std::filesystem::path& file, models::LanguageModel& model, Index steps);

/// The most that a run of `steps` steps can gain in time by leaving out dW of the frozen matrices, which is a third of
/// the work of a matrix's step (its product, dX and dW): 1/(1 − frozen/3), `frozen` being the share of numbers of the
/// trained matrices of `model` times steps that is frozen. 1 where nothing is frozen.
double MostFreezingSaves(models::LanguageModel& model, const std::vector<Freeze>& freezes, Index steps);

}  // namespace ampgrad::train
