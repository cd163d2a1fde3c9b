#include "ct/adapter/native_adapter.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <tuple>

#include "tensor/io/digest.h"
#include "tensor/io/json.h"
#include "tensor/io/own_file.h"
#include "tensor/io/safetensors_writer.h"

namespace ampgrad::ct {
namespace {

namespace fs = std::filesystem;

constexpr char kKey[] = "ampgrad_adapter";  // of the metadata
constexpr Index kVersion = 1;

// The tensors of an adapter under their names. One that several forms share has one name.
class TensorList {
 public:
  std::string NameOf(const nn::SavedPart& part, const std::string& matrix) {
    const auto [found, added] = names_.try_emplace({part.value.data(), part.value.shape().ToString(), part.role});
    if (added) {
      found->second = IsBasis(part.role) ? OfBasis(part.role) : part.role + "." + matrix;
      tensors_.push_back({found->second, part.value});
    }
    return found->second;
  }
  void Add(const std::string& name, const Tensor& value) { tensors_.push_back({name, value}); }
  const std::vector<io::NamedTensor>& tensors() const { return tensors_; }
  /// Leaves the basis to another file.
  void DropBasis() {
    std::erase_if(tensors_,
                  [](const io::NamedTensor& tensor) { return tensor.name == "basis" || tensor.name == "mean"; });
  }

 private:
  static bool IsBasis(const std::string& role) { return role == "basis" || role == "mean"; }
  std::string OfBasis(const std::string& role) {
    const int number = ++bases_[role];
    return number == 1 ? role : role + "." + std::to_string(number);
  }

