#include "nn/forms/weight_form.h"

#include <stdexcept>

namespace ampgrad::nn {

Param& WeightForm::Part(const std::string& role) {
  std::string roles;
  for (const FormPart& part : Parts()) {
    if (role == part.role) return *part.param;
    roles += (roles.empty() ? "" : ", ") + std::string(part.role);
  }
  throw std::invalid_argument("[form] expected the parameter " + (roles.empty() ? "of a form that has any" : roles) +
                              ", found '" + role + "'");
}

std::vector<SavedPart> WeightForm::Saved() {
  std::vector<SavedPart> saved;
  for (const FormPart& part : Parts()) saved.push_back({part.role, part.param->value, part.param->trainable});
  return saved;
}

}  // namespace ampgrad::nn
