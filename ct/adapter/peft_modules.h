#pragma once

#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "nn/modules.h"

namespace ampgrad::ct {

/// Sets target_modules, layers_to_transform, layers_pattern and modules_to_save of a PEFT configuration, whose other
/// keys are set, so that it updates the modules `updated` of a model and replaces the modules `replaced`, and no other.
/// The lists are as short as they can be: names within a layer such as "q_proj" and the layers where all these layers
/// have all of them, else whole paths. `parts` and `checkpoint_prefix` are the model's.
void NameModules(const std::set<std::string>& updated, const std::set<std::string>& replaced, const nn::Parts& parts,
                 const std::string& checkpoint_prefix, nlohmann::json& config);

}  // namespace ampgrad::ct