  std::map<std::tuple<const Real*, std::string, std::string>, std::string> names_;
  std::map<std::string, int> bases_;
  std::vector<io::NamedTensor> tensors_;
};

nlohmann::ordered_json MatrixJson(nn::Matrix& matrix, TensorList& tensors) {
  nlohmann::ordered_json parts, trained = nlohmann::ordered_json::array();
  for (const nn::SavedPart& part : matrix.form->Saved()) {
    parts[part.role] = tensors.NameOf(part, matrix.name);
    if (part.trains) trained.push_back(part.role);
  }
  return {{"form", matrix.form->Name()}, {"numbers", matrix.form->Numbers()}, {"parts", parts}, {"trained", trained}};
}

// A basis that another file holds may have more vectors than there are scores a row.
void TakeFirstVectors(std::map<std::string, Tensor>& parts) {
  const auto basis = parts.find("basis"), scores = parts.find("scores");
  if (basis == parts.end() || scores == parts.end()) return;
  const Index k = scores->second.cols();
  if (k < basis->second.rows()) basis->second = basis->second.Rows(0, k);
}

}  // namespace

bool IsNativeAdapter(const fs::path& directory) { return io::IsThere(directory / kAdapterFile); }

void WriteNativeAdapter(const fs::path& directory, const nn::Parts& parts, const BaseWeights& base,
                        AdapterHeader header) {
  TensorList tensors;
  std::set<std::string> changed;
  nlohmann::ordered_json matrices = nlohmann::ordered_json::object(), vectors = nlohmann::ordered_json::array();
  for (nn::Matrix* matrix : parts.matrices) {
    if (!matrix->HasParameters()) continue;
    matrices[matrix->name] = MatrixJson(*matrix, tensors);
    changed.insert(matrix->name);
  }
  for (const Param* vector : parts.vectors) {
    if (!vector->trainable) continue;
    vectors.push_back(vector->name);
    tensors.Add(vector->name, vector->value);
    changed.insert(vector->name);
  }
  if (!header.basis_file.empty()) tensors.DropBasis();
  const nlohmann::ordered_json json = {{"version", kVersion},
                                       {"method", header.method},
                                       {"base", {{"path", header.base}, {"hash", base.HashOf(changed)}}},
                                       {"basis", {{"file", header.basis_file}, {"hash", header.basis_hash}}},
                                       {"matrices", matrices},
                                       {"vectors", vectors}};
  io::WriteSafetensors(directory / kAdapterFile, tensors.tensors(), {{"format", "pt"}, {kKey, io::JsonText(json)}});
}

NativeAdapter::NativeAdapter(const fs::path& directory)
    : file_((directory / kAdapterFile).string()), reader_(io::OwnFile(directory, kAdapterFile)) {
  const auto& metadata = reader_.header().metadata;
  const auto found = metadata.find(kKey);
  if (found == metadata.end()) Fail("expected the metadata '" + std::string(kKey) + "', found none");
  ReadMetadata(found->second);
}

void NativeAdapter::Fail(const std::string& message) const { throw std::runtime_error(file_ + ": " + message); }

void NativeAdapter::ReadMetadata(const std::string& text) {
  const nlohmann::json json = io::ParseJsonObject(text, file_);
  const io::JsonValue root(json, file_);
  if (const Index version = root.Field("version").Integer(1, 1'000'000); version != kVersion) {
    Fail("expected version " + std::to_string(kVersion) + " of the adapter, found " + std::to_string(version));
  }
  header_ = {root.Field("method").NonEmptyString(), root.Field("base").Field("path").String(),
             root.Field("base").Field("hash").NonEmptyString(), root.Field("basis").Field("file").StringOr(""),
             root.Field("basis").Field("hash").StringOr("")};
  const io::JsonValue matrices = root.Field("matrices");
  if (!matrices.json().is_object()) matrices.Fail("an object");
  for (const auto& [name, value] : matrices.json().items()) {
    const io::JsonValue matrix = matrices.Field(name);
    SavedForm& form = forms_[name];
    form.form = matrix.Field("form").NonEmptyString();
    if (!matrix.Field("parts").json().is_object()) matrix.Field("parts").Fail("an object");
    for (const auto& [role, tensor] : matrix.Field("parts").json().items()) {
      tensors_[name][role] = matrix.Field("parts").Field(role).NonEmptyString();
    }
    for (const io::JsonValue& role : matrix.Field("trained").Items()) form.trained.insert(role.NonEmptyString());
    if (matrix.Field("numbers").null()) continue;
    if (!matrix.Field("numbers").json().is_object()) matrix.Field("numbers").Fail("an object");
    for (const auto& [key, number] : matrix.Field("numbers").json().items()) {
      form.numbers[key] = matrix.Field("numbers").Field(key).Number();
    }
  }
  for (const io::JsonValue& vector : root.Field("vectors").Items()) vectors_.push_back(vector.NonEmptyString());
}

Tensor NativeAdapter::Read(const std::string& name) const {
  const auto [found, added] = read_.try_emplace(name);
  if (!added) return found->second;
  const bool elsewhere = !header_.basis_file.empty() && (name == "basis" || name == "mean");
  if (elsewhere) {
    const Basis basis = ReadBasisFile(header_.basis_file);
    if (const std::string hash = HashOf(basis); hash != header_.basis_hash) {
      Fail("expected the basis in " + header_.basis_file + " to have the hash " + header_.basis_hash + ", found " +
           hash);
    }
    read_["basis"] = basis.vectors;
    read_["mean"] = basis.mean;
  } else {
    found->second = reader_.ReadReal(name);
  }
  return read_[name];
}

void NativeAdapter::ApplyTo(const nn::Parts& parts, nn::Chain chain) const {
  std::map<std::string, nn::Matrix*> matrices;
  std::map<std::string, Param*> vectors;
  for (nn::Matrix* matrix : parts.matrices) matrices[matrix->name] = matrix;
  for (Param* vector : parts.vectors) vectors[vector->name] = vector;
  std::set<std::string> changed;
  for (const auto& [name, form] : forms_) {
    if (!matrices.contains(name)) Fail("expected a matrix of the base, found " + io::QuoteName(name));
    changed.insert(name);
  }
  for (const std::string& name : vectors_) {
    if (!vectors.contains(name)) Fail("expected a vector of the base, found " + io::QuoteName(name));
    changed.insert(name);
  }
  if (const std::string hash = BaseWeights(parts).HashOf(changed); hash != header_.base_hash) {
    Fail("expected a base whose weights have the hash " + header_.base_hash + ", as " + header_.base +
         " had when the adapter was trained, found " + hash);
  }

  for (Param* vector : parts.vectors) vector->trainable = false;
  FormRestorer restorer(chain);
  for (const auto& [name, form] : forms_) {
    SavedForm filled = form;
    for (const auto& [role, tensor] : tensors_.at(name)) filled.parts[role] = Read(tensor);
    TakeFirstVectors(filled.parts);
    try {
      restorer.Restore(filled, *matrices.at(name));
    } catch (const std::invalid_argument& error) {
      Fail(error.what());
    }
  }
  for (const std::string& name : vectors_) {
    Param& vector = *vectors.at(name);
    const Tensor value = Read(name);
    if (value.shape() != vector.value.shape()) {
      Fail("expected " + name + " of shape " + vector.value.shape().ToString() + ", found " + value.shape().ToString());
    }
    vector.value = value.Clone();
    vector.trainable = true;
  }
}

Basis ReadBasisFile(const fs::path& file) {
  const io::SafetensorsReader reader(file);
  Basis basis;
  for (const char* name : {"basis", "mean"}) {
    if (!reader.Has(name))
      throw std::runtime_error(file.string() + ": expected the tensors basis and mean, found no " + name);
  }
  basis.vectors = reader.ReadReal("basis");
  basis.mean = reader.ReadReal("mean");
  if (basis.vectors.shape().rank() != 2 || basis.mean.shape() != Shape{basis.vectors.cols()}) {
    throw std::runtime_error(file.string() + ": expected basis [K, d] and mean [d], found basis " +
                             basis.vectors.shape().ToString() + " and mean " + basis.mean.shape().ToString());
  }
  basis.rows = 0;
  return basis;
}

std::string HashOf(const Basis& basis) {
  io::Digest digest;
  for (const Tensor& tensor : {basis.vectors, basis.mean}) {
    digest.Add(tensor.shape().ToString());
    const StoredTensor floats = Rounded(tensor, StoredType::kF32);  // as files hold them, for any Real
    digest.Add(floats.data(), static_cast<size_t>(floats.bytes()));
  }
  return digest.Text();
}

}  // namespace ampgrad::ct
