#include "tensor/io/safetensors_header.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "tensor/io/printable.h"

namespace ampgrad::io {
namespace {

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::string_view kJsonSpace = " \t\r\n";
constexpr int kMaxDepth = 128;

struct Dtype {
  std::string_view name;
  uint64_t bits;
};

constexpr std::array<Dtype, 22> kDtypes = {{
    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"BOOL", 8},        {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64},
}};

// Turns the events of the JSON parser into entries. It builds no tree of values: for a header of 100 MB a tree would
// take gigabytes.
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderHandler(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  SafetensorsHeader Take() { return std::move(header_); }

  bool null() override { return AtMetadata() || OtherValue("null"); }
  bool boolean(bool value) override { return OtherValue(value ? "true" : "false"); }
  // The parser calls this for integers with a minus sign, "-0" included.
  bool number_integer(number_integer_t value) override { return OtherValue(value == 0 ? "-0" : std::to_string(value)); }
  // Numbers with a point or an exponent, and integers that do not fit in 64 bits.
  bool number_float(number_float_t, const string_t& text) override { return OtherValue(Cut(text)); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool binary(binary_t&) override { return OtherValue("binary data"); }
  bool start_object(size_t) override;
  bool key(string_t& key) override;
  bool end_object() override;
  bool start_array(size_t) override;
  bool end_array() override;
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override;

 private:
  // The place of the next value. The format has a fixed depth, so the place determines what an event means. Only the
  // values of unknown fields may nest freely.
  enum class Place { kOutside, kTop, kMetadata, kEntry, kShape, kOffsets, kUnknownValue };
  enum Field { kDtype, kShapeField, kOffsetsField, kUnknownField };
  static constexpr std::array<const char*, 3> kFieldNames = {"dtype", "shape", "data_offsets"};
  static constexpr int kEntryDepth = 2;

  static std::string Cut(const std::string& text) { return text.size() <= 40 ? text : text.substr(0, 40) + "..."; }
  bool AtMetadata() const { return place_ == Place::kTop && key_ == kMetadata; }
  bool AtField(Field field) const { return place_ == Place::kEntry && field_ == field; }
  bool AtIgnored() const { return place_ == Place::kUnknownValue || AtField(kUnknownField); }
  bool OtherValue(const std::string& found) const { return AtIgnored() || Refuse(found); }

  void Enter(Place place);
  void CheckEntryComplete() const;
  [[noreturn]] bool Refuse(const std::string& found) const;

  const std::string_view text_;
  const std::string& file_;
  SafetensorsHeader header_;
  Place place_ = Place::kOutside;
  int depth_ = 0;
  bool metadata_seen_ = false;
  std::string key_;  // the last key in the top object or in the metadata
  TensorEntry entry_;
  Field field_ = kUnknownField;
  std::array<bool, 3> field_seen_{};
  std::vector<uint64_t> offsets_;
};

void HeaderHandler::Enter(Place place) {
  if (++depth_ > kMaxDepth) {
    RefuseToRead(file_, "the header nests its values more than " + std::to_string(kMaxDepth) + " deep");
  }
  place_ = place;
}

bool HeaderHandler::number_unsigned(number_unsigned_t value) {
  if (place_ == Place::kShape) {
    entry_.shape.push_back(value);
  } else if (place_ == Place::kOffsets) {
    offsets_.push_back(value);
    if (offsets_.size() > 2)
      RefuseToRead(file_, "tensor " + QuoteName(entry_.name) + " has more than two data_offsets");
  } else {
    return OtherValue(std::to_string(value));
  }
  return true;
}

bool HeaderHandler::string(string_t& value) {
  if (place_ == Place::kMetadata) {
    if (!header_.metadata.emplace(key_, std::move(value)).second) {
      RefuseToRead(file_, "the metadata holds " + QuoteName(key_) + " twice");
    }
    return true;
  }
  if (!AtField(kDtype)) return OtherValue("the string " + QuoteName(value));
  entry_.dtype = std::move(value);
  return true;
}

bool HeaderHandler::start_object(size_t) {
  if (place_ == Place::kOutside) {
    Enter(Place::kTop);
  } else if (AtMetadata()) {
    Enter(Place::kMetadata);
  } else if (place_ == Place::kTop) {
    Enter(Place::kEntry);
    entry_ = {.name = std::move(key_), .dtype = {}, .shape = {}};
    field_seen_ = {};
  } else if (AtIgnored()) {
    Enter(Place::kUnknownValue);
  } else {
    Refuse("an object");
  }
  return true;
}

bool HeaderHandler::start_array(size_t) {
  if (AtField(kShapeField)) {
    Enter(Place::kShape);
  } else if (AtField(kOffsetsField)) {
    Enter(Place::kOffsets);
    offsets_.clear();
  } else if (AtIgnored()) {
    Enter(Place::kUnknownValue);
  } else {
    Refuse("an array");
  }
  return true;
}

bool HeaderHandler::key(string_t& key) {
  if (place_ == Place::kTop || place_ == Place::kMetadata) key_ = key;
  if (AtMetadata() && std::exchange(metadata_seen_, true)) RefuseToRead(file_, "the header holds __metadata__ twice");
  if (place_ != Place::kEntry) return true;
  const auto known = std::find(kFieldNames.begin(), kFieldNames.end(), key);
  field_ = static_cast<Field>(known - kFieldNames.begin());
  if (field_ != kUnknownField && std::exchange(field_seen_[field_], true)) {
    RefuseToRead(file_, "tensor " + QuoteName(entry_.name) + " has two fields " + kFieldNames[field_]);
  }
  return true;
}

bool HeaderHandler::end_object() {
  if (place_ == Place::kEntry) {
    CheckEntryComplete();
    header_.entries.push_back(std::move(entry_));
  }
  --depth_;
  if (place_ != Place::kUnknownValue) {
    place_ = place_ == Place::kTop ? Place::kOutside : Place::kTop;
  } else if (depth_ == kEntryDepth) {
    place_ = Place::kEntry;
  }
  return true;
}

bool HeaderHandler::end_array() {
  if (place_ == Place::kOffsets) {
    if (offsets_.size() != 2) {
      RefuseToRead(file_, "tensor " + QuoteName(entry_.name) + " has " + std::to_string(offsets_.size()) +
                              " data_offsets, expected two, its begin and its end");
    }
    entry_.begin = offsets_[0];
    entry_.end = offsets_[1];
  }
  if (--depth_ == kEntryDepth) place_ = Place::kEntry;
  return true;
}

void HeaderHandler::CheckEntryComplete() const {
  for (size_t i = 0; i < field_seen_.size(); ++i) {
    if (!field_seen_[i]) RefuseToRead(file_, "tensor " + QuoteName(entry_.name) + " has no field " + kFieldNames[i]);
  }
}

bool HeaderHandler::Refuse(const std::string& found) const {
  if (place_ == Place::kOutside) RefuseToRead(file_, "expected the header to be a JSON object, found " + found);
  if (place_ == Place::kMetadata) {
    RefuseToRead(file_, "expected the metadata " + QuoteName(key_) + " to be a string, found " + found);
  }
  if (AtMetadata()) RefuseToRead(file_, "expected __metadata__ to be an object of strings, found " + found);
  if (place_ == Place::kTop) {
    RefuseToRead(file_, "expected tensor " + QuoteName(key_) +
                            " to be an object with dtype, shape and data_offsets, found " + found);
  }
  const std::string field = std::string(kFieldNames[field_]) + " of tensor " + QuoteName(entry_.name);
  if (field_ == kDtype) RefuseToRead(file_, "expected " + field + " to be a string, found " + found);
  const char* in_array = place_ == Place::kEntry ? "" : " in it";
  RefuseToRead(file_,
               "expected " + field + " to be an array of integers from 0 to 2^64 - 1, found " + found + in_array);
}

bool HeaderHandler::parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) {
  constexpr size_t kExcerpt = 16;
  const size_t stop = std::min(text_.size(), position - 1);
  const std::string found = stop == text_.size() ? "its end" : QuoteName(text_.substr(stop, kExcerpt));
  RefuseToRead(
      file_, "expected the header to be one JSON object in UTF-8, found " + found + " at byte " + std::to_string(stop));
}

SafetensorsHeader ReadJson(std::string_view text, const std::string& file) {
  // The JSON library treats a zero byte as the end of the text and skips a byte order mark. JSON has neither.
  if (text.find('\0') != text.npos) RefuseToRead(file, "the header holds a zero byte, expected JSON padded by spaces");
  if (text.starts_with("\xEF\xBB\xBF"))
    RefuseToRead(file, "the header begins with a byte order mark, expected a JSON object");
  // Padding can be long, and the library would keep a copy of it.
  const size_t last = text.find_last_not_of(kJsonSpace);
  if (last == text.npos) RefuseToRead(file, "the header is empty, expected a JSON object");
  text = text.substr(0, last + 1);
  HeaderHandler handler(text, file);
  nlohmann::json::sax_parse(text.begin(), text.end(), &handler);
  return handler.Take();
}

void CheckNamesDiffer(const SafetensorsHeader& header, const std::string& file) {
  std::vector<std::string_view> names;
  names.reserve(header.entries.size());
  for (const TensorEntry& entry : header.entries) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) RefuseToRead(file, "the header holds tensor " + QuoteName(*twice) + " twice");
}

