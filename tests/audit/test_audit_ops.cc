#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "tests/audit/buffer_audit.h"
#include "tests/audit/faults/faults.h"
#include "tests/audit/identities.h"
#include "tests/audit/mutants.h"
#include "tests/audit/op_audit.h"

/// The audit of the ops: right gradients pass it, every planted fault is refused.
namespace ampgrad::audit {
namespace {

constexpr uint64_t kAuditSeed = 1;

#define SKIP_IN_FLOAT() \
  if (sizeof(Real) != sizeof(double)) GTEST_SKIP() << "the audit is of the double build"

TEST(Audit, OpsPass) {
  SKIP_IN_FLOAT();
  for (const OpCase& op_case : OpCases()) {
    const std::vector<OpFinding> findings = AuditOp(op_case, kAuditSeed);
    EXPECT_EQ(findings.size(), op_case.inputs.size());
    for (const OpFinding& f : findings) {
      EXPECT_TRUE(f.Passed()) << f.op << " " << f.shape << ", d" << f.input << ": complex step " << f.complex_step_error
                              << ", adjoint " << f.adjoint_error << " (bound " << f.bound << "), slope "
                              << f.taylor_slope;
      EXPECT_LE(f.bound, 1e-12);
    }
  }
}

// The names of the ops that a header declares, as the tape has them: CausalAttention is causal_attention.
std::set<std::string> DeclaredOps(const std::string& header) {
  std::ifstream file(std::string(AMPGRAD_SOURCE_DIR) + "/" + header);
  std::set<std::string> names;
  std::smatch match;
  for (std::string line; std::getline(file, line);) {
    if (!std::regex_search(line, match, std::regex("^Var ([A-Z][A-Za-z]*)\\("))) continue;
    std::string name;
    for (const char c : match[1].str()) {
      if (std::isupper(c) && !name.empty()) name += '_';
      name += static_cast<char>(std::tolower(c));
    }
    names.insert(name);
  }
  return names;
}

// Read from the headers, so that an op which is added without cases or mutants fails here.
TEST(Audit, EveryOpHasCasesAndMutants) {
  std::set<std::string> declared = DeclaredOps("autograd/ops.h");
  declared.merge(DeclaredOps("autograd/checkpoint.h"));
  declared.merge(DeclaredOps("ct/reconstruct.h"));
  declared.merge(DeclaredOps("ct/factored.h"));
  EXPECT_EQ(declared.size(), 24u);
  std::set<std::string> with_mutants;
  std::map<std::string, std::set<std::string>> shapes;
  for (const OpCase& op_case : OpCases()) shapes[op_case.op].insert(op_case.shape);
  for (const Mutant& mutant : Mutants()) with_mutants.insert(mutant.op);
  EXPECT_EQ(with_mutants, declared);
  EXPECT_EQ(shapes.size(), declared.size());
  for (const std::string& op : declared) EXPECT_GE(shapes[op].size(), 4u) << op;
}

// An input that is taken for linear has its slope unmeasured: only those that are may be.
TEST(Audit, OnlyLinearInputsAreStraight) {
  SKIP_IN_FLOAT();
  std::set<std::string> curved;
  for (const OpCase& op_case : OpCases()) {
    for (const OpFinding& f : AuditOp(op_case, kAuditSeed)) {
      if (!f.straight) curved.insert(f.op + " " + f.input);
    }
  }
  EXPECT_EQ(curved, (std::set<std::string>{"add_product B = A", "causal_attention k", "causal_attention q",
                                           "causal_attention q = k = v", "causal_self_attention qkv", "checkpoint x",
                                           "cross_entropy logits", "gelu x", "layer_norm x", "linear x = W",
                                           "low_rank_linear x = P = B", "mul a = b", "rms_norm x", "silu x"}));
}

TEST(Audit, RefusesEveryMutant) {
  SKIP_IN_FLOAT();
  const std::vector<MutantFinding> findings = RunMutants(kAuditSeed);
  EXPECT_GE(findings.size(), 180u);
  Index common = 0;
  for (const MutantFinding& f : findings) {
    EXPECT_TRUE(f.killed) << f.op << ": " << f.fault;
    common += f.common_killed;
  }
  // The check it is compared with is no straw man, and no match either.
  EXPECT_GT(common, 0);
  EXPECT_LT(common, static_cast<Index>(findings.size()));
}

// What mutants are made with is no fault by itself.
TEST(Audit, AcceptsEveryOpBehindAnEmptyFault) {
  SKIP_IN_FLOAT();
  for (const OpCase& op_case : OpCases()) {
    const OpCase same = WithFault(op_case, [](Pass&) {});
    EXPECT_FALSE(AuditRefuses(same, kAuditSeed)) << op_case.op << " " << op_case.shape;
    EXPECT_FALSE(CommonCheckRefuses(same, kAuditSeed)) << op_case.op << " " << op_case.shape;
  }
}

// What is right while every input is a parameter that trains: the three views pass it.
TEST(Audit, BuffersShowWhatAnOpAloneHides) {
  SKIP_IN_FLOAT();
  const auto errors = [](const OpCase& right, const Fault& fault) {
    const OpCase faulty = WithFault(right, fault);
    for (const OpFinding& f : AuditOp(faulty, kAuditSeed)) EXPECT_TRUE(f.Passed()) << f.op << " d" << f.input;
    return AuditBuffers(faulty, kAuditSeed);
  };
  EXPECT_EQ(errors(MulCase({17}), WhereFrozen(0, Times(1, 2))).changed, 1);
  EXPECT_GT(errors(GeluCase({17}), ReadTo).lost, 0.1);
  EXPECT_EQ(errors(GeluCase({17}), WriteOnto).overwritten, 1);
  EXPECT_EQ(errors(GeluCase({17}), [](Pass& p) { WriteOver(p.dY, p.dX[0]); }).overwritten, 1);
  EXPECT_TRUE(errors(MulCase({17}), [](Pass&) {}).Passed());
}

TEST(Audit, WrongGradientHasSlopeOne) {
  SKIP_IN_FLOAT();
  const auto half = [](Pass& pass) {
    for (Real& element : pass.dX[0]) element /= 2;
  };
  for (const OpCase& right : {GeluCase({17}), MulCase({17}), CrossEntropyCase(17, {3, 0})}) {
    const OpFinding finding = AuditOp(WithFault(right, half), kAuditSeed)[0];
    EXPECT_FALSE(finding.straight) << right.op;
    EXPECT_NEAR(finding.taylor_slope, 1, 0.05) << right.op;
    EXPECT_NEAR(finding.complex_step_error, 0.5, 1e-9) << right.op;
    EXPECT_GT(finding.adjoint_error, 1e-3) << right.op;
    EXPECT_FALSE(finding.Passed()) << right.op;
  }
}

TEST(Audit, WrongForwardIsRefused) {
  SKIP_IN_FLOAT();
  OpCase wrong = GeluCase({17});
  wrong.run = SiluCase({17}).run;
  EXPECT_TRUE(AuditRefuses(wrong, kAuditSeed));
  wrong.run = SelfAttentionCase(1, 1, 1, 3).run;
  wrong.inputs[0].value = Normal({1, 9}, 0);
  EXPECT_TRUE(AuditRefuses(wrong, kAuditSeed));  // an output of another size
}

// The three views do not lean on each other: one fault in a thousand shows in each.
TEST(Audit, EachViewSeesASmallFault) {
  SKIP_IN_FLOAT();
  const auto slightly = [](Pass& pass) {
    for (Real& element : pass.dX[0]) element *= Real(1.001);
  };
  for (const OpCase& right : {RmsNormCase(3, 17), AttentionCase(2, 4, 4, 2, 5), ReconstructCase(17, 5, 33, false)}) {
    const OpFinding finding = AuditOp(WithFault(right, slightly), kAuditSeed)[0];
    EXPECT_GT(finding.complex_step_error, 1e-4) << right.op;
    EXPECT_GT(finding.adjoint_error, 1e-7) << right.op;
    EXPECT_FALSE(finding.straight || finding.taylor_slope > 1.9) << right.op;
  }
}

TEST(Audit, IdentitiesPass) {
  SKIP_IN_FLOAT();
  std::set<std::string> statements;
  for (const IdentityFinding& f : AuditIdentities(kAuditSeed)) {
    EXPECT_TRUE(f.Passed()) << f.statement << ": " << f.error << " (bound " << f.bound << ")";
    EXPECT_TRUE(f.group == "structure" || f.group == "chain") << f.group;
    EXPECT_LE(f.bound, 1e-12) << f.statement;
    EXPECT_TRUE(statements.insert(f.statement).second) << f.statement << " is said twice";
  }
  EXPECT_GE(statements.size(), 33u);
}

}  // namespace
}  // namespace ampgrad::audit
