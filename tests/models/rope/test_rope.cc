#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/rope/rope.h"
#include "tests/support/expect_message.h"
#include "tests/support/op_testing.h"
#include "tests/support/small_models.h"

/// The frequencies of rotary positions, as config.json gives them.
namespace ampgrad::models {
namespace {

using Json = nlohmann::json;

RopeConfig ParseRope(const Json& json, Index context = 4096) { return RopeConfig::FromJson({json, "f"}, context); }

void ExpectRopeRefused(const Json& json, const std::string& message) {
  ExpectMessage<std::runtime_error>([&] { ParseRope(json); }, message);
}

// The settings of Llama 3.1.
Json Llama3() {
  return {{"rope_type", "llama3"},
          {"factor", 8.0},
          {"low_freq_factor", 1.0},
          {"high_freq_factor", 4.0},
          {"original_max_position_embeddings", 8192}};
}

TEST(RopeConfig, TakesDefaultsForMissingAndNullFields) {
  for (const Json& json :
       {Json::object(), Json{{"rope_theta", nullptr}, {"rope_scaling", nullptr}, {"rope_parameters", nullptr}},
        Json{{"rope_scaling", Json::object()}}, Json{{"rope_parameters", Json::object()}},
        Json{{"rope_scaling", {{"rope_type", nullptr}}}}, Json{{"rope_scaling", {{"type", "default"}}}}}) {
    const RopeConfig rope = ParseRope(json);
    EXPECT_EQ(rope.type, RopeConfig::Type::kDefault) << json;
    EXPECT_EQ(rope.theta, 10000) << json;
    EXPECT_TRUE(rope.ScalingJson().is_null()) << json;
  }
}

TEST(RopeConfig, ReadsEveryField) {
  const RopeConfig rope = ParseRope({{"rope_theta", 500000.0},
                                     {"rope_scaling",
                                      {{"rope_type", "llama3"},
                                       {"factor", 32},
                                       {"low_freq_factor", 2.0},
                                       {"high_freq_factor", 5},
                                       {"original_max_position_embeddings", 1024}}}});
  EXPECT_EQ(rope.type, RopeConfig::Type::kLlama3);
  EXPECT_EQ(rope.theta, 500000);
  EXPECT_EQ(rope.factor, 32);
  EXPECT_EQ(rope.low_freq_factor, 2);
  EXPECT_EQ(rope.high_freq_factor, 5);
  EXPECT_EQ(rope.original_context, 1024);
}

TEST(RopeConfig, TheContextStandsInForTheOriginalOne) {
  Json scaling = Llama3();
  scaling.erase("original_max_position_embeddings");
  EXPECT_EQ(ParseRope({{"rope_scaling", scaling}}, 77).original_context, 77);
}

// `type` is the older name of `rope_type`, which wins.
TEST(RopeConfig, ReadsBothNamesOfTheType) {
  EXPECT_EQ(ParseRope({{"rope_scaling", {{"type", "linear"}, {"factor", 2}}}}).type, RopeConfig::Type::kLinear);
  EXPECT_EQ(ParseRope({{"rope_scaling", {{"rope_type", "linear"}, {"type", "yarn"}, {"factor", 2}}}}).type,
            RopeConfig::Type::kLinear);
}

TEST(RopeConfig, RefusesOtherTypesByName) {
  for (const char* form : {"rope_scaling", "rope_parameters"}) {
    for (const char* key : {"rope_type", "type"}) {
      for (const std::string type : {"yarn", "dynamic", "longrope", "su", "Linear", ""}) {
        ExpectRopeRefused({{form, {{key, type}, {"factor", 2}}}},
                          std::string("f: expected ") + form + "." + key +
                              " to be \"default\", \"linear\" or \"llama3\", found \"" + type + "\"");
      }
    }
  }
  ExpectRopeRefused({{"rope_scaling", {{"rope_type", 1}}}},
                    "f: expected rope_scaling.rope_type to be a string, found 1");
  ExpectRopeRefused({{"rope_scaling", "linear"}}, "f: expected rope_scaling to be an object, found \"linear\"");
}

TEST(RopeConfig, RefusesAFactorThatIsNoPositiveNumber) {
  for (Json scaling : {Json{{"rope_type", "linear"}}, Llama3()}) {
    scaling["factor"] = nullptr;
    ExpectRopeRefused({{"rope_scaling", scaling}},
                      "f: expected rope_scaling.factor to be a number over 0, found nothing");
    scaling.erase("factor");
    ExpectRopeRefused({{"rope_scaling", scaling}},
                      "f: expected rope_scaling.factor to be a number over 0, found nothing");
    for (const Json& factor : {Json(0), Json(0.0), Json(-2), Json("8"), Json(true)}) {
      scaling["factor"] = factor;
      ExpectRopeRefused({{"rope_scaling", scaling}},
                        "f: expected rope_scaling.factor to be a number over 0, found " + factor.dump());
    }
    for (const double factor : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
      scaling["factor"] = factor;  // JSON has no such number
      ExpectRopeRefused({{"rope_scaling", scaling}},
                        "f: expected rope_scaling.factor to be a number over 0, found null");
    }
  }
}

TEST(RopeConfig, RefusesWavesOfNoRange) {
  for (const double high : {1.0, 0.5}) {
    Json scaling = Llama3();
    scaling["high_freq_factor"] = high;
    ExpectRopeRefused(
        {{"rope_scaling", scaling}},
        "f: expected rope_scaling.high_freq_factor to be over low_freq_factor, found " + Json(high).dump());
  }
  for (const char* key : {"low_freq_factor", "high_freq_factor"}) {
    Json scaling = Llama3();
    scaling[key] = 0;
    ExpectRopeRefused({{"rope_scaling", scaling}},
                      std::string("f: expected rope_scaling.") + key + " to be a number over 0, found 0");
  }
  Json scaling = Llama3();
  scaling["original_max_position_embeddings"] = 0;
  ExpectRopeRefused(
      {{"rope_scaling", scaling}},
      "f: expected rope_scaling.original_max_position_embeddings to be an integer in 1..2147483648, found 0");
}

TEST(RopeConfig, RefusesAThetaThatIsNoPositiveNumber) {
  ExpectRopeRefused({{"rope_theta", 0}}, "f: expected rope_theta to be a number over 0, found 0");
  ExpectRopeRefused({{"rope_parameters", {{"rope_theta", -1}}}},
                    "f: expected rope_parameters.rope_theta to be a number over 0, found -1");
}

TEST(RopeConfig, RefusesPartialRotation) {
  ExpectRopeRefused({{"partial_rotary_factor", 0.5}}, "f: expected partial_rotary_factor to be 1, found 0.5");
  ExpectRopeRefused({{"rope_parameters", {{"partial_rotary_factor", 0.25}}}},
                    "f: expected rope_parameters.partial_rotary_factor to be 1, found 0.25");
  EXPECT_EQ(ParseRope({{"partial_rotary_factor", 1.0}}).type, RopeConfig::Type::kDefault);
}

// Later files may have one form for every type of layer.
TEST(RopeConfig, ReadsTheFormsOfTypesOfLayersIfTheyAgree) {
  Json form = Llama3();
  form["rope_theta"] = 500000.0;
  const RopeConfig once = ParseRope({{"rope_parameters", form}});
  EXPECT_EQ(ParseRope({{"rope_parameters", {{"full_attention", form}}}}), once);
  EXPECT_EQ(ParseRope({{"rope_parameters", {{"full_attention", form}, {"sliding_attention", form}}}}), once);
  EXPECT_EQ(ParseRope({{"rope_scaling", {{"full_attention", form}}}, {"rope_parameters", form}}), once);
  Json other = form;
  other["rope_theta"] = 10000.0;
  try {
    ParseRope({{"rope_parameters", {{"full_attention", form}, {"sliding_attention", other}}}});
    ADD_FAILURE() << "layers that differ were accepted";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(
        std::string(error.what())
            .find("f: expected rope_parameters.sliding_attention to be equal to those of the other layers, found "),
        std::string::npos)
        << error.what();
  }
  ExpectRopeRefused({{"rope_parameters", {{"full_attention", {{"rope_type", "yarn"}}}}}},
                    "f: expected rope_parameters.full_attention.rope_type to be \"default\", \"linear\" or \"llama3\", "
                    "found \"yarn\"");
}

TEST(RopeConfig, RefusesFieldsThatLlamaHasNot) {
  ExpectRopeRefused({{"rope_local_base_freq", 10000}},
                    "f: expected rope_local_base_freq to be absent, as Llama has rope_theta and rope_scaling or "
                    "rope_parameters, found 10000");
  ExpectRopeRefused({{"rope_interleaved", true}}, "f: rope_interleaved = true is not supported");
}

TEST(RopeConfig, RefusesFormsThatContradict) {
  const std::string message = "f: rope_scaling and rope_parameters contradict each other";
  Json other = Llama3();
  other["factor"] = 4;
  ExpectRopeRefused({{"rope_scaling", Llama3()}, {"rope_parameters", other}}, message);
  ExpectRopeRefused({{"rope_scaling", Llama3()}, {"rope_parameters", {{"rope_type", "default"}}}}, message);
  other = Llama3();
  other["rope_theta"] = 500000.0;
  ExpectRopeRefused({{"rope_scaling", Llama3()}, {"rope_parameters", other}}, message);
  ExpectRopeRefused(
      {{"rope_theta", 10000.0}, {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 500000.0}}}},
      "f: expected rope_parameters.rope_theta to be equal to the rope_theta beside it, found 500000.0");
}

