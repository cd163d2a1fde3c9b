#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "train/analysis/reference_check.h"
#include "train/commands/commands.h"

namespace ampgrad::train {
namespace {

std::string ToJson(const Comparison& check) {
  nlohmann::ordered_json groups = nlohmann::ordered_json::array();
  for (const GroupResult& g : check.groups) {
    groups.push_back({{"group", g.group},
                      {"tensors", g.tensors},
                      {"worst", g.worst},
                      {"error", std::isfinite(g.error) ? nlohmann::ordered_json(g.error) : nlohmann::ordered_json()},
                      {"bound", g.bound},
                      {"passed", g.Passed()}});
  }
  const nlohmann::ordered_json json = {
      {"real", sizeof(Real) == 4 ? "float32" : "float64"}, {"passed", check.Passed()}, {"groups", groups}};
  return io::JsonText(json, 1) + "\n";
}

int CheckMain(const Options& options) {
  const Comparison check = CheckReference(options.String("reference"));
  std::printf("%-40s %7s  %-10s %-8s %s\n", "group", "tensors", "error", "bound", "worst tensor");
  for (const GroupResult& g : check.groups) {
    std::printf("%-40s %7lld  %-10.2e %-8.0e %s%s\n", g.group.c_str(), static_cast<long long>(g.tensors), g.error,
                g.bound, g.worst.c_str(), g.Passed() ? "" : "  OVER ITS BOUND");
  }
  if (options.Has("json")) io::WriteFileAtomically(options.String("json"), ToJson(check));
  if (options.Has("dump")) {
    io::WriteSafetensors(options.String("dump"), check.own, {{"format", "pt"}}, StoredType::kF64);
  }
  return check.Passed() ? 0 : 1;
}

}  // namespace

Command CheckCommand() {
  return {"check",
          "Compute everything a reference directory holds and compare; exit code 1 when a bound is exceeded.",
          {{"reference", "DIR", nullptr, "model directory with golden.safetensors and golden.json"},
           {"json", "FILE", "", "write the comparison as JSON"},
           {"dump", "FILE", "", "write our own numbers as safetensors (F64), under the reference's names"}},
          CheckMain};
}

}  // namespace ampgrad::train
