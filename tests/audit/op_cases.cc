#include "tests/audit/op_cases.h"

#include <cmath>

#include "autograd/checkpoint.h"
#include "ct/factored.h"
#include "ct/reconstruct.h"
#include "tensor/kernels/gemm/gemm.h"
#include "tests/audit/cases/form_cases.h"
#include "tests/reference/ops.h"

namespace ampgrad::audit {
namespace {

std::string Text(const std::string& name, Index size) { return name + " " + std::to_string(size); }

std::string Behind(Index offset) { return offset ? Text(" offset", offset) : ""; }

void AddElementwise(std::vector<OpCase>& cases) {
  for (const Shape& shape : {Shape{1}, Shape{3}, Shape{17}, Shape{33}, Shape{5, 7}, Shape{}}) {
    cases.push_back(AddCase(shape));
    cases.push_back(MulCase(shape));
    cases.push_back(GeluCase(shape));
    cases.push_back(SiluCase(shape));
  }
  for (const Shape& shape : {Shape{17}, Shape{5, 7}}) {
    cases.push_back(OnOneInput(AddCase(shape)));
    cases.push_back(OnOneInput(MulCase(shape)));
  }
  for (const Shape& shape : {Shape{1}, Shape{3}, Shape{17}, Shape{5, 7}}) cases.push_back(CheckpointCase(shape));
}

void AddMatrices(std::vector<OpCase>& cases) {
  cases.push_back(EmbeddingCase(1, 1, {0}));
  cases.push_back(EmbeddingCase(1, 3, {0, 0, 0}));
  for (const Index cols : {3, 17, 33}) cases.push_back(EmbeddingCase(7, cols, {6, 0, 3, 3, 6, 6, 1}));
  for (const Layout layout : {Layout::kOutIn, Layout::kInOut}) {
    for (const bool with_bias : {false, true}) {
      cases.push_back(LinearCase(1, 1, 1, layout, with_bias));
      cases.push_back(LinearCase(3, 17, 4, layout, with_bias));
      cases.push_back(LinearCase(5, 3, 33, layout, with_bias));
      cases.push_back(LinearCase(17, 7, 7, layout, with_bias));
      for (const StoredType type : kStoredTypes) {
        cases.push_back(FrozenLinearCase(1, 1, 1, layout, with_bias, type));
        cases.push_back(FrozenLinearCase(1, 17, 33, layout, with_bias, type));
        cases.push_back(FrozenLinearCase(3, 17, 33, layout, with_bias, type));
      }
    }
    cases.push_back(LinearCase(2, 70, 65, layout, true));
    cases.push_back(OnOneInput(LinearCase(7, 7, 7, layout, false)));
    for (const StoredType type : kStoredTypes) cases.push_back(FrozenLinearCase(2, 70, 65, layout, true, type));
    for (const StoredType type : kBlockTypes) {  // a row in memory is whole blocks
      const bool out_in = layout == Layout::kOutIn;
      cases.push_back(FrozenLinearCase(3, out_in ? 256 : 17, out_in ? 33 : 256, layout, true, type));
    }
  }
  for (const bool one_row : {true, false}) {
    cases.push_back(ReconstructCase(1, 1, 1, one_row));
    cases.push_back(ReconstructCase(3, 2, 5, one_row));
    cases.push_back(ReconstructCase(17, 5, 33, one_row));
    cases.push_back(ReconstructCase(4, 17, 17, one_row));
    cases.push_back(ReconstructCase(2, 300, 5, one_row));  // a sum longer than a block of the product
  }
}

void AddFactored(std::vector<OpCase>& cases) {
  cases.push_back(AppendOnesCase(1, 1));
  cases.push_back(AppendOnesCase(3, 2));
  cases.push_back(AppendOnesCase(17, 5));
  cases.push_back(AppendOnesCase(5, 33));
  for (const Layout layout : {Layout::kOutIn, Layout::kInOut}) {
    for (const bool with_bias : {false, true}) {
      cases.push_back(FactoredLinearCase(1, 1, 1, 1, layout, with_bias));
      cases.push_back(FactoredLinearCase(3, 4, 2, 17, layout, with_bias));
      cases.push_back(FactoredLinearCase(5, 33, 3, 7, layout, with_bias));
      cases.push_back(FactoredLinearCase(9, 9, 9, 9, layout, with_bias));
    }
    cases.push_back(FactoredLinearCase(2, 5, 300, 3, layout, true));
  }
}

void AddRows(std::vector<OpCase>& cases) {
  for (const Index rows : {1, 3}) {
    for (const Index cols : {1, 3, 17, 33}) {
      cases.push_back(LayerNormCase(rows, cols));
      cases.push_back(RmsNormCase(rows, cols));
    }
  }
  cases.push_back(RotaryCase(1, 1, 1, 2));
  cases.push_back(RotaryCase(3, 2, 1, 6));
  cases.push_back(RotaryCase(2, 7, 3, 10));
  cases.push_back(RotaryCase(1, 3, 2, 34));
  cases.push_back(RotaryCase(2, 3, 2, 6, 5));
  cases.push_back(AttentionCase(1, 1, 1, 1, 1));
  cases.push_back(AttentionCase(3, 5, 1, 1, 2));
  cases.push_back(AttentionCase(2, 5, 3, 3, 3));
  cases.push_back(AttentionCase(2, 4, 4, 2, 5));
  cases.push_back(AttentionCase(1, 3, 4, 1, 17));
  cases.push_back(AttentionCase(1, 33, 1, 1, 3));
  cases.push_back(AttentionCase(1, 1, 4, 2, 3, 6));
  cases.push_back(AttentionCase(2, 3, 4, 2, 5, 4));
  cases.push_back(OnOneInput(AttentionCase(2, 3, 2, 2, 3)));
  cases.push_back(SelfAttentionCase(1, 1, 1, 1));
  cases.push_back(SelfAttentionCase(6, 3, 2, 3));
  cases.push_back(SelfAttentionCase(4, 2, 1, 33));
  cases.push_back(SelfAttentionCase(5, 5, 3, 17));
  cases.push_back(CrossEntropyCase(1, {0}));
  for (const int vocab : {3, 17, 33}) {
    cases.push_back(CrossEntropyCase(vocab, {vocab - 1}));
    const std::vector<int> some = {ops::kIgnored, 1, ops::kIgnored, vocab - 1, 0, ops::kIgnored};
    for (const Index count : {0, 7}) {
      cases.push_back(CrossEntropyCase(vocab, some, count));
      cases.push_back(CrossEntropyInPlaceCase(vocab, some, count));
    }
  }
}

}  // namespace

std::vector<Tensor> Values(const OpCase& op_case) {
  std::vector<Tensor> x;
  for (const CheckInput& input : op_case.inputs) x.push_back(input.value);
  return x;
}

Tensor Evaluate(const OpFn& op, const std::vector<Tensor>& x) {
  Tape tape(Tape::Mode::kInference);
  Vars vars;
  for (const Tensor& value : x) vars.push_back(tape.Constant(value));
  return op(tape, vars).value;
}

std::vector<Tensor> GradientsOf(const OpFn& op, const std::vector<Tensor>& x, const Tensor& dY) {
  std::vector<Param> params = Trainable(x);
  Backpropagate(op, params, dY);
  std::vector<Tensor> gradients;
  for (const Param& param : params) gradients.push_back(param.grad);
  return gradients;
}

std::vector<OpCase> OpCases() {
  std::vector<OpCase> cases;
  AddElementwise(cases);
  AddMatrices(cases);
  AddFactored(cases);
  AddRows(cases);
  AddPacked(cases);
  AddForms(cases);
  return cases;
}

OpCase AddCase(Shape shape) {
  return {"add",
          shape.ToString(),
          {{"a", Normal(shape, 0)}, {"b", Normal(shape, 1)}},
          [](Tape&, const Vars& x) { return ops::Add(x[0], x[1]); },
          [](const ComplexInputs& x) { return reference::Add(x[0], x[1]); }};
}

OpCase MulCase(Shape shape) {
  return {"mul",
          shape.ToString(),
          {{"a", Normal(shape, 0)}, {"b", Normal(shape, 1)}},
          [](Tape&, const Vars& x) { return ops::Mul(x[0], x[1]); },
          [](const ComplexInputs& x) { return reference::Mul(x[0], x[1]); }};
}

OpCase GeluCase(Shape shape) {
  return {"gelu",
          shape.ToString(),
          {{"x", Normal(shape, 0, 2)}},
          [](Tape&, const Vars& x) { return ops::Gelu(x[0]); },
          [](const ComplexInputs& x) { return reference::Gelu(x[0]); }};
}

OpCase SiluCase(Shape shape) {
  return {"silu",
          shape.ToString(),
          {{"x", Normal(shape, 0, 2)}},
          [](Tape&, const Vars& x) { return ops::Silu(x[0]); },
          [](const ComplexInputs& x) { return reference::Silu(x[0]); }};
}

OpCase EmbeddingCase(Index rows, Index cols, const std::vector<int>& ids) {
  return {"embedding",
          Shape{rows, cols}.ToString() + Text(", ids", static_cast<Index>(ids.size())),
          {{"table", Normal({rows, cols}, 0)}},
          [=](Tape&, const Vars& x) { return ops::Embedding(x[0], ids); },
          [=](const ComplexInputs& x) { return reference::Embedding(x[0], ids, cols); }};
}

OpCase LinearCase(Index rows, Index in, Index out, Layout layout, bool with_bias) {
  const bool out_in = layout == Layout::kOutIn;
  std::vector<CheckInput> inputs = {{"x", Normal({rows, in}, 0)},
                                    {"W", Normal(out_in ? Shape{out, in} : Shape{in, out}, 1)}};
  if (with_bias) inputs.push_back({"b", Normal({out}, 2)});
  return {"linear",
          Shape{rows, in}.ToString() +
              (out_in ? "·W" + Shape{out, in}.ToString() + "ᵀ" : "·W" + Shape{in, out}.ToString()) +
              (with_bias ? " + b" : ""),
          inputs, [=](Tape&, const Vars& x) { return ops::Linear(x[0], x[1], layout, with_bias ? &x[2] : nullptr); },
          [=](const ComplexInputs& x) {
            const Complexes bias = with_bias ? x[2] : Complexes();
            return out_in ? reference::LinearOutIn(x[0], x[1], bias, rows, in, out)
                          : reference::LinearInOut(x[0], x[1], bias, rows, in, out);
          }};
}

OpCase FrozenLinearCase(Index rows, Index in, Index out, Layout layout, bool with_bias, StoredType type) {
  const bool out_in = layout == Layout::kOutIn;
  const StoredTensor w = FrozenWeight(out_in ? Shape{out, in} : Shape{in, out}, type);
  std::vector<CheckInput> inputs = {{"x", Normal({rows, in}, 0)}};
  if (with_bias) inputs.push_back({"b", Normal({out}, 2)});
  return {"frozen_linear",
          Shape{rows, in}.ToString() + "·W" + w.shape().ToString() + " " + ToString(type) + (out_in ? "ᵀ" : "") +
              (with_bias ? " + b" : ""),
          inputs, [=](Tape&, const Vars& x) { return ops::FrozenLinear(x[0], w, layout, with_bias ? &x[1] : nullptr); },
          [=](const ComplexInputs& x) {
            const Complexes bias = with_bias ? x[1] : Complexes(), weight = ToComplexes(w.Widened());
            return out_in ? reference::LinearOutIn(x[0], weight, bias, rows, in, out)
                          : reference::LinearInOut(x[0], weight, bias, rows, in, out);
          }};
}

OpCase LayerNormCase(Index rows, Index cols) {
  const Real eps = NormEps(cols);
  Tensor x = Normal({rows, cols}, 0, 2);
  for (Real& element : x) element += 1;  // a mean that must be taken away
  return {"layer_norm",
          x.shape().ToString(),
          {{"x", x}, {"gain", Normal({cols}, 1)}, {"bias", Normal({cols}, 2)}},
          [=](Tape&, const Vars& v) { return ops::LayerNorm(v[0], v[1], v[2], eps); },
          [=](const ComplexInputs& v) { return reference::LayerNorm(v[0], v[1], v[2], rows, cols, eps); }};
}

OpCase RmsNormCase(Index rows, Index cols) {
  const Real eps = NormEps(cols);
  return {"rms_norm",
          Shape{rows, cols}.ToString(),
          {{"x", Normal({rows, cols}, 0, 2)}, {"gain", Normal({cols}, 1)}},
          [=](Tape&, const Vars& v) { return ops::RmsNorm(v[0], v[1], eps); },
          [=](const ComplexInputs& v) { return reference::RmsNorm(v[0], v[1], rows, cols, eps); }};
}

OpCase RotaryCase(Index batch, Index length, Index heads, Index dim, Index offset) {
  const Index rows = batch * length;
  const Tensor frequencies = InverseFrequencies(dim);
  return {"rotary",
          Shape{rows, heads * dim}.ToString() + Text(", heads", heads) + Text(" length", length) + Behind(offset),
          {{"x", Normal({rows, heads * dim}, 0)}},
          [=](Tape&, const Vars& x) { return ops::Rotary(x[0], ops::MakeRotaryTable(frequencies, length, offset)); },
          [=](const ComplexInputs& x) {
            return reference::Rotary(x[0], ToDoubles(frequencies), rows, length, heads, offset);
          }};
}

OpCase AttentionCase(Index batch, Index length, Index heads, Index kv_heads, Index dim, Index offset) {
  const Index rows = batch * length, kv_rows = batch * (offset + length);
  return {"causal_attention",
          Shape{rows, heads * dim}.ToString() + Text(", heads", heads) + "/" + std::to_string(kv_heads) +
              Text(" length", length) + Behind(offset),
          {{"q", Normal({rows, heads * dim}, 0)},
           {"k", Normal({kv_rows, kv_heads * dim}, 1)},
           {"v", Normal({kv_rows, kv_heads * dim}, 2)}},
          [=](Tape&, const Vars& x) { return ops::CausalAttention(x[0], x[1], x[2], length, heads, kv_heads, offset); },
          [=](const ComplexInputs& x) {
            return reference::CausalAttention(x[0], x[1], x[2], rows, length, heads, kv_heads, dim, offset);
          }};
}

OpCase SelfAttentionCase(Index rows, Index length, Index heads, Index dim) {
  const Index channels = heads * dim;
  return {"causal_self_attention",
          Shape{rows, 3 * channels}.ToString() + Text(", length", length) + Text(", heads", heads),
          {{"qkv", Normal({rows, 3 * channels}, 0)}},
          [=](Tape&, const Vars& x) { return ops::CausalSelfAttention(x[0], length, heads); },
          [=](const ComplexInputs& x) {
            const auto part = [&](Index i) {
              return reference::Columns(x[0], rows, 3 * channels, i * channels, channels);
            };
            return reference::CausalAttention(part(0), part(1), part(2), rows, length, heads, heads, dim);
          }};
}

OpCase CrossEntropyCase(Index vocab, const std::vector<int>& targets, Index count) {
  const Index rows = static_cast<Index>(targets.size()), present = ops::CountTargets(targets);
  return {"cross_entropy",
          Shape{rows, vocab}.ToString() + (present < rows ? Text(", ignored", rows - present) : "") +
              (count ? Text(", count", count) : ""),
          {{"logits", Normal({rows, vocab}, 0)}},
          [=](Tape&, const Vars& x) { return ops::CrossEntropy(x[0], targets, count ? count : present); },
          [=](const ComplexInputs& x) { return reference::CrossEntropy(x[0], targets, rows, vocab, count); }};
}

OpCase CrossEntropyInPlaceCase(Index vocab, const std::vector<int>& targets, Index count) {
  OpCase in_place = CrossEntropyCase(vocab, targets, count);
  in_place.shape += ", in place";
  in_place.run = [run = in_place.run](Tape& tape, const Vars& x) {
    return run(tape, {tape.Record("copy", x[0].value.Clone(), {&x[0]},
                                  [](const Tensor& dY, InputGrads& d) { d.Add(0, dY); })});
  };
  return in_place;
}

OpCase CheckpointCase(Shape shape) {
  const Tensor a = Normal(shape, 1);
  return {"checkpoint",
          shape.ToString(),
          {{"x", Normal(shape, 0)}},
          [=](Tape&, const Vars& inputs) {
            return Checkpoint(inputs[0], [=](const Var& x) {
              return ops::Add(ops::Mul(ops::Gelu(ops::Mul(x.tape->Constant(a), x)), x), x);
            });
          },
          [=](const ComplexInputs& inputs) {
            const Complexes& x = inputs[0];
            return reference::Add(reference::Mul(reference::Gelu(reference::Mul(ToComplexes(a), x)), x), x);
          }};
}

OpCase OnOneInput(const OpCase& apart) {
  OpCase together = apart;
  const size_t n = apart.inputs.size();
  std::string& name = together.inputs[0].name;
  for (size_t i = 1; i < n; ++i) name += " = " + apart.inputs[i].name;
  together.inputs.resize(1);
  together.shape += ", " + name;
  together.run = [=](Tape& tape, const Vars& x) { return apart.run(tape, Vars(n, x[0])); };
  together.reference = [=](const ComplexInputs& x) { return apart.reference(ComplexInputs(n, x[0])); };
  return together;
}

OpCase ReconstructCase(Index n, Index k, Index d, bool one_row) {
  const Tensor b = ReconstructBasis(k, d), c = ReconstructCentre(n, d, one_row);
  return {
      "reconstruct",
      Shape{n, k}.ToString() + "·" + Shape{k, d}.ToString() + (one_row ? " + μ" : " + W₀"),
      {{"S", Normal({n, k}, 0)}},
      [=](Tape&, const Vars& x) { return ct::Reconstruct(x[0], b, c); },
      [=](const ComplexInputs& x) { return reference::Reconstruct(x[0], ToComplexes(b), ToComplexes(c), n, k, d); }};
}

OpCase AppendOnesCase(Index n, Index k) {
  return {"append_ones",
          Shape{n, k}.ToString(),
          {{"S", Normal({n, k}, 0)}},
          [](Tape&, const Vars& x) { return ct::AppendOnes(x[0]); },
          [=](const ComplexInputs& x) { return reference::AppendOnes(x[0], n, k); }};
}

OpCase FactoredLinearCase(Index rows, Index n, Index k, Index d, Layout layout, bool with_bias) {
  const bool out_in = layout == Layout::kOutIn;
  const Index in = out_in ? d : n, out = out_in ? n : d;
  const Tensor basis = ReconstructBasis(k, d), centre = ReconstructCentre(n, d, false);
  std::vector<CheckInput> inputs = {{"x", Normal({rows, in}, 3)}, {"S", Normal({n, k}, 0)}};
  if (with_bias) inputs.push_back({"b", Normal({out}, 4)});
  return {"factored_linear",
          Shape{rows, in}.ToString() + "·(" + Shape{n, k}.ToString() + "·" + Shape{k, d}.ToString() + " + W₀)" +
              (out_in ? "ᵀ" : "") + (with_bias ? " + b" : ""),
          inputs,
          [=](Tape&, const Vars& x) {
            const Tensor p = out_in ? ProjectOnto(basis, x[0].value) : Tensor();
            return ct::FactoredLinear(x[0], p, x[1], basis, centre, layout, with_bias ? &x[2] : nullptr);
          },
          [=](const ComplexInputs& x) {
            const Complexes w = reference::Reconstruct(x[1], ToComplexes(basis), ToComplexes(centre), n, k, d);
            const Complexes bias = with_bias ? x[2] : Complexes();
            return out_in ? reference::LinearOutIn(x[0], w, bias, rows, in, out)
                          : reference::LinearInOut(x[0], w, bias, rows, in, out);
          }};
}

Real NormEps(Index cols) { return cols == 1 ? Real(0.5) : Real(1e-5); }

Tensor InverseFrequencies(Index dim) {
  Tensor f({dim / 2});
  for (Index j = 0; j < f.size(); ++j) {
    f[j] = static_cast<Real>(std::pow(100.0, -2.0 * static_cast<double>(j) / static_cast<double>(dim)));
  }
  return f;
}

StoredTensor FrozenWeight(Shape shape, StoredType type) {
  return HasBlocks(type) ? RandomBlocks(type, shape, 1) : Rounded(Normal(shape, 1), type);
}
Tensor ReconstructBasis(Index k, Index d) { return Normal({k, d}, 1); }

Tensor ProjectOnto(const Tensor& basis, const Tensor& x) {
  Tensor projection = Tensor::Uninitialized({x.rows(), basis.rows()});
  kernels::ProductNT(x, basis, {projection.data()});
  return projection;
}

Tensor ReconstructCentre(Index n, Index d, bool one_row) { return Normal(one_row ? Shape{d} : Shape{n, d}, 2); }

}  // namespace ampgrad::audit
