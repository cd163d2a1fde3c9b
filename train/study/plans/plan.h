#pragma once

#include <string>
#include <vector>

#include "train/study/plans/arm.h"

namespace ampgrad::train {

/// What a plan is made for.
struct PlanSettings {
  Scope scope = {};  // of every arm but those of the plan "scope"
  nn::Chain chain = nn::Chain::kFactored;
  ct::RowsPolicy rows = ct::RowsPolicy::kBlocks;
  Index steps = 50;
};

/// The peak rate that the papers give, 1e-5 for full fine-tuning and 5e-4 for scores; of other methods the default.
double PaperRate(const std::string& method);

/// The matrices of attention's output projection in the layers of `scope`.
Scope OutputProjection(const models::LanguageModel& model, Scope scope = {});

/// The names of all plans; "all" is every other one together.
std::vector<std::string> PlanNames();

/// The arms of a plan for `model`, each once, in the order in which they run. An arm that several plans ask for has all
/// their groups. Full fine-tuning of the scope comes first, as every efficiency is measured by it.
///   frontier  amplitude from both starts at K = 1, 2, 4, … up to d, at most 128; full SFT; two levels
///   bases     at K = 8 and 32: every kind of basis from the exact start, two from the reconstructed one
///   peers     at K = 8 and 32: LoRA of the same rank and of about as many numbers, LoRA-FA, PiSSA, DoRA, sparse, core,
///             VeRA with random and with universal factors; scores and LoRA at each other's ‖ΔW‖
///   scope     attention's output projection alone, the last two layers with and without the head, head, norms
///   starts    {exact, reconstructed} × {scores, whole matrices} at K = 8
///   length    5, 50 and 500 steps of full SFT and of both starts at K = 8 and 32; four times the steps on 64 samples
///   rates     the papers' fixed rates, 1e-5 for full SFT and 5e-4 for scores, beside the searched ones
///   freezing  start exact, K = 8: half of the matrices stop at a quarter of the steps, three quarters at half, in each
///             order (FreezeOrders)
/// Throws std::invalid_argument for an unknown plan.
std::vector<Arm> ArmsOf(const std::string& plan, models::LanguageModel& model, const PlanSettings& settings);

}  // namespace ampgrad::train
