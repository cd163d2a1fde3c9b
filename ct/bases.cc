#include "ct/bases.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <stdexcept>

#include "ct/singular.h"
#include "tensor/kernels/gemm/gemm.h"

namespace ampgrad::ct {
namespace {

constexpr const char* kNames[] = {"universal", "bottom", "random", "rotated", "type",
                                  "matrix",    "minor",  "left",   "gradient"};

constexpr uint64_t kRandomStream = 0x6261736973;  // "basis"

Basis WithVectors(Basis basis, Tensor vectors) {
  basis.vectors = std::move(vectors);
  return basis;
}

Basis Rotated(const Basis& basis, uint64_t seed) {
  const Tensor rotation = RandomOrthonormal(basis.k(), basis.k(), seed, kRandomStream);
  Tensor vectors = Tensor::Uninitialized(basis.vectors.shape());
  kernels::ProductNN(rotation, basis.vectors, {vectors.data()});
  return WithVectors(basis, vectors);
}

std::vector<std::vector<RowSource>> ByType(const std::vector<RowSource>& sources) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<RowSource>> types;
  for (const RowSource& source : sources) {
    const std::string type = TypeOf(source.matrix->name);
    if (!types.contains(type)) order.push_back(type);
    types[type].push_back(source);
  }
  std::vector<std::vector<RowSource>> groups;
  for (const std::string& type : order) groups.push_back(types[type]);
  return groups;
}

// Where the first part of a name that is a number lies, before its dot; an empty place without one.
std::pair<size_t, size_t> FindNumber(const std::string& name) {
  size_t begin = 0;
  for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
    const std::string part = name.substr(begin, dot - begin);
    if (!part.empty() && part.find_first_not_of("0123456789") == std::string::npos) return {begin, dot};
    begin = dot + 1;
  }
  return {0, 0};
}

}  // namespace

std::vector<std::string> BasisKindNames() { return {std::begin(kNames), std::end(kNames)}; }

std::string ToString(BasisKind kind) { return kNames[static_cast<int>(kind)]; }

BasisKind ParseBasisKind(const std::string& word) {
  const auto found = std::find(std::begin(kNames), std::end(kNames), word);
  if (found != std::end(kNames)) return static_cast<BasisKind>(found - std::begin(kNames));
  std::string names;
  for (const char* name : kNames) names += (names.empty() ? "" : ", ") + std::string(name);
  throw std::invalid_argument("[basis] expected one of " + names + ", found '" + word + "'");
}

std::string TypeOf(const std::string& matrix) {
  const auto [begin, end] = FindNumber(matrix);
  return begin == end ? matrix : matrix.substr(end + 1);
}

Index LayerOf(const std::string& matrix) {
  const auto [begin, end] = FindNumber(matrix);
  return begin == end || end - begin > 9 ? -1 : std::stoll(matrix.substr(begin, end - begin));
}

std::vector<BasisGroup> ComputeBases(BasisKind kind, const std::vector<RowSource>& sources, Index k,
                                     const RowSample& sample, uint64_t seed) {
  const auto of_all = [&](Basis basis) {
    return std::vector<BasisGroup>{{std::make_shared<const Basis>(std::move(basis)), sources}};
  };
  std::vector<std::vector<RowSource>> parts;
  switch (kind) {
    case BasisKind::kUniversal:
      return of_all(ComputeBasis(sources, k, sample));
    case BasisKind::kBottom:
      return of_all(ComputeBasis(sources, k, sample, Spectrum::kBottom));
    case BasisKind::kRotated:
      return of_all(Rotated(ComputeBasis(sources, k, sample), seed));
    case BasisKind::kRandom: {
      const Basis basis = ComputeBasis(sources, k, sample);
      return of_all(WithVectors(basis, RandomOrthonormal(k, basis.width(), seed, kRandomStream)));
    }
    case BasisKind::kType:
      parts = ByType(sources);
      break;
    case BasisKind::kMatrix:
    case BasisKind::kMinor:
      for (const RowSource& source : sources) parts.push_back({source});
      break;
    case BasisKind::kLeft:
    case BasisKind::kGradient:
      throw std::invalid_argument("[basis] expected a kind that is computed from rows of the model");
  }
  std::vector<BasisGroup> groups;
  for (const std::vector<RowSource>& part : parts) {
    const Spectrum end = kind == BasisKind::kMinor ? Spectrum::kBottom : Spectrum::kTop;
    groups.push_back({std::make_shared<const Basis>(ComputeBasis(part, k, sample, end)), part});
  }
  return groups;
}

}  // namespace ampgrad::ct
