#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ct/adapter/base_weights.h"
#include "ct/adapter/restore_form.h"
#include "tensor/io/safetensors_reader.h"

/// What fine-tuning adds to a base, as a directory with adapter.safetensors: the parts of each changed form by the name
/// of its matrix, vectors that trained, and as metadata all that is needed to apply them.
namespace ampgrad::ct {

/// What an adapter says of itself.
struct AdapterHeader {
  std::string method;           // that trained it
  std::string base;             // directory of the base
  std::string base_hash = {};   // BaseWeights::HashOf what changes; the writer sets it
  std::string basis_file = {};  // file that holds the basis; empty: the adapter itself does, if there is one
  std::string basis_hash = {};  // of the vectors and the mean row in that file
};

inline constexpr char kAdapterFile[] = "adapter.safetensors";

/// Whether the directory holds an adapter of ours.
bool IsNativeAdapter(const std::filesystem::path& directory);

/// Writes adapter.safetensors into `directory`: every matrix of `parts` with parameters, and every vector that trains.
/// A tensor that several matrices share, such as the basis, is written once, or not at all when the header names a
/// basis file. `base` are the weights before the method; base_hash is set from them. Throws std::runtime_error.
void WriteNativeAdapter(const std::filesystem::path& directory, const nn::Parts& parts, const BaseWeights& base,
                        AdapterHeader header);

/// An adapter that is read. Every error is a std::runtime_error that names the file.
class NativeAdapter {
 public:
  explicit NativeAdapter(const std::filesystem::path& directory);

  const AdapterHeader& header() const { return header_; }
  /// Gives the matrices and vectors of its base the forms and values of the adapter. Throws when the base has other
  /// weights, with both hashes, and when a part does not fit.
  void ApplyTo(const nn::Parts& parts, nn::Chain chain) const;

 private:
  [[noreturn]] void Fail(const std::string& message) const;
  void ReadMetadata(const std::string& text);
  Tensor Read(const std::string& name) const;

  std::string file_;
  io::SafetensorsReader reader_;
  AdapterHeader header_;
  std::map<std::string, SavedForm> forms_;                             // by matrix; parts are absent until ApplyTo
  std::map<std::string, std::map<std::string, std::string>> tensors_;  // of each matrix: role, name of the tensor
  std::vector<std::string> vectors_;
  mutable std::map<std::string, Tensor> read_;  // tensors that matrices share
};

/// The vectors [K, d] and the mean row of a safetensors file with `basis` and `mean`, such as an adapter of ours.
Basis ReadBasisFile(const std::filesystem::path& file);
/// A hash of the vectors and the mean row.
std::string HashOf(const Basis& basis);

}  // namespace ampgrad::ct
