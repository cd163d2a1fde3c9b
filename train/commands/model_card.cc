#include "train/commands/model_card.h"

#include "tensor/io/own_file.h"
#include "tensor/io/text_file.h"

namespace ampgrad::train {

std::string ModelCard(const GivenModel& given) {
  const std::string base =
      given.base.filename().empty() ? given.base.parent_path().filename().string() : given.base.filename().string();
  std::string card = "---\nlibrary_name: peft\nbase_model: " + base + "\ntags:\n- ampgrad\n---\n\n# Adapter over " +
                     base + "\n\nTrained with ampgrad" +
                     (given.method.empty() ? "" : " by the method `" + given.method + "`") + ".\n";
  const std::filesystem::path settings = given.adapter / "ampgrad.json";
  if (io::IsThere(settings)) {
    card += "\nThe settings of the run:\n\n```json\n" + io::ReadTextFile(settings) + "```\n";
  }
  return card;
}

}  // namespace ampgrad::train
