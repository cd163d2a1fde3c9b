#include "train/study/study_run.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "train/study/plans/plan_file.h"

namespace ampgrad::train {
namespace {

using nlohmann::ordered_json;

double ReadNumber(const io::JsonValue& value) { return value.null() ? NAN : value.Number(); }

// What every line says of its arm; the rest may be missing in older files.
constexpr const char* kArmKeys[] = {"name",  "groups", "kind", "steps",   "fixed_lr", "method", "k",
                                    "start", "basis",  "rank", "factors", "share",    "chain",  "scope"};

Arm ReadArmOf(const io::JsonValue& json) {
  for (const char* key : kArmKeys) {
    if (!json.Has(key)) json.Field(key).Fail("there");
  }
  return ReadArm(json, {});
}

RateSearch ReadRateSearch(const io::JsonValue& json) {
  RateSearch rate;
  rate.lr = ReadNumber(json.Field("lr"));
  for (const io::JsonValue& tried : json.Field("tried").Items()) {
    const double loss = ReadNumber(tried.Field("loss"));
    rate.tried.push_back({tried.Field("lr").Number(), std::isnan(loss) ? INFINITY : loss});
  }
  rate.at_edge = json.Field("at_edge").Boolean();
  return rate;
}

}  // namespace

ordered_json ToJson(const std::vector<TriedRate>& rates) {
  ordered_json tried = ordered_json::array();
  for (const auto& [lr, loss] : rates) tried.push_back({{"lr", lr}, {"loss", loss}});
  return tried;
}

ordered_json ToJson(const StudyRun& r) {
  ordered_json held_out = ordered_json::array(), curve = ordered_json::array(), inside = ordered_json::object();
  ordered_json overlap = ordered_json::array();
  for (const auto& [step, loss, seconds] : r.held_out) {
    held_out.push_back({{"step", step}, {"loss", loss}, {"seconds", seconds}});
  }
  for (const auto& [step, share] : r.overlap) overlap.push_back({{"step", step}, {"share", share}});
  for (const double loss : r.curve) curve.push_back(loss);
  for (const auto& [k, share] : r.inside) inside[std::to_string(k)] = share;
  return {{"line", "run"},
          {"arm", ToJson(r.arm)},
          {"seed", r.seed},
          {"rate", ordered_json({{"lr", r.rate.lr}, {"tried", ToJson(r.rate.tried)}, {"at_edge", r.rate.at_edge}})},
          {"diverged", r.diverged.empty() ? ordered_json() : ordered_json(r.diverged)},
          {"base_loss", r.base_loss},
          {"start_loss", r.start_loss},
          {"end_loss", r.end_loss},
          {"train_loss", r.train_loss},
          {"curve", curve},
          {"held_out", held_out},
          {"overlap", overlap},
          {"answered", r.answered ? ordered_json(*r.answered) : ordered_json()},
          {"num_trainable_params", r.trained},
          {"num_total_params", r.total},
          {"optimizer_bytes", r.optimizer_bytes},
          {"memory_max", r.memory},
          {"train_time", r.seconds},
          {"seconds_per_step", r.seconds_per_step},
          {"change", r.change},
          {"change_norm", r.change_norm},
          {"change_relative", r.change_relative},
          {"inside", inside},
          {"forgetting", r.forgetting ? ordered_json(*r.forgetting) : ordered_json()},
          {"instructions", r.instructions},
          {"bits", r.bits}};
}

StudyRun ReadStudyRun(const io::JsonValue& line) {
  constexpr int64_t kMost = int64_t{1} << 53;
  StudyRun r;
  r.arm = ReadArmOf(line.Field("arm"));
  r.seed = static_cast<uint64_t>(line.Field("seed").Integer(0, kMost));
  r.rate = ReadRateSearch(line.Field("rate"));
  r.diverged = line.Field("diverged").StringOr("");
  r.base_loss = ReadNumber(line.Field("base_loss"));
  r.start_loss = ReadNumber(line.Field("start_loss"));
  r.end_loss = ReadNumber(line.Field("end_loss"));
  r.train_loss = ReadNumber(line.Field("train_loss"));
  for (const io::JsonValue& loss : line.Field("curve").Items()) r.curve.push_back(ReadNumber(loss));
  for (const io::JsonValue& point : line.Field("held_out").Items()) {
    r.held_out.push_back({point.Field("step").Integer(0, kMost), ReadNumber(point.Field("loss")),
                          point.Has("seconds") ? point.Field("seconds").Number() : NAN});
  }
  if (line.Has("overlap")) {
    for (const io::JsonValue& point : line.Field("overlap").Items()) {
      r.overlap.push_back({point.Field("step").Integer(0, kMost), point.Field("share").Number()});
    }
  }
  if (line.Has("answered")) r.answered = line.Field("answered").Number();
  r.trained = line.Field("num_trainable_params").Integer(0, kMost);
  r.total = line.Field("num_total_params").Integer(0, kMost);
  r.optimizer_bytes = line.Field("optimizer_bytes").Integer(0, kMost);
  r.memory = line.Field("memory_max").Integer(0, kMost);
  r.seconds = line.Field("train_time").Number();
  r.seconds_per_step = ReadNumber(line.Field("seconds_per_step"));
  for (const auto& [kind, norm] : line.Field("change").json().items()) r.change[kind] = norm.get<double>();
  r.change_norm = ReadNumber(line.Field("change_norm"));
  r.change_relative = ReadNumber(line.Field("change_relative"));
  for (const auto& [k, share] : line.Field("inside").json().items()) {
    r.inside[std::stoll(k)] = share.is_number() ? share.get<double>() : NAN;
  }
  if (line.Has("forgetting")) r.forgetting = line.Field("forgetting").Number();
  r.instructions = line.Field("instructions").String();
  r.bits = line.Field("bits").String();
  return r;
}

}  // namespace ampgrad::train
