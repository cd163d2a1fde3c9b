// Any bytes as a tokenizer.json: either they are refused in a sentence, or the tokenizer refuses or encodes every text,
// and decodes the ids alike as a whole and as a stream.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/tokenizer/tokenizer.h"
#include "tensor/io/json.h"

namespace ampgrad::models {
namespace {

void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

std::string Streamed(const Tokenizer& tokenizer, const std::vector<int>& ids) {
  StreamDecoder stream(tokenizer, false);
  std::string text;
  for (const int id : ids) text += stream.Push(id);
  return text + stream.Finish();
}

void Use(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<int> ids;
  try {
    ids = tokenizer.Encode(text, true, Tokenizer::Markup::kTokens);
  } catch (const std::runtime_error&) {
    return;  // a character without a token
  }
  for (const int id : ids) Expect(id >= 0 && id < tokenizer.vocabulary(), "ids are below vocabulary()");
  Expect(Streamed(tokenizer, ids) == tokenizer.Decode(ids), "a stream gives what the whole does");
  Tokenizer::FromJson(tokenizer.ToJson(), "again");
}

}  // namespace
}  // namespace ampgrad::models

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ampgrad::models;
  const std::string input(reinterpret_cast<const char*>(data), size);
  try {
    const Tokenizer tokenizer = Tokenizer::FromJson(ampgrad::io::ParseJson(input, "input"), "input");
    Use(tokenizer, "a b  ab</s> <s>\n\u00E9\U0001F600▁12<0x41>");
    Use(tokenizer, input.substr(0, 64));
  } catch (const std::runtime_error&) {
  }
  return 0;
}
