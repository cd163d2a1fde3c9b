// The float half of the audit. The program of the double half runs it and reads what it writes:
//   kernels SEED OUT.json
//     the largest error of each kernel, of its bound
//   gradients MODEL DATA LENGTH BATCH SEED SIMD ADAPTER TOKENIZER OUT.safetensors
//     the gradients of a model on one batch
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/io/atomic_file.h"
#include "tensor/kernels/simd/simd_target.h"
#include "tests/audit/kernel_audit.h"
#include "tests/audit/model_audit.h"
#include "train/commands/options/model_options.h"
#include "train/commands/program.h"

namespace ampgrad::audit {
namespace {

void WriteKernels(const std::vector<std::string>& words) {
  nlohmann::json json = nlohmann::json::array();
  for (const KernelFinding& f : AuditKernels(std::stoull(words.at(1)))) {
    json.push_back({{"target", f.target}, {"kernel", f.kernel}, {"share", f.share}});
  }
  io::WriteFileAtomically(words.at(2), json.dump());
}

void WriteGradients(const std::vector<std::string>& words) {
  const std::string directory = words.at(1);
  UseSimdTarget(words.at(6));
  train::GivenModel given = train::ReadGivenModel(directory, words.at(7), train::AdapterUse::kTrain);
  given.tokenizer = words.at(8);
  models::LanguageModel* model = given.model.get();
  HoldConstants(*model);
  const train::Batch batch = ReadBatch(
      {{words.at(2)}, given.Texts(), "", std::stoll(words.at(3)), std::stoll(words.at(4)), std::stoull(words.at(5))},
      *model);
  io::WriteSafetensors(words.at(9), DenseGradients(*model, batch), {});
}

}  // namespace
}  // namespace ampgrad::audit

int main(int argc, char** argv) {
  ampgrad::train::PrepareProgram();
  const std::vector<std::string> words(argv + 1, argv + argc);
  return ampgrad::train::RunProtected("ampgrad-audit-float", [&] {
    words.at(0) == "kernels" ? ampgrad::audit::WriteKernels(words) : ampgrad::audit::WriteGradients(words);
    return 0;
  });
}
