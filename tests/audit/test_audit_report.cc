#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "tests/audit/findings.h"
#include "tests/audit/report/html.h"
#include "tests/audit/report/json.h"
#include "tests/audit/report/text.h"
#include "tests/reference/numbers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/texts.h"

namespace ampgrad::audit {
namespace {

OpFinding MakeOp(const std::string& op, const std::string& shape, const std::string& input) {
  OpFinding finding;
  finding.op = op;
  finding.shape = shape;
  finding.input = input;
  finding.bound = 1e-10;
  finding.complex_step_error = 3e-14;
  finding.adjoint_error = 2e-15;
  finding.taylor_slope = 2.001;
  for (const double h : {1e-1, 1e-2, 1e-3, 1e-4}) finding.taylor.push_back({h, 0.7 * h * h});
  return finding;
}

// Something of everything, all of it passed.
Findings MakeFindings() {
  Findings findings;
  findings.title = "a model";
  findings.seconds = 12.5;
  for (const char* op : {"Softmax", "LayerNorm"}) {
    for (const char* shape : {"[1, 1]", "[3, 17]"}) findings.ops.push_back(MakeOp(op, shape, "x"));
  }
  OpFinding linear = MakeOp("Add", "[3, 17]", "a");
  linear.straight = true;
  linear.taylor_slope = kNaN;
  findings.ops.push_back(linear);
  findings.identities = {{"structure", "rows of dlogits sum to 0", 1e-16, 1e-14}, {"chain", "dS = dW·Bᵀ", 0, 0}};
  findings.kernels = {{"AVX2", "Dot", 0.2}, {"AVX2", "Exp", 0.4}, {"SSE4", "Dot", 0.1}};
  findings.mutants = {{"Softmax", "sign flipped", true, true}, {"LayerNorm", "mean term missing", true, false}};
  findings.ledger = {{"h.0.attn.c_attn.weight", true, 4096, 64, 60, 0.3, 1e-4, 7, 2e-5, 1e-2, 1e-6, 1e-4},
                     {"wte.weight", false, 8192, 0, 0, 0, 0, -1, 0, 1e-2}};
  return findings;
}

std::vector<std::string> AllReports(const Findings& findings) {
  return {FormatText(findings), FormatJson(findings), FormatHtml(findings)};
}

std::string LastLine(const std::string& text) {
  const size_t end = text.find_last_not_of('\n') + 1;
  return text.substr(text.rfind('\n', end - 1) + 1, end - text.rfind('\n', end - 1) - 1);
}

// That all three reports call the findings failed, and name what failed.
void ExpectFailure(const Findings& findings, const std::string& name) {
  EXPECT_FALSE(findings.Passed()) << name;
  const std::string text = LastLine(FormatText(findings));
  EXPECT_TRUE(text.starts_with("FAILED: 1 of ") && Contains(text, name)) << text;
  const nlohmann::json json = nlohmann::json::parse(FormatJson(findings));
  EXPECT_FALSE(json["passed"]);
  ASSERT_EQ(json["failures"].size(), 1u);
  EXPECT_TRUE(Contains(json["failures"][0]["check"], name)) << json["failures"][0];
  const std::string html = FormatHtml(findings);
  EXPECT_TRUE(Contains(html, "FAILED: 1 of ") && Contains(html, "What failed")) << name;
}

TEST(AuditReport, PassesWhatPassed) {
  const Findings findings = MakeFindings();
  EXPECT_TRUE(findings.Passed());
  EXPECT_EQ(LastLine(FormatText(findings)), "PASSED: 14 checks");
  const std::string html = FormatHtml(findings);
  EXPECT_TRUE(Contains(html, "PASSED: 14 checks"));
  EXPECT_FALSE(Contains(html, "FAILED"));
}

TEST(AuditReport, FailsWhenNothingWasChecked) {
  const Findings findings{};
  EXPECT_FALSE(findings.Passed());
  EXPECT_EQ(LastLine(FormatText(findings)), "FAILED: nothing was checked");
  EXPECT_FALSE(nlohmann::json::parse(FormatJson(findings))["passed"]);
  EXPECT_TRUE(Contains(FormatHtml(findings), "FAILED: nothing was checked"));
}

TEST(AuditReport, NamesTheOneFailure) {
  Findings findings = MakeFindings();
  findings.ops[3].complex_step_error = 1e-3;
  ExpectFailure(findings, "op LayerNorm ([3, 17], x)");
  findings = MakeFindings();
  findings.ops[2].taylor_slope = 1.02;
  ExpectFailure(findings, "op LayerNorm ([1, 1], x)");
  findings = MakeFindings();
  findings.identities[0].error = 1e-3;
  ExpectFailure(findings, "rows of dlogits sum to 0");
  findings = MakeFindings();
  findings.kernels[2].share = 1.01;
  ExpectFailure(findings, "kernel Dot on SSE4");
  findings = MakeFindings();
  findings.mutants[1].killed = false;
  ExpectFailure(findings, "mean term missing");
  findings = MakeFindings();
  findings.ledger[0].above_floor = 0;
  ExpectFailure(findings, "tensor h.0.attn.c_attn.weight");
  findings = MakeFindings();
  findings.ledger[1].gradient_norm = 1e-9;
  ExpectFailure(findings, "tensor wte.weight");
}

TEST(AuditReport, CountsTheFailuresItDoesNotName) {
  Findings findings = MakeFindings();
  for (int i = 0; i < 30; ++i)
    findings.mutants.push_back({"Softmax", "fault number " + std::to_string(i), false, false});
  const std::string line = LastLine(FormatText(findings));
  EXPECT_TRUE(Contains(line, "fault number 0") && Contains(line, " more")) << line;
  EXPECT_LE(line.size(), 100u);
}

TEST(AuditReport, FailsOnNumbersThatAreNotFinite) {
  for (const double number : {kNaN, kInfinity}) {
    for (double OpFinding::*member :
         {&OpFinding::complex_step_error, &OpFinding::adjoint_error, &OpFinding::taylor_slope}) {
      Findings findings = MakeFindings();
      findings.ops[0].*member = number;
      ExpectFailure(findings, "op Softmax ([1, 1], x)");
    }
    Findings findings = MakeFindings();
    findings.kernels[0].share = number;
    ExpectFailure(findings, "kernel Dot on AVX2");
    findings = MakeFindings();
    findings.ledger[0].entry_error = findings.ledger[0].bound = number;  // inf <= inf holds, and shows nothing
    ExpectFailure(findings, "tensor h.0.attn.c_attn.weight");
  }
}

TEST(AuditReport, PrintsNumbersThatAreNotFiniteAsSuch) {
  Findings findings = MakeFindings();
  findings.ops[0].complex_step_error = kNaN;
  findings.ops[1].adjoint_error = kInfinity;
  findings.ops[2].taylor = {{0.1, kNaN}, {0.01, kInfinity}, {0.001, 0}};
  findings.kernels[0].share = kNaN;
  findings.ledger[0].gradient_norm = kNaN;
  EXPECT_TRUE(Contains(FormatText(findings), "NaN") && Contains(FormatText(findings), "inf"));
  const nlohmann::json json = nlohmann::json::parse(FormatJson(findings));
  EXPECT_TRUE(json["ops"][0]["complex_step_error"].is_null());
  EXPECT_FALSE(json["ops"][0]["passed"]);
  EXPECT_TRUE(json["ops"][2]["taylor"][1]["remainder"].is_null());
  EXPECT_FALSE(json["ops"][2]["passed"]);
  EXPECT_TRUE(json["kernels"][0]["share_of_bound"].is_null());
  const std::string html = FormatHtml(findings);
  EXPECT_TRUE(Contains(html, "complex-step error NaN") && Contains(html, "adjoint error inf"));
  for (const char* coordinate :
       {"=\"nan", "=\"-nan", "=\"inf", "=\"-inf", ",nan", ",-nan", ",inf", "--w:nan", "--s:nan"}) {
    EXPECT_FALSE(Contains(html, coordinate)) << coordinate;
  }
}

TEST(AuditReport, DrawsZerosAndHugeNumbers) {
  Findings findings = MakeFindings();
  for (OpFinding& finding : findings.ops) finding.complex_step_error = finding.adjoint_error = 0;
  EXPECT_TRUE(findings.Passed());
  EXPECT_TRUE(Contains(FormatHtml(findings), "complex-step error 0"));
  findings.ops[0].complex_step_error = 1e300;
  findings.ops[0].taylor = {{1e-300, 1e300}};
  EXPECT_TRUE(Contains(FormatHtml(findings), "complex-step error 1.0e+300"));
}

TEST(AuditReport, EscapesNames) {
  const std::string name = "<b onclick=\"x\">&'";
  Findings findings = MakeFindings();
  findings.title = name;
  for (OpFinding& finding : findings.ops) finding.op = finding.shape = finding.input = name;
  findings.identities[0].group = findings.identities[0].statement = name;
  findings.kernels[0].kernel = findings.kernels[0].target = name;
  findings.mutants[0].op = findings.mutants[0].fault = name;
  findings.ledger[0].tensor = name;
  findings.ops[0].bound = findings.ledger[0].bound = 0;
  const std::string html = FormatHtml(findings);
  EXPECT_FALSE(Contains(html, "<b onclick"));
  EXPECT_FALSE(Contains(html, "x\">&'"));
  EXPECT_TRUE(Contains(html, "&lt;b onclick=&quot;x&quot;&gt;&amp;&#39;"));
  EXPECT_EQ(nlohmann::json::parse(FormatJson(findings))["ledger"][0]["tensor"], name);
}

TEST(AuditReport, KeepsControlCharactersAndBrokenUtf8FromDoingHarm) {
  Findings findings = MakeFindings();
  findings.ledger[0].tensor =
      "a\x1b[31mb\nc\xC2\x9B"
      "d\xFF";
  const std::string text = FormatText(findings), html = FormatHtml(findings);
  EXPECT_TRUE(Contains(text, "a?[31mb?c?d"));
  EXPECT_FALSE(Contains(text, "\x1b") || Contains(html, "\x1b"));
  EXPECT_TRUE(nlohmann::json::accept(FormatJson(findings)));
}

TEST(AuditReport, IsOnePageThatNeedsNothingElse) {
  const std::string html = FormatHtml(MakeFindings());
  for (const char* part : {"http:", "https:", "<script", "<link", "<img", "@import", "url(", "src=", "href="}) {
    EXPECT_FALSE(Contains(html, part)) << part;
  }
  EXPECT_TRUE(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
}

TEST(AuditReport, ClosesEveryElement) {
  const std::string html = FormatHtml(MakeFindings());
  const auto count = [&](const std::string& part) {
    size_t n = 0;
    for (size_t at = html.find(part); at != std::string::npos; at = html.find(part, at + 1)) ++n;
    return n;
  };
  for (const std::string element :
       {"section", "div", "table", "tr", "td", "ul", "li", "svg", "text", "figure", "span", "p"}) {
    const size_t open = count("<" + element + ">") + count("<" + element + " ");
    EXPECT_GT(open, 0u) << element;
    EXPECT_EQ(open, count("</" + element + ">")) << element;
  }
}

TEST(AuditReport, LeavesOutPartsWithoutFindings) {
  Findings findings{};
  findings.ledger = MakeFindings().ledger;
  const std::string html = FormatHtml(findings), text = FormatText(findings);
  EXPECT_TRUE(Contains(html, "tensor by tensor") && Contains(text, "Ledger"));
  for (const char* part : {"backward against", "as h²", "planted", "whatever the numbers", "instruction set"}) {
    EXPECT_FALSE(Contains(html, part)) << part;
  }
  for (const char* part : {"Ops", "Identities", "Kernels", "Planted"}) EXPECT_FALSE(Contains(text, part)) << part;
  findings = MakeFindings();
  findings.ledger.clear();
  EXPECT_FALSE(Contains(FormatHtml(findings), "tensor by tensor"));
}

TEST(AuditReport, NamesEverythingInEveryReport) {
  const Findings findings = MakeFindings();
  for (const std::string& report : AllReports(findings)) {
    for (const OpFinding& finding : findings.ops) EXPECT_TRUE(Contains(report, finding.op)) << finding.op;
    for (const IdentityFinding& finding : findings.identities) EXPECT_TRUE(Contains(report, finding.statement));
    for (const KernelFinding& finding : findings.kernels) {
      EXPECT_TRUE(Contains(report, finding.kernel) && Contains(report, finding.target)) << finding.kernel;
    }
    for (const MutantFinding& finding : findings.mutants) EXPECT_TRUE(Contains(report, finding.fault)) << finding.fault;
    for (const LedgerEntry& entry : findings.ledger) EXPECT_TRUE(Contains(report, entry.tensor)) << entry.tensor;
  }
}

TEST(AuditReport, FitsATerminalOf100Columns) {
  Findings findings = MakeFindings();
  const std::string words =
      "a statement that goes on and on about what must hold and in which case it does not hold at all, "
      "and then some more, in words";
  findings.title = words;
  findings.ops[0].op = "AnOpWithANameThatNoOneWouldEverGiveToAnOp";
  findings.ops[0].bound = 1e-13;
  findings.identities.push_back({"chain", words, kNaN, 1e-14});
  findings.mutants.push_back({"Softmax", words, false, false});
  findings.ledger.push_back(
      {"transformer.h.11.attn.a_rather_long_name.c_attn.weight", true, 38597376, 12345678, 99999});
  for (const char* target : {"T1", "T2", "T3", "T4", "T5", "T6", "T7"})
    findings.kernels.push_back({target, "Dot", 0.1});
  const std::string text = FormatText(findings);
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    const std::string line = text.substr(start, end - start);
    const auto columns = std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
    EXPECT_LE(columns, 100) << line;
    start = end + 1;
  }
}

TEST(AuditReport, GivesTheMutationScore) {
  const std::string text = FormatText(MakeFindings());
  EXPECT_TRUE(Contains(text, "killed 2/2; the common check (2e-2 absolute) would have killed 1/2")) << text;
  const nlohmann::json score = nlohmann::json::parse(FormatJson(MakeFindings()))["mutation_score"];
  EXPECT_EQ(score["killed"], 2);
  EXPECT_EQ(score["common_killed"], 1);
}

TEST(AuditReport, JsonSurvivesAFile) {
  const TempDir dir;
  const std::filesystem::path path = dir.path() / "audit.json";
  io::WriteFileAtomically(path, FormatJson(MakeFindings()));
  const nlohmann::json json = io::ReadJsonObject(path);
  EXPECT_EQ(json["passed"], MakeFindings().Passed());
  EXPECT_EQ(json["ops"].size(), 5u);
  EXPECT_EQ(json["ledger"][0]["compared"], 64);
  EXPECT_DOUBLE_EQ(json["ops"][0]["taylor_slope"].get<double>(), 2.001);
}

}  // namespace
}  // namespace ampgrad::audit
