#include "models/tokenizer/tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "models/tokenizer/added_tokens.h"
#include "models/tokenizer/bpe.h"
#include "models/tokenizer/byte_map.h"
#include "models/tokenizer/decoder.h"
#include "models/tokenizer/post_processor.h"
#include "models/tokenizer/pre_tokenizer.h"
#include "tensor/io/json.h"
#include "tensor/io/utf8.h"

namespace ampgrad::models {

struct Tokenizer::State {
  State(nlohmann::json file, const std::string& where);
  void CheckIds(const io::JsonValue& root);
  /// The token of an id, or null.
  const std::string* Token(int id) const;

  nlohmann::json json;
  std::string where;  // starts messages
  Bpe bpe;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  PostProcessor post_processor;
  Decoder decoder;
  AddedTokens added;
  Index size;  // largest id + 1
};

namespace {

// The file's root, after a check of the fields that belong to no part.
io::JsonValue Checked(const nlohmann::json& json, const std::string& where) {
  const io::JsonValue root(json, where);
  const io::JsonValue version = root.Field("version");
  if (!version.null() && version.json() != "1.0") version.Fail("\"1.0\"");
  // Truncation and padding would change the ids of a text without the caller's knowledge.
  for (const char* key : {"truncation", "padding"}) {
    if (const io::JsonValue item = root.Field(key); !item.null()) item.Fail("null");
  }
  return root;
}

nlohmann::json BytesJson() {
  nlohmann::json vocab = nlohmann::json::object();
  for (int byte = 0; byte < 256; ++byte) vocab[CharacterOfByte()[byte]] = byte;
  const nlohmann::json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", nlohmann::json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", nullptr},
          {"decoder", byte_level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"vocab", vocab},
            {"merges", nlohmann::json::array()}}}};
}

}  // namespace

Tokenizer::State::State(nlohmann::json file, const std::string& where)
    : json(std::move(file)),
      where(where),
      bpe(Checked(json, where).Field("model")),
      normalizer(io::JsonValue(json, where).Field("normalizer")),
      pre_tokenizer(io::JsonValue(json, where).Field("pre_tokenizer")),
      post_processor(io::JsonValue(json, where).Field("post_processor")),
      decoder(io::JsonValue(json, where).Field("decoder")),
      added(io::JsonValue(json, where).Field("added_tokens"), bpe.vocabulary(), normalizer) {
  CheckIds(io::JsonValue(json, where));
}

void Tokenizer::State::CheckIds(const io::JsonValue& root) {
  size = bpe.vocabulary().size();
  Index tokens = bpe.vocabulary().tokens();
  for (const AddedToken& token : added.tokens()) {
    size = std::max<Index>(size, token.id + 1);
    if (!bpe.vocabulary().Id(token.content)) ++tokens;
  }
  if (tokens == 0) root.Field("model").Field("vocab").Fail("an object with at least one token");
  // A model has a row for every id up to the largest. A few ids without a token are harmless, many are a mistake.
  if (size > 2 * tokens) {
    root.Fail("the ids of " + std::to_string(tokens) + " tokens to be below " + std::to_string(2 * tokens),
              std::to_string(size - 1));
  }
  for (const std::vector<int>* side : {&post_processor.prefix, &post_processor.suffix}) {
    for (const int id : *side) {
      if (!Token(id)) root.Fail("post_processor to add ids of tokens", std::to_string(id));
    }
  }
}

const std::string* Tokenizer::State::Token(int id) const {
  const AddedToken* token = added.Token(id);
  return token ? &token->content : bpe.vocabulary().Token(id);
}

Tokenizer Tokenizer::Make(nlohmann::json json, const std::string& where) {
  return Tokenizer(std::make_shared<const State>(std::move(json), where));
}

Tokenizer Tokenizer::FromFile(const std::filesystem::path& path) {
  return Make(io::ReadJsonObject(path), path.string());
}

Tokenizer Tokenizer::FromJson(const nlohmann::json& json, const std::string& where) { return Make(json, where); }