// Some files hold both forms, each with its own field names.
TEST(RopeConfig, TakesFormsThatSayTheSame) {
  Json old_form = Llama3(), later = Llama3();
  old_form.erase("rope_type");
  old_form["type"] = "llama3";
  old_form["factor"] = 8;
  later["rope_theta"] = 500000.0;
  const RopeConfig rope = ParseRope({{"rope_theta", 500000}, {"rope_scaling", old_form}, {"rope_parameters", later}});
  EXPECT_EQ(rope.type, RopeConfig::Type::kLlama3);
  EXPECT_EQ(rope.factor, 8);
  EXPECT_EQ(rope.theta, 500000);
}

// The same settings in both forms.
TEST(RopeConfig, OldAndLaterFormGiveTheSameBits) {
  const Json linear = {{"rope_type", "linear"}, {"factor", 2.5}}, plain = {{"rope_type", "default"}};
  for (const Json& scaling : {plain, linear, Llama3()}) {
    Json later = scaling, old_names = scaling;
    later["rope_theta"] = 500000.0;
    old_names["type"] = scaling["rope_type"];
    old_names.erase("rope_type");
    const Tensor expected = InverseFrequencies(ParseRope({{"rope_theta", 500000.0}, {"rope_scaling", scaling}}), 64);
    EXPECT_TRUE(SameBits(InverseFrequencies(ParseRope({{"rope_parameters", later}}), 64), expected)) << scaling;
    EXPECT_TRUE(SameBits(InverseFrequencies(ParseRope({{"rope_theta", 500000.0}, {"rope_parameters", scaling}}), 64),
                         expected));
    EXPECT_TRUE(
        SameBits(InverseFrequencies(ParseRope({{"rope_theta", 500000.0}, {"rope_scaling", old_names}}), 64), expected));
  }
}

