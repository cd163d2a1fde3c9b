#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "tests/reference/grad_check.h"
#include "tests/reference/numbers.h"
#include "tests/support/mean_loss.h"
#include "tests/support/stored.h"

/// What the audit looks at: every op at several shapes, each with its scalar reference.
namespace ampgrad::audit {

using ops::Layout;

/// The numbers of a tensor as a scalar reference takes them.
using Complexes = std::vector<Complex>;
inline Complexes ToComplexes(const Tensor& t) { return {t.begin(), t.end()}; }

struct OpCase {
  std::string op;     // as the tape names it
  std::string shape;  // for people
  std::vector<CheckInput> inputs;
  OpFn run;
  ReferenceFn reference;
};

/// The larger of two errors; NaN if one is.
inline double Worst(double a, double b) { return std::isnan(a) || a >= b ? a : b; }
using ampgrad::Norm;
inline double Norm(const Tensor& t) { return Norm(t.data(), t.size()); }

/// The tensors of the inputs, shared.
std::vector<Tensor> Values(const OpCase& op_case);
/// The output of an op, forward only.
Tensor Evaluate(const OpFn& op, const std::vector<Tensor>& x);
/// The gradients of all its inputs for the incoming gradient dY.
std::vector<Tensor> GradientsOf(const OpFn& op, const std::vector<Tensor>& x, const Tensor& dY);

/// All ops. Ones, odd sizes and the tails around vectors of 2, 4, 8 and 16 numbers, so small that every element can be
/// stepped.
std::vector<OpCase> OpCases();

// One case each.
OpCase AddCase(Shape shape);
OpCase MulCase(Shape shape);
OpCase GeluCase(Shape shape);
OpCase SiluCase(Shape shape);
OpCase EmbeddingCase(Index rows, Index cols, const std::vector<int>& ids);
OpCase LinearCase(Index rows, Index in, Index out, Layout layout, bool with_bias);
/// The weight is FrozenWeight of its shape.
OpCase FrozenLinearCase(Index rows, Index in, Index out, Layout layout, bool with_bias,
                        StoredType type = StoredType::kBf16);
OpCase LayerNormCase(Index rows, Index cols);
OpCase RmsNormCase(Index rows, Index cols);
OpCase RotaryCase(Index batch, Index length, Index heads, Index dim, Index offset = 0);
OpCase AttentionCase(Index batch, Index length, Index heads, Index kv_heads, Index dim, Index offset = 0);
OpCase SelfAttentionCase(Index rows, Index length, Index heads, Index dim);
/// Sequence s has rows borders[s] to borders[s + 1].
OpCase PackedAttentionCase(const std::vector<Index>& borders, Index heads, Index kv_heads, Index dim);
OpCase PackedSelfAttentionCase(const std::vector<Index>& borders, Index heads, Index dim);
/// The two at several borders.
void AddPacked(std::vector<OpCase>& cases);
/// `count` is that of a step of which the targets are a part; 0 stands for their own.
OpCase CrossEntropyCase(Index vocab, const std::vector<int>& targets, Index count = 0);
/// The same with logits that nobody else holds, as a model's are, so that the gradient takes their place.
OpCase CrossEntropyInPlaceCase(Index vocab, const std::vector<int>& targets, Index count = 0);
/// f(x) = gelu(a ⊙ x) ⊙ x + x, which reads x three times, with a constant a.
OpCase CheckpointCase(Shape shape);
/// The centre is one row for all (the mean row) or a matrix (the pretrained rows).
OpCase ReconstructCase(Index n, Index k, Index d, bool one_row);
OpCase AppendOnesCase(Index n, Index k);
/// x [rows, d] or [rows, n] by the layout, S [n, k], and b if there is one.
OpCase FactoredLinearCase(Index rows, Index n, Index k, Index d, Layout layout, bool with_bias);

/// The case with the first of its inputs, which must all be of one shape, for every one of them: their gradients meet.
OpCase OnOneInput(const OpCase& apart);

/// The eps of the norm cases. With a single column x̂ is 0 (LayerNorm) or nearly ±1 (RmsNorm) and the gradient of x is
/// nothing but what eps leaves; a small eps would leave only rounding.
Real NormEps(Index cols);
/// 1, then falling by a constant factor, as in the models, down to 1/100.
Tensor InverseFrequencies(Index dim);
/// The constant weight of FrozenLinearCase.
StoredTensor FrozenWeight(Shape shape, StoredType type = StoredType::kBf16);
/// The constants of ReconstructCase and, with a matrix for the centre, of FactoredLinearCase.
Tensor ReconstructBasis(Index k, Index d);
Tensor ReconstructCentre(Index n, Index d, bool one_row);
/// x·Bᵀ
Tensor ProjectOnto(const Tensor& basis, const Tensor& x);

}  // namespace ampgrad::audit
