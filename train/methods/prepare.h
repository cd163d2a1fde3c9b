#pragma once

#include "train/methods/method.h"

/// What each method does to a model: one function a method, in the file of its name. Every parameter of the model is
/// frozen before; what a function leaves trainable trains.
namespace ampgrad::train {

void PrepareFull(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases);
void PrepareAmplitude(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases);
void PrepareLora(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases);
void PrepareLoraFa(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases);
void PreparePissa(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases);
void PrepareDora(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases);
void PrepareSparse(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases);
void PrepareCore(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases);
void PrepareVera(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases);
void PrepareNorms(models::LanguageModel& model, const MethodSettings& settings, const Bases& bases);

}  // namespace ampgrad::train