TEST(RopeConfig, ScalingReadsBackAsItself) {
  for (const Json& scaling : {Json{{"rope_type", "linear"}, {"factor", 2.5}}, Llama3()}) {
    EXPECT_EQ(ParseRope({{"rope_scaling", scaling}}).ScalingJson(), scaling);
  }
}

// ---- Frequencies

// From the definitions of the three types, by wavelengths.
double ExpectedFrequency(const RopeConfig& rope, Index j, Index head_dim) {
  const double f = 1 / std::pow(rope.theta, static_cast<double>(2 * j) / static_cast<double>(head_dim));
  if (rope.type == RopeConfig::Type::kDefault) return f;
  if (rope.type == RopeConfig::Type::kLinear) return f / rope.factor;
  const double wave = 2 * M_PI / f, context = static_cast<double>(rope.original_context);
  if (wave > context / rope.low_freq_factor) return f / rope.factor;
  if (wave < context / rope.high_freq_factor) return f;
  const double s = (context / wave - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - s) * f / rope.factor + s * f;
}

TEST(InverseFrequencies, FollowTheTable) {
  RopeConfig rope;
  for (const RopeConfig::Type type :
       {RopeConfig::Type::kDefault, RopeConfig::Type::kLinear, RopeConfig::Type::kLlama3}) {
    for (const Index head_dim : {2, 6, 64, 128}) {
      rope.type = type;
      rope.factor = 8;
      rope.theta = 500000;
      const Tensor frequencies = InverseFrequencies(rope, head_dim);
      ASSERT_EQ(frequencies.shape(), Shape({head_dim / 2}));
      for (Index j = 0; j < head_dim / 2; ++j) {
        const double expected = ExpectedFrequency(rope, j, head_dim);
        EXPECT_LE(std::abs(frequencies[j] - expected), 4 * kEpsilon * expected) << j << " of " << head_dim;
      }
    }
  }
}

