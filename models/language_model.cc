#include "models/language_model.h"

#include <algorithm>
#include <iterator>

namespace ampgrad::models {

std::vector<Param*> Params(LanguageModel& model) {
  const nn::Parts parts = model.Parts();
  std::vector<Param*> params;
  for (nn::Matrix* matrix : parts.matrices) {
    for (Param* param : matrix->form->Params()) params.push_back(param);
  }
  params.insert(params.end(), parts.vectors.begin(), parts.vectors.end());
  return params;
}

std::vector<Param*> TrainableParams(LanguageModel& model) {
  const std::vector<Param*> all = Params(model);
  std::vector<Param*> trainable;
  std::copy_if(all.begin(), all.end(), std::back_inserter(trainable), [](const Param* p) { return p->trainable; });
  return trainable;
}

void SetTrainable(LanguageModel& model, bool trainable) {
  for (nn::Matrix* matrix : model.Parts().matrices) {
    if (trainable && matrix->form->Frozen()) matrix->MakeDense();
  }
  for (Param* param : Params(model)) param->trainable = trainable;
}

Index CountNumbers(const std::vector<Param*>& params) {
  Index count = 0;
  for (const Param* param : params) count += param->value.size();
  return count;
}

Index CountNumbers(LanguageModel& model) {
  const nn::Parts parts = model.Parts();
  Index count = 0;
  for (const nn::Matrix* matrix : parts.matrices) count += matrix->StoredShape().size();
  for (const Param* vector : parts.vectors) count += vector->value.size();
  return count;
}

}  // namespace ampgrad::models
