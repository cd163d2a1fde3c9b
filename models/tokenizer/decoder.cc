#include "models/tokenizer/decoder.h"

#include <cstdint>

#include "models/tokenizer/decoder_steps.h"
#include "tensor/io/utf8.h"

namespace ampgrad::models {
namespace {

using Next = std::unique_ptr<DecoderStep>;

std::function<Next(Next)> StripMaker(const io::JsonValue& item) {
  const io::JsonValue content = item.Field("content");
  if (content.String().empty() ||
      io::CharacterAt(content.String(), 0).size != static_cast<int>(content.String().size())) {
    content.Fail("one character");
  }
  const Index start = item.Field("start").Integer(0, INT32_MAX), stop = item.Field("stop").Integer(0, INT32_MAX);
  return [=, c = content.String()](Next next) { return std::make_unique<StripStep>(std::move(next), c, start, stop); };
}

template <class Step>
Next Make(Next next) {
  return std::make_unique<Step>(std::move(next));
}

}  // namespace

Decoder::Decoder(const io::JsonValue& item) {
  size_t growth = 1;
  for (const io::JsonValue& step : StepsOf(item, "decoders")) {
    const io::JsonValue type = step.Field("type");
    const std::string& name = type.String();
    if (name == "ByteLevel") {
      steps_.push_back(Make<ByteLevelStep>);
    } else if (name == "ByteFallback") {
      steps_.push_back(Make<ByteFallbackStep>);
    } else if (name == "Fuse") {
      steps_.push_back(Make<FuseStep>);
    } else if (name == "Strip") {
      steps_.push_back(StripMaker(step));
    } else if (name == "Replace") {
      steps_.push_back(
          [r = Replacement(step, growth)](Next next) { return std::make_unique<ReplaceStep>(std::move(next), r); });
    } else if (name == "Metaspace") {
      steps_.push_back(
          [m = Metaspace(step)](Next next) { return std::make_unique<MetaspaceStep>(std::move(next), m); });
    } else {
      type.Fail("\"ByteLevel\", \"ByteFallback\", \"Fuse\", \"Strip\", \"Replace\", \"Metaspace\" or \"Sequence\"");
    }
  }
  if (item.null()) steps_.push_back(Make<JoinStep>);
}

std::unique_ptr<DecoderStep> Decoder::Start(std::string& text) const {
  std::unique_ptr<DecoderStep> step = std::make_unique<AppendStep>(text);
  for (auto make = steps_.rbegin(); make != steps_.rend(); ++make) step = (*make)(std::move(step));
  return step;
}

}  // namespace ampgrad::models
