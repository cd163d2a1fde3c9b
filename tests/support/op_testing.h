#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "tests/reference/grad_check.h"
#include "tests/reference/numbers.h"
#include "tests/reference/ops.h"
#include "tests/support/mean_loss.h"

/// What the tests of the ops share. Every op is held against its scalar reference, forward and gradient, at sizes that
/// leave every kind of vector tail; then what it must refuse, and the identities its gradient must obey.
namespace ampgrad {

using ops::Layout;

/// The sizes of a case, for the trace of a failure.
inline std::string Sizes(const std::vector<Index>& sizes) {
  std::string text = "sizes";
  for (const Index size : sizes) text += " " + std::to_string(size);
  return text;
}

/// CheckGrad as an assertion.
inline void ExpectGradMatches(const std::string& name, const OpFn& op, const ReferenceFn& reference,
                              const std::vector<CheckInput>& inputs, uint64_t seed) {
  const GradReport report = CheckGrad(name, op, reference, inputs, seed);
  EXPECT_TRUE(report.Passed()) << report.ToString();
}

/// Expects std::invalid_argument with a message that starts with "[op]".
inline void ExpectRejects(const std::string& op, const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "[" << op << "] accepted what it must reject";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::string(error.what()).rfind("[" + op + "]", 0), 0u) << error.what();
  }
}

}  // namespace ampgrad
