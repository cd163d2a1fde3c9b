#pragma once

#include <gtest/gtest.h>

#include <string>

namespace ampgrad {

/// Expects that `body` throws an `Exception` with exactly this message.
template <class Exception, class Body>
void ExpectMessage(Body body, const std::string& message) {
  try {
    body();
  } catch (const Exception& error) {
    EXPECT_EQ(error.what(), message);
    return;
  }
  ADD_FAILURE() << "nothing was thrown; expected: " << message;
}

}  // namespace ampgrad
