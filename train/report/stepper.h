#pragma once

#include <string>
#include <vector>

/// A page that is read step by step.
namespace ampgrad::report {

struct Step {
  std::string heading;  // plain
  std::string body;     // HTML
};

/// The steps as a numbered list, each with the id "step-N", N from 1. Without a script all of them stand there; with
/// kStepScript one at a time.
std::string Steps(const std::vector<Step>& steps);

/// Shows one step at a time: the arrow keys, Home and End, two buttons and links to "#step-N" choose it, a button shows
/// all. The row or mark that has the class "of-step" and data-step="N" is marked and brought into view.
extern const char* const kStepScript;

}  // namespace ampgrad::report