std::string ShapeText(const std::vector<uint64_t>& shape) {
  constexpr size_t kMaxShown = 8;
  std::string text = "[";
  for (size_t i = 0; i < std::min(shape.size(), kMaxShown); ++i) {
    text += (i ? ", " : "") + std::to_string(shape[i]);
  }
  return text + (shape.size() > kMaxShown ? ", ...]" : "]");
}

// The bytes that dtype and shape require. The product runs from the left, as in the reference reader: [0, 2^63, 2^63]
// has no elements, [2^63, 2^63, 0] overflows.
uint64_t BytesOf(const TensorEntry& entry, const std::string& file) {
  const auto dtype =
      std::find_if(kDtypes.begin(), kDtypes.end(), [&](const Dtype& d) { return d.name == entry.dtype; });
  if (dtype == kDtypes.end()) {
    RefuseToRead(file, "tensor " + QuoteName(entry.name) + " has the unknown dtype " + QuoteName(entry.dtype) +
                           ", expected one of the format's, such as F32 or BF16");
  }
  uint64_t count = 1, bits = 0;
  bool overflow = false;
  for (const uint64_t dim : entry.shape) overflow = overflow || __builtin_mul_overflow(count, dim, &count);
  overflow = overflow || __builtin_mul_overflow(count, dtype->bits, &bits);
  const std::string what = "tensor " + QuoteName(entry.name) + " of " + entry.dtype + " " + ShapeText(entry.shape);
  if (overflow) RefuseToRead(file, what + " has more bits than fit in 64-bit arithmetic");
  if (bits % 8 != 0) RefuseToRead(file, what + " takes " + std::to_string(bits) + " bits, expected whole bytes");
  return bits / 8;
}

