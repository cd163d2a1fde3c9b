// `ampgrad audit`: runs the parts of the audit in the double build and prints the report. Exit code 0 when all passed,
// 1 when something did not or could not be read, 2 for wrong usage.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "models/model_directory.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "tensor/io/text_file.h"
#include "tests/audit/findings.h"
#include "tests/audit/identities.h"
#include "tests/audit/model_audit.h"
#include "tests/audit/mutants.h"
#include "tests/audit/op_audit.h"
#include "tests/audit/op_cases.h"
#include "tests/audit/report/html.h"
#include "tests/audit/report/json.h"
#include "tests/audit/report/text.h"
#include "tests/audit/step_identities.h"
#include "tests/support/temp_dir.h"
#include "train/commands/commands.h"
#include "train/commands/help.h"
#include "train/commands/options/common_options.h"
#include "train/commands/options/files.h"
#include "train/commands/options/model_options.h"
#include "train/commands/options/options.h"
#include "train/commands/program.h"
#include "train/progress.h"

namespace ampgrad::audit {
namespace {

// Runs a command of the program of the float build, which writes its findings to `out`.
void RunFloatProgram(const char* command, const std::vector<std::string>& words, const std::string& out) {
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  const std::string program = (self.parent_path() / "ampgrad-audit-float").string();
  std::vector<char*> arguments = {const_cast<char*>(program.c_str()), const_cast<char*>(command)};
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(const_cast<char*>(out.c_str()));
  arguments.push_back(nullptr);
  pid_t child;
  int status = 1;
  if (posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments.data(), environ) != 0 ||
      waitpid(child, &status, 0) != child || status != 0) {
    throw std::runtime_error(program + " " + command + " failed: is that target built?");
  }
}

// The kernels of the float build.
std::vector<KernelFinding> FloatKernels(uint64_t seed) {
  const TempDir directory;
  const std::string file = (directory.path() / "kernels.json").string();
  RunFloatProgram("kernels", {std::to_string(seed)}, file);
  std::vector<KernelFinding> findings;
  for (const auto& f : io::ParseJson(io::ReadTextFile(file), file)) {
    findings.push_back({f.at("target"), f.at("kernel"), f.at("share").is_null() ? NAN : f.at("share").get<double>()});
  }
  return findings;
}

void AuditOpsAndChain(uint64_t seed, Findings& findings) {
  findings.title = "ops, chain and planted faults";
  train::Phase phase("auditing ops");
  for (const OpCase& op_case : OpCases()) {
    for (OpFinding& finding : AuditOp(op_case, seed)) findings.ops.push_back(std::move(finding));
  }
  findings.command = "ampgrad audit --seed " + std::to_string(seed);
  phase.Now("auditing identities");
  findings.identities = AuditIdentities(seed);
  for (IdentityFinding& finding : AuditSteps(seed)) findings.identities.push_back(std::move(finding));
  phase.Now("auditing kernels");
  findings.kernels = FloatKernels(seed);
  phase.Now("planting faults");
  findings.mutants = RunMutants(seed);
}

// The gradients of the float build, compared tensor by tensor.
void AuditFloatBuild(models::LanguageModel& model, const train::Batch& batch, const std::vector<std::string>& words,
                     std::vector<LedgerEntry>& ledger) {
  const TempDir directory;
  const std::string file = (directory.path() / "gradients.safetensors").string();
  RunFloatProgram("gradients", words, file);
  CompareWithFloat(DenseGradients(model, batch), io::SafetensorsReader(file), ledger);
}

void AuditModelDirectory(const train::Options& options, uint64_t seed, Findings& findings) {
  const std::string directory = options.String("model");
  if (!options.Has("data")) throw train::UsageError("--model needs --data FILE");
  const std::string data = options.String("data");
  const train::GivenModel given = train::ReadGivenModel(options, train::AdapterUse::kTrain);
  models::LanguageModel* model = given.model.get();
  HoldConstants(*model);
  const Index length = std::min(options.Integer("length", 1, 1 << 20), model->context());
  const Index sequences = options.Integer("batch", 1, 4096);
  findings.title = directory;
  findings.command =
      "ampgrad audit --model " + directory + (given.adapter.empty() ? "" : " --adapter " + given.adapter.string()) +
      (given.tokenizer.empty() ? "" : " --tokenizer " + given.tokenizer.string()) + " --data " + data + " --length " +
      std::to_string(length) + " --batch " + std::to_string(sequences) + " --seed " + std::to_string(seed);
  const train::Batch batch = ReadBatch({{data}, given.Texts(), "", length, sequences, seed}, *model);
  train::Phase phase("auditing tensors");
  findings.ledger = AuditModel(*model, batch, seed, [&](size_t done, size_t all, const std::string& name) {
    phase.Now("audited " + std::to_string(done) + " of " + std::to_string(all) + " tensors: " + name);
  });
  phase.Now("auditing the float build");
  AuditFloatBuild(*model, batch,
                  {directory, data, std::to_string(length), std::to_string(sequences), std::to_string(seed),
                   options.String("simd"), options.String("adapter"), options.String("tokenizer")},
                  findings.ledger);
}

int Run(const std::vector<std::string>& words) {
  const train::Command command = train::AuditCommand();
  const train::Options options(train::AllOptions(command), words);
  if (options.Has("help")) {
    std::fputs(train::DescribeCommand(command).c_str(), stdout);
    return 0;
  }
  train::UseCommonOptions(options, train::Alone());
  train::CheckFiles(options);
  const uint64_t seed = static_cast<uint64_t>(options.Integer("seed", 0, 1'000'000'000));
  const auto begin = std::chrono::steady_clock::now();
  Findings findings;
  if (options.Has("model")) {
    AuditModelDirectory(options, seed, findings);
  } else {
    AuditOpsAndChain(seed, findings);
  }
  findings.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::fputs(FormatText(findings).c_str(), stdout);
  if (options.Has("json")) io::WriteFileAtomically(options.String("json"), FormatJson(findings));
  if (options.Has("html")) io::WriteFileAtomically(options.String("html"), FormatHtml(findings));
  return findings.Passed() ? 0 : 1;
}

}  // namespace
}  // namespace ampgrad::audit

int main(int argc, char** argv) {
  ampgrad::train::PrepareProgram();
  // `ampgrad audit …` hands its words over with its own command in front.
  const int first = argc > 1 && std::string(argv[1]) == "audit" ? 2 : 1;
  const int code = ampgrad::train::RunProtected("ampgrad audit", [&] {
    return ampgrad::audit::Run({argv + std::min(first, argc), argv + argc});
  });
  return ampgrad::train::FinishOutput(code);
}
