#include "models/tokenizer/post_processor.h"

#include <cstdint>

#include "models/tokenizer/normalizer.h"

namespace ampgrad::models {
namespace {

// The ids of a special token of a template.
std::vector<int> IdsOf(const io::JsonValue& name, const io::JsonValue& special_tokens) {
  const io::JsonValue token = special_tokens.Field(name.String());
  if (token.null()) name.Fail("one of special_tokens");
  std::vector<int> ids;
  for (const io::JsonValue& id : token.Field("ids").Items())
    ids.push_back(static_cast<int>(id.Integer(0, INT32_MAX - 1)));
  return ids;
}

}  // namespace

PostProcessor::PostProcessor(const io::JsonValue& item) {
  bool found_template = false;
  for (const io::JsonValue& step : StepsOf(item, "processors")) {
    const io::JsonValue type = step.Field("type");
    if (type.String() == "ByteLevel") continue;
    if (type.String() != "TemplateProcessing") type.Fail("\"ByteLevel\", \"TemplateProcessing\" or \"Sequence\"");
    if (found_template) type.Fail("a step of another type, as there is a template already");
    found_template = true;
    bool after_text = false;
    for (const io::JsonValue& piece : step.Field("single").Items()) {
      const io::JsonValue special = piece.Field("SpecialToken");
      if (!special.null()) {
        std::vector<int>& side = after_text ? suffix : prefix;
        const std::vector<int> ids = IdsOf(special.Field("id"), step.Field("special_tokens"));
        side.insert(side.end(), ids.begin(), ids.end());
      } else if (piece.Field("Sequence").Field("id").String() != "A" || after_text) {
        piece.Fail("a special token, or once the sequence A");
      } else {
        after_text = true;
      }
    }
    if (!after_text) step.Field("single").Fail("an array with the sequence A");
  }
}

}  // namespace ampgrad::models
