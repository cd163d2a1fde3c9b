#pragma once

#include <string>
#include <vector>

#include "train/study/plans/plan.h"

/// The papers' own experiments, as far as they are described, for any model.
namespace ampgrad::train {

/// What a paper says of its runs beside the arms.
struct Protocol {
  std::string name;  // "s76"
  Index steps;       // 0: it does not say
  const char* rows;  // that the basis is computed from, as ct::ParseRowsPolicy reads it
  Index sample;      // of them, rows of each matrix; 0: all
};

std::vector<std::string> ProtocolNames();
/// Throws std::invalid_argument for an unknown name.
const Protocol& ProtocolOf(const std::string& name);

/// The arms of a paper; chain and rows are those of `settings`. A K beyond the model's width is left out.
///   s62  full SFT; the weights of attention's output projection alone
///   s72  full SFT; start reconstructed with K = 8, in all layers
///   s76  the last two layers: full SFT without and with the head; start reconstructed with K = 8, 16, 32
///   s78  the same with K = 4, 8, 16, 32, 64, and the 128 that it predicts
std::vector<Arm> ArmsOf(const Protocol& protocol, models::LanguageModel& model, const PlanSettings& settings);

/// Gives every arm whose rate would be searched the rate of its method instead.
void TakeRates(std::vector<Arm>& arms, double (*rate_of_method)(const std::string& method));

/// A line for every choice that the paper leaves open: its number in the list P1 to P21 of what a reproduction must
/// state, what is to be chosen, and what is chosen here.
std::vector<std::string> OpenChoices(const Protocol& protocol);

}  // namespace ampgrad::train
