#include "models/tokenizer/metaspace.h"

#include "tensor/io/utf8.h"

namespace ampgrad::models {

Metaspace::Metaspace(const io::JsonValue& item)
    : prepend(Prepend::kAlways), split(item.Field("split").BooleanOr(true)) {
  replacement = item.Field("replacement").String();
  if (replacement.empty() || io::CharacterAt(replacement, 0).size != static_cast<int>(replacement.size())) {
    item.Field("replacement").Fail("one character");
  }
  const io::JsonValue scheme = item.Field("prepend_scheme");
  const bool legacy = item.Field("add_prefix_space").BooleanOr(true);
  if (scheme.null()) {
    if (!legacy) prepend = Prepend::kNever;
    return;
  }
  if (scheme.String() == "first") {
    prepend = Prepend::kFirst;
  } else if (scheme.String() == "never") {
    prepend = Prepend::kNever;
  } else if (scheme.String() != "always") {
    scheme.Fail("\"first\", \"never\" or \"always\"");
  }
  if (!legacy && prepend != Prepend::kNever) scheme.Fail("\"never\", as add_prefix_space is false");
}

}  // namespace ampgrad::models
