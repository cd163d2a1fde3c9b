// `ampgrad audit`: runs the parts of the audit in the double build and prints the report. Exit code 0 when all passed, 1 when
// something did not or could not be read, 2 for wrong usage.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <string>

#include "models/atomic_file.h"
#include "models/json_file.h"
#include "models/model_directory.h"
#include "tensor/thread_pool.h"
#include "tests/audit/findings.h"
#include "tests/audit/identities.h"
#include "tests/audit/model_audit.h"
#include "tests/audit/mutants.h"
#include "tests/audit/op_audit.h"
#include "tests/audit/op_cases.h"
#include "tests/audit/report_html.h"
#include "tests/audit/report_json.h"
#include "tests/audit/report_text.h"
#include "train/options.h"
#include "train/pair_data.h"
#include "train/text_data.h"
#include "train/training_options.h"

namespace ampgrad::audit {
namespace {

const std::vector<train::OptionSpec> kOptions = {
    {"model", "DIR", "", "audit every tensor of this model instead of the ops"},
    {"data", "FILE", "", "what the model reads: JSON lines of pairs, or a text; needed with --model"},
    {"length", "N", "256", "tokens a sequence at most, with --model"},
    {"batch", "N", "1", "sequences, with --model"},
    {"seed", "N", "1", "seed of everything random"},
    {"json", "FILE", "", "write the findings as JSON"},
    {"html", "FILE", "", "write the report as one HTML page"},
    {"threads", "N", "0", "threads to use; 0 means all cores"},
    {"help", nullptr, "", "show this help"},
};

// The kernels of the float build, from the program that is built with it.
std::vector<KernelFinding> FloatKernels(uint64_t seed) {
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  const std::string program = (self.parent_path() / "ampgrad-audit-kernels").string();
  std::FILE* pipe = popen(("'" + program + "' " + std::to_string(seed)).c_str(), "r");
  std::string text;
  char buffer[4096];
  for (size_t n; pipe && (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
  if (!pipe || pclose(pipe) != 0 || text.empty())
    throw std::runtime_error(program + " cannot be run: build that target");

  std::vector<KernelFinding> findings;
  std::istringstream lines(text);
  std::string target, kernel, share;
  while (std::getline(lines, target, '\t') && std::getline(lines, kernel, '\t') && std::getline(lines, share)) {
    findings.push_back({target, kernel, std::stod(share)});
  }
  return findings;
}

void AuditOpsAndChain(uint64_t seed, Findings& findings) {
  findings.title = "ops, chain and planted faults";
  for (const OpCase& op_case : OpCases()) {
    for (OpFinding& finding : AuditOp(op_case, seed)) findings.ops.push_back(std::move(finding));
  }
  findings.identities = AuditIdentities(seed);
  findings.kernels = FloatKernels(seed);
  findings.mutants = RunMutants(seed);
}

train::Batch ReadBatch(const std::string& file, const std::filesystem::path& directory, Index length, Index batch,
                       uint64_t seed) {
  const models::ByteTokenizer tokenizer = models::ByteTokenizer::FromFile(directory / "tokenizer.json");
  if (file.ends_with(".jsonl")) {
    return train::MakePairData(train::ReadPairs(file), tokenizer, length, batch, seed, file).data.train(0);
  }
  return train::TextData(models::ReadTextFile(file), tokenizer, length, batch, seed, file).train(0);
}

void AuditModelDirectory(const train::Options& options, uint64_t seed, Findings& findings) {
  const std::string directory = options.String("model");
  if (!options.Has("data")) throw train::UsageError("--model needs --data FILE");
  findings.title = directory;
  const std::unique_ptr<models::LanguageModel> model = models::LoadModel(directory);
  const Index length = std::min(options.Integer("length", 1, 1 << 20), model->context());
  const train::Batch batch =
      ReadBatch(options.String("data"), directory, length, options.Integer("batch", 1, 4096), seed);
  const bool terminal = isatty(fileno(stderr));
  findings.ledger = AuditModel(*model, batch, seed, [&](size_t done, size_t all, const std::string& name) {
    if (terminal) std::fprintf(stderr, "\r%zu of %zu tensors: %s\033[K", done, all, name.c_str());
  });
  if (terminal) std::fputs("\r\033[K", stderr);
}

int Run(const std::vector<std::string>& words) {
  const train::Options options(kOptions, words);
  if (options.Has("help")) {
    std::printf("Usage: ampgrad audit [OPTIONS]\n\nAudit every gradient.\n\n%s",
                train::DescribeOptions(kOptions).c_str());
    return 0;
  }
  SetNumThreads(static_cast<int>(options.Integer("threads", 0, 1024)));
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
  if (options.Has("json")) models::WriteFileAtomically(options.String("json"), FormatJson(findings));
  if (options.Has("html")) models::WriteFileAtomically(options.String("html"), FormatHtml(findings));
  return findings.Passed() ? 0 : 1;
}

}  // namespace
}  // namespace ampgrad::audit

int main(int argc, char** argv) {
  // `ampgrad audit …` hands its words over with its own command in front.
  const int first = argc > 1 && std::string(argv[1]) == "audit" ? 2 : 1;
  try {
    return ampgrad::audit::Run({argv + std::min(first, argc), argv + argc});
  } catch (const ampgrad::train::UsageError& error) {
    std::fprintf(stderr, "ampgrad audit: %s (see 'ampgrad audit --help')\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ampgrad audit: %s\n", error.what());
    return 1;
  }
}