// Llama 3.1, D = 128: frequency j has a wavelength of 2π·500000^(j/64) tokens. It is below 2048 up to j = 28
// (64·ln(326)/ln(500000) is 28.2) and over 8192 from j = 35 (64·ln(1304)/ln(500000) is 34.98).
TEST(InverseFrequencies, Llama3HasThreeZones) {
  const Tensor plain = InverseFrequencies(ParseRope({{"rope_theta", 500000.0}}), 128);
  const Tensor scaled = InverseFrequencies(ParseRope({{"rope_theta", 500000.0}, {"rope_scaling", Llama3()}}), 128);
  for (Index j = 0; j < 64; ++j) {
    if (j <= 28) {
      EXPECT_EQ(scaled[j], plain[j]) << j;
    } else if (j >= 35) {
      EXPECT_EQ(scaled[j], plain[j] / 8) << j;
    } else {
      EXPECT_TRUE(scaled[j] < plain[j] && scaled[j] > plain[j] / 8) << j;
    }
  }
}

// Published with the method: θ = 10000, D = 8 gives 1, 1/10, 1/100, 1/1000.
TEST(InverseFrequencies, DefaultsArePowersOfTheta) {
  const Tensor frequencies = InverseFrequencies({}, 8);
  double expected = 1;
  for (Index j = 0; j < 4; ++j, expected /= 10) EXPECT_NEAR(frequencies[j], expected, 2 * kEpsilon * expected);
}

// <q at m, k at n> depends on m − n alone, for each head and every kind of frequencies.
TEST(Rotary, LogitsDependOnDistancesAlone) {
  constexpr Index kDim = 8, kLength = 6;
  RopeConfig rope;
  rope.factor = 8;
  rope.original_context = 64;
  for (const RopeConfig::Type type :
       {RopeConfig::Type::kDefault, RopeConfig::Type::kLinear, RopeConfig::Type::kLlama3}) {
    rope.type = type;
    const Tensor frequencies = InverseFrequencies(rope, kDim);
    const Tensor q = Normal({kLength, kDim}, 0), k = Normal({kLength, kDim}, 1);
    const auto dots = [&](Index offset) {
      Tape tape;
      const Tensor a = ops::Rotary(tape.Constant(q), ops::MakeRotaryTable(frequencies, kLength, offset)).value;
      const Tensor b = ops::Rotary(tape.Constant(k), ops::MakeRotaryTable(frequencies, kLength, offset)).value;
      std::vector<double> all;
      for (Index m = 0; m < kLength; ++m) {
        for (Index n = 0; n < kLength; ++n) all.push_back(Dot(a.row(m), b.row(n), kDim));
      }
      return all;
    };
    const std::vector<double> at_once = dots(0), later = dots(37);
    for (size_t i = 0; i < at_once.size(); ++i) {
      const Index m = static_cast<Index>(i) / kLength, n = static_cast<Index>(i) % kLength;
      const double size = Norm(q.row(m), kDim) * Norm(k.row(n), kDim);
      // The angles of position 43 are rounded to 43 half units in the last place.
      EXPECT_NEAR(later[i], at_once[i], 64 * kEpsilon * size) << m << ", " << n;
      if (m == n) {
        EXPECT_NEAR(at_once[i], Dot(q.row(m), k.row(n), kDim), 8 * kEpsilon * size);
      }
    }
    EXPECT_GT(std::abs(at_once[5] - Dot(q.row(0), k.row(5), kDim)), 1e-3);  // they do depend on distances
  }
}

}  // namespace
}  // namespace ampgrad::models