// Walks the data from its first byte to its last; every byte must belong to exactly one tensor.
void CheckSpans(const SafetensorsHeader& header, uint64_t data_bytes, const std::string& file) {
  uint64_t covered = 0;
  for (const TensorEntry& entry : header.entries) {
    const std::string offsets = "data_offsets [" + std::to_string(entry.begin) + ", " + std::to_string(entry.end) + "]";
    const std::string what = "tensor " + QuoteName(entry.name) + " has " + offsets;
    if (entry.begin != covered) {
      RefuseToRead(file,
                   what + ", expected them to begin at " + std::to_string(covered) + ", where the data before it ends");
    }
    if (entry.end < entry.begin) RefuseToRead(file, what + ", expected an end not before the begin");
    const uint64_t wanted = BytesOf(entry, file);
    if (entry.end - entry.begin != wanted) {
      RefuseToRead(file, what + ", expected " + std::to_string(wanted) + " bytes for " + entry.dtype + " " +
                             ShapeText(entry.shape));
    }
    covered = entry.end;
  }
  if (covered != data_bytes) {
    RefuseToRead(file, "the tensors take " + std::to_string(covered) + " bytes of data, found " +
                           std::to_string(data_bytes) + " bytes behind the header");
  }
}

}  // namespace

SafetensorsHeader ParseSafetensorsHeader(std::string_view text, uint64_t data_bytes, const std::string& file) {
  SafetensorsHeader header = ReadJson(text, file);
  CheckNamesDiffer(header, file);
  std::stable_sort(header.entries.begin(), header.entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  CheckSpans(header, data_bytes, file);
  return header;
}

std::string QuoteName(std::string_view name) {
  constexpr size_t kMaxShown = 80;
  constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (const unsigned char c : name.substr(0, kMaxShown)) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', static_cast<char>(c)};
    } else if (c >= 0x20 && c < 0x7F) {
      quoted += static_cast<char>(c);
    } else {
      quoted += {'\\', 'x', kHex[c >> 4], kHex[c & 15]};
    }
  }
  if (name.size() <= kMaxShown) return quoted + "\"";
  return quoted + "...\" (" + std::to_string(name.size()) + " bytes)";
}

}  // namespace ampgrad::io
