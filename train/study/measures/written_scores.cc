#include "train/study/measures/written_scores.h"

#include <memory>

#include "ct/adapter/native_adapter.h"
#include "ct/rows.h"
#include "tensor/io/digest.h"
#include "train/trainer.h"

namespace ampgrad::train {
namespace {

constexpr Index kFloat = 4;  // bytes of a number in a file

}  // namespace

WrittenFile WeighScores(models::LanguageModel& base, models::LanguageModel& tuned, const Arm& arm,
                        const std::vector<Batch>& held_out, const std::filesystem::path& directory) {
  io::Digest digest;
  digest.Add(arm.name);
  const std::filesystem::path own = directory / ("weighed-" + digest.Text());  // another process may weigh another arm
  std::filesystem::create_directories(own);
  ct::WriteNativeAdapter(own, tuned.Parts(), ct::BaseWeights(base.Parts()), {arm.method.method, "base"});
  WrittenFile file;
  file.arm = arm.name;
  file.scores = static_cast<Index>(std::filesystem::file_size(own / ct::kAdapterFile));
  const std::unique_ptr<models::LanguageModel> read = base.Clone();
  ct::NativeAdapter(own).ApplyTo(read->Parts(), arm.method.chain);
  file.loss = Evaluate(*read, held_out);
  std::filesystem::remove_all(own);

  file.model = kFloat * models::CountParameters(base);
  file.basis = kFloat * (arm.method.k + 1) * base.width();
  file.frozen = file.model;
  const auto sources = ct::SelectRows(MatricesInScope(base, arm.method.scope), base.width(), arm.method.rows);
  for (const ct::RowSource& source : sources) file.frozen -= kFloat * source.matrix->out * source.matrix->in;
  return file;
}

}  // namespace ampgrad::train
