#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/expect_message.h"
#include "tests/support/small_models.h"
#include "tests/support/texts.h"
#include "train/analysis/op_formulas.h"
#include "train/analysis/trace_page.h"

/// The page of a chain, and the graph that it shows.
namespace ampgrad::train {
namespace {

namespace fs = std::filesystem;

Trace TraceOf(const std::string& weight, const std::string& method = "amplitude", const std::string& part = "") {
  const auto model = TinyGpt(3);
  const MethodSettings settings{.method = method, .k = 4, .rank = 4};
  Prepare(*model, settings, MakeBases(*model, settings, {}, {}));
  return FollowNumber(*model, {6, RandomIds(12, 23, 1), RandomIds(12, 23, 2)},
                      {.weight = weight, .part = part, .row = 3, .column = 1});
}

std::string PageOf(const Trace& trace) {
  return FormatTracePage(trace, {.weight = "h.0.<attn>", .row = 3, .column = 1}, "exact K=4", "ampgrad trace --row 3");
}

// One block of spaces for each run of them, as prose is read.
std::string OneSpaced(const std::string& text) { return std::regex_replace(text, std::regex("\\s+"), " "); }

// What the comment block above each op says: by the name under which it records itself, the title with the forward, and
// the backward.
std::map<std::string, std::pair<std::string, std::string>> CommentBlocks() {
  std::map<std::string, std::pair<std::string, std::string>> blocks;
  for (const char* room : {"autograd", "ct"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(AMPGRAD_SOURCE_DIR) / room)) {
      if (entry.path().extension() != ".cc") continue;
      std::ifstream file(entry.path());
      std::string title, forward, backward, *open = nullptr;
      for (std::string line; std::getline(file, line);) {
        std::smatch found;
        if (std::regex_search(line, found, std::regex("Record\\(\"(\\w+)\""))) {
          blocks[found[1]] = {OneSpaced(title + " " + forward), OneSpaced(backward)};
        } else if (std::regex_match(line, found, std::regex("// [A-Z]\\w*   (.*)"))) {
          title = found[1], forward = backward = "", open = nullptr;
        } else if (std::regex_match(line, found, std::regex("//   (forward|backward|shapes|saves) +(.*)"))) {
          open = found[1] == "forward" ? &forward : found[1] == "backward" ? &backward : nullptr;
          if (open) *open += " " + found[2].str();
        } else if (open && std::regex_match(line, found, std::regex("//      +(.*)"))) {
          *open += " " + found[1].str();
        }
      }
    }
  }
  return blocks;
}

// The formulas of the page are those above the ops.
TEST(OpFormulas, AreThoseOfTheCommentBlocks) {
  const auto blocks = CommentBlocks();
  EXPECT_GE(blocks.size(), 24u);
  for (const auto& [op, block] : blocks) {
    const OpFormula& formula = FormulaOf(op);
    EXPECT_NE(block.first.find(formula.forward), std::string::npos) << op << ": " << block.first;
    EXPECT_NE(block.second.find(formula.backward), std::string::npos) << op << ": " << block.second;
  }
  ExpectMessage<std::invalid_argument>([] { FormulaOf("dance"); }, "[formula] no op records itself as dance");
}

// The loss comes first with dloss = 1, edges run downwards, and each node is read by one above it.
TEST(Trace, TheGraphIsThatOfTheTape) {
  const Trace trace = TraceOf("h.0.attn.c_attn.weight");
  ASSERT_GT(trace.graph.size(), trace.path.size());
  EXPECT_EQ(trace.graph.front().step.op, "cross_entropy");
  EXPECT_EQ(trace.graph.front().step.gradient_norm, 1);
  std::set<std::size_t> read = {0};
  std::vector<std::string> on_path, params;
  for (std::size_t i = 0; i < trace.graph.size(); ++i) {
    const TraceNode& node = trace.graph[i];
    EXPECT_TRUE(read.contains(i)) << i;
    for (const std::size_t input : node.inputs) {
      EXPECT_GT(input, i);
      read.insert(input);
    }
    if (node.on_path) on_path.push_back(node.step.op);
    if (!node.param.empty()) params.push_back(node.param);
  }
  std::vector<std::string> expected;
  for (const TraceStep& step : trace.path) expected.push_back(step.op);
  expected.push_back("param");
  EXPECT_EQ(on_path, expected);
  std::ranges::sort(params);
  std::vector<std::string> scores;  // two blocks of four matrices
  for (const char* block : {"h.0", "h.1"}) {
    for (const char* matrix : {"attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"}) {
      scores.push_back("scores." + std::string(block) + "." + matrix + ".weight");
    }
  }
  EXPECT_EQ(params, scores);
}

TEST(TracePage, ShowsTheChainWithoutAScript) {
  const Trace trace = TraceOf("h.0.attn.c_attn.weight");
  const std::string page = PageOf(trace), body = page.substr(0, page.find("<script>"));
  // An op of the path, the rows, the product, AdamW, the difference: a step each, none of them hidden.
  EXPECT_EQ(Occurrences(body, "<li id=\"step-"), trace.path.size() + 4);
  EXPECT_EQ(Occurrences(body, "class=\"away"), 0u);
  EXPECT_EQ(Occurrences(body, " hidden>"), 1u);  // the buttons, which need the script
  EXPECT_EQ(Occurrences(body, "<svg class=\"lanes\""), trace.graph.size());
  for (const TraceStep& step : trace.path) {
    EXPECT_NE(body.find("<code>" + step.source + "</code>"), std::string::npos) << step.source;
    EXPECT_NE(body.find(step.shape), std::string::npos);
  }
  for (const char* part : {"dS += dW·Bᵀ", "dW[3, :]", "∂W/∂θ[3, :] = B[1, :]", "dS = dW·Bᵀ", "θ − lr·m̂ / (√v̂ + ε)",
                           "The check by differences", "h.0.&lt;attn&gt;", "ampgrad trace --row 3", "✓ ok"}) {
    EXPECT_NE(body.find(part), std::string::npos) << part;
  }
  char gradient[32];
  std::snprintf(gradient, sizeof gradient, "%.14e", trace.gradient);
  EXPECT_GE(Occurrences(body, gradient), 2u) << gradient;  // in the product, and beside the difference
}

TEST(TracePage, AsksForNothing) {
  const std::string page = PageOf(TraceOf("h.1.mlp.c_proj.weight"));
  for (const char* part : {"http", " src=", "url(", "@import", "fetch(", "<link"})
    EXPECT_EQ(Occurrences(page, part), 0u) << part;
  EXPECT_EQ(Occurrences(page, "nan"), 0u);
}

// The verdict is the numbers': a gradient that is not the slope of the loss is refused, and NaN is.
TEST(TracePage, RefusesAGradientThatIsNotTheSlope) {
  Trace trace = TraceOf("h.0.mlp.c_fc.weight");
  EXPECT_EQ(Occurrences(PageOf(trace), "FAILED"), 0u);
  for (const double wrong : {trace.gradient + 1, std::nan("")}) {
    Trace other = trace;
    other.gradient = wrong;
    EXPECT_EQ(Occurrences(PageOf(other), "✗ FAILED"), 2u) << wrong;  // in the header, and in the step
  }
}

// Where θ is one of W itself, and where a form has ops of its own.
TEST(TracePage, ShowsEveryForm) {
  for (const auto& [method, part] : std::map<std::string, std::string>{{"full", "weight"}, {"lora", "B"}}) {
    const Trace trace = TraceOf("h.1.mlp.c_fc.weight", method, part);
    const std::string page = PageOf(trace);
    EXPECT_EQ(Occurrences(page, "<li id=\"step-"), trace.path.size() + 4) << method;
    EXPECT_NE(page.find("dθ = Σ dW ∘ ∂W/∂θ over all of W"), std::string::npos) << method;
  }
}

}  // namespace
}  // namespace ampgrad::train