Tokenizer Tokenizer::Bytes() {
  static const Tokenizer bytes = Make(BytesJson(), "[tokenizer]");
  return bytes;
}

nlohmann::json Tokenizer::ToJson() const { return state_->json; }

std::vector<int> Tokenizer::Encode(std::string_view text, bool add_special, Markup markup) const {
  io::RequireUtf8(text, "[tokenizer]");
  const State& state = *state_;
  const bool special = markup == Markup::kTokens;
  std::vector<int> ids;
  if (add_special) ids = state.post_processor.prefix;
  const WordSink encode = [&](std::string_view word) { state.bpe.Encode(word, ids); };
  state.added.Split(text, AddedTokens::Stage::kRaw, special, [&](std::optional<int> token, std::string_view piece) {
    if (token) return ids.push_back(*token);
    const std::string normal = state.normalizer.Apply(piece);
    state.added.Split(normal, AddedTokens::Stage::kNormalized, special,
                      [&](std::optional<int> inner, std::string_view rest) {
                        if (inner) return ids.push_back(*inner);
                        const bool first = piece.data() == text.data() && rest.data() == normal.data();
                        state.pre_tokenizer.Split(rest, first, encode);
                      });
  });
  if (add_special) ids.insert(ids.end(), state.post_processor.suffix.begin(), state.post_processor.suffix.end());
  for (const int id : ids) RequireRow(id);
  return ids;
}

void Tokenizer::Push(int id, bool skip_special, DecoderStep& decoder) const {
  const std::string* token = state_->Token(id);
  if (!token) return;
  const AddedToken* added = state_->added.Token(id);
  if (skip_special && added && added->special) return;
  decoder.Text(*token);
  decoder.EndToken();
}

std::string Tokenizer::Decode(const std::vector<int>& ids, bool skip_special) const {
  std::string text;
  const auto decoder = state_->decoder.Start(text);
  for (const int id : ids) Push(id, skip_special, *decoder);
  decoder->Finish();
  return text;
}

Index Tokenizer::vocabulary() const { return state_->size; }

std::optional<int> Tokenizer::Id(std::string_view token) const {
  const std::optional<int> added = state_->added.Id(token);
  return added ? added : state_->bpe.vocabulary().Id(token);
}

std::vector<int> Tokenizer::IdsWithoutToken() const {
  std::vector<int> ids;
  for (Index id = 0; id < vocabulary(); ++id) {
    if (!state_->Token(static_cast<int>(id))) ids.push_back(static_cast<int>(id));
  }
  return ids;
}

std::vector<std::string> Tokenizer::TokensFrom(Index first) const {
  std::vector<std::string> tokens;
  for (Index id = first; id < vocabulary(); ++id) {
    const std::string* token = state_->Token(static_cast<int>(id));
    if (token) tokens.push_back(io::JsonValue::Shown(*token) + " (" + std::to_string(id) + ")");
  }
  return tokens;
}

Tokenizer Tokenizer::WithRows(Index rows) const {
  Tokenizer limited = *this;
  limited.rows_ = rows;
  return limited;
}

void Tokenizer::RequireRow(int id) const {
  if (id < rows_) return;
  const std::string* token = state_->Token(id);
  throw std::runtime_error(state_->where + ": expected tokens that have a row in the model's embedding of " +
                           std::to_string(rows_) + ", found " + (token ? io::JsonValue::Shown(*token) : "the id") +
                           " (" + std::to_string(id) + ")");
}

std::vector<int> Tokenizer::prefix() const {
  for (const int id : state_->post_processor.prefix) RequireRow(id);
  return state_->post_processor.prefix;
}

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(tokenizer), skip_special_(skip_special), decoder_(tokenizer.state_->decoder.Start(text_)) {}

StreamDecoder::~StreamDecoder() = default;

std::string StreamDecoder::Push(int id) {
  tokenizer_.Push(id, skip_special_, *decoder_);
  return std::exchange(text_, {});
}

std::string StreamDecoder::Finish() {
  decoder_->Finish();
  return std::exchange(text_, {});
}

}  // namespace ampgrad::models
