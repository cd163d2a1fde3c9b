#include "train/change/same_shape.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ampgrad::train {
namespace {

using Named = std::pair<std::string, std::string>;  // name and shape

std::vector<Named> Shapes(const nn::Parts& parts) {
  std::vector<Named> shapes;
  for (const nn::Matrix* matrix : parts.matrices) shapes.emplace_back(matrix->name, matrix->StoredShape().ToString());
  for (const Param* vector : parts.vectors) shapes.emplace_back(vector->name, vector->value.shape().ToString());
  return shapes;
}

}  // namespace

void RequireSameShape(const nn::Parts& before, const nn::Parts& after) {
  const std::vector<Named> old_shapes = Shapes(before), new_shapes = Shapes(after);
  const std::string as = " as in the model before, found ";
  for (size_t i = 0; i < std::max(old_shapes.size(), new_shapes.size()); ++i) {
    if (i >= old_shapes.size()) {
      throw std::runtime_error(new_shapes[i].first + ": expected no such part" + as + "one " + new_shapes[i].second);
    }
    const auto& [name, shape] = old_shapes[i];
    if (i >= new_shapes.size()) throw std::runtime_error(name + ": expected " + shape + as + "no such part");
    if (new_shapes[i].first != name) {
      throw std::runtime_error(name + ": expected " + shape + as + new_shapes[i].first + " in its place");
    }
    if (new_shapes[i].second != shape) {
      throw std::runtime_error(name + ": expected " + shape + as + new_shapes[i].second);
    }
  }
}

}  // namespace ampgrad::train
