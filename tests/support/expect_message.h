#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
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

/// Expects that `parse` refuses the file "f" that holds {key: value}, with a message that names file and field, and
/// ends with the value; what was expected stands between them.
template <class Parse>
void ExpectFieldRefused(Parse parse, const std::string& key, const nlohmann::json& value) {
  try {
    parse({{key, value}});
    ADD_FAILURE() << key << " = " << value << " was accepted";
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with("f: expected " + key + " to be ")) << message;
    EXPECT_TRUE(message.ends_with(", found " + value.dump())) << message;
  }
}

}  // namespace ampgrad
