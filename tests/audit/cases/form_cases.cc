#include "tests/audit/cases/form_cases.h"

#include <memory>

#include "tests/reference/ops.h"

namespace ampgrad::audit {
namespace {

// What dropout keeps, as numbers 1 and 0.
Complexes Kept(Index size, double rate, const Random& random) {
  Complexes kept;
  for (Index i = 0; i < size; ++i) kept.push_back(random.Uniform(static_cast<uint64_t>(i)) >= rate ? 1 : 0);
  return kept;
}

}  // namespace

OpCase ScaleCase(Shape shape, double factor) {
  return {"scale",
          shape.ToString() + " times " + std::to_string(factor),
          {{"x", Normal(shape, 0)}},
          [=](Tape&, const Vars& x) { return ops::Scale(x[0], static_cast<Real>(factor)); },
          [=](const ComplexInputs& x) { return reference::Scale(x[0], static_cast<Real>(factor)); }};
}

OpCase ScaleRowsCase(Index n, Index d) {
  return {"scale_rows",
          Shape{n, d}.ToString(),
          {{"x", Normal({n, d}, 0)}, {"g", Normal({n}, 1)}},
          [](Tape&, const Vars& x) { return ops::ScaleRows(x[0], x[1]); },
          [=](const ComplexInputs& x) { return reference::ScaleRows(x[0], x[1], n, d); }};
}

OpCase ScaleColumnsCase(Index rows, Index d, bool with_bias) {
  std::vector<CheckInput> inputs = {{"x", Normal({rows, d}, 0)}, {"g", Normal({d}, 1)}};
  if (with_bias) inputs.push_back({"b", Normal({d}, 2)});
  return {"scale_columns", Shape{rows, d}.ToString() + (with_bias ? " + b" : ""), inputs,
          [=](Tape&, const Vars& x) { return ops::ScaleColumns(x[0], x[1], with_bias ? &x[2] : nullptr); },
          [=](const ComplexInputs& x) {
            return reference::ScaleColumns(x[0], x[1], with_bias ? x[2] : Complexes(), rows, d);
          }};
}

OpCase AddProductCase(Index n, Index r, Index d) {
  const Tensor c = ReconstructCentre(n, d, false);
  return {"add_product",
          Shape{n, r}.ToString() + "·" + Shape{r, d}.ToString() + " + C",
          {{"B", Normal({n, r}, 0)}, {"A", Normal({r, d}, 1)}},
          [=](Tape&, const Vars& x) { return ops::AddProduct(c, x[0], x[1]); },
          [=](const ComplexInputs& x) { return reference::Reconstruct(x[0], x[1], ToComplexes(c), n, r, d); }};
}

OpCase LowRankLinearCase(Index rows, Index in, Index out, Index r, Layout layout, bool with_bias, StoredType type) {
  const bool out_in = layout == Layout::kOutIn;
  const StoredTensor w = FrozenWeight(out_in ? Shape{out, in} : Shape{in, out}, type);
  std::vector<CheckInput> inputs = {
      {"x", Normal({rows, in}, 0)}, {"P", Normal({rows, r}, 3)}, {"B", Normal({out, r}, 4)}};
  if (with_bias) inputs.push_back({"b", Normal({out}, 2)});
  return {"low_rank_linear",
          Shape{rows, in}.ToString() + "·W" + w.shape().ToString() + (out_in ? "ᵀ" : "") + " + " +
              Shape{rows, r}.ToString() + "·" + Shape{out, r}.ToString() + "ᵀ" + (with_bias ? " + b" : ""),
          inputs,
          [=](Tape&, const Vars& x) {
            return ops::LowRankLinear(x[0], w, layout, x[1], x[2], with_bias ? &x[3] : nullptr);
          },
          [=](const ComplexInputs& x) {
            const Complexes bias = with_bias ? x[3] : Complexes(), weight = ToComplexes(w.Widened());
            return reference::Add(out_in ? reference::LinearOutIn(x[0], weight, bias, rows, in, out)
                                         : reference::LinearInOut(x[0], weight, bias, rows, in, out),
                                  reference::LinearOutIn(x[1], x[2], {}, rows, r, out));
          }};
}

OpCase AddAtCase(Index n, Index d, Index step) {
  const Tensor c = ReconstructCentre(n, d, false);
  const auto positions = std::make_shared<std::vector<Index>>();
  for (Index p = n * d - 1; p >= 0; p -= step) positions->push_back(p);
  const Index count = static_cast<Index>(positions->size());
  return {"add_at",
          Shape{n, d}.ToString() + ", values " + std::to_string(count),
          {{"v", Normal({count}, 0)}},
          [=](Tape&, const Vars& x) { return ops::AddAt(c, positions, x[0]); },
          [=](const ComplexInputs& x) { return reference::AddAt(ToComplexes(c), *positions, x[0]); }};
}

OpCase DropoutCase(Shape shape, double rate) {
  const Random random(7, 1);
  return {"dropout",
          shape.ToString() + ", rate " + std::to_string(rate),
          {{"x", Normal(shape, 0)}},
          [=](Tape&, const Vars& x) { return ops::Dropout(x[0], rate, random); },
          [=](const ComplexInputs& x) {
            const double kept = static_cast<Real>(1 / (1 - rate));
            return reference::Mul(x[0], reference::Scale(Kept(shape.size(), rate, random), kept));
          }};
}

void AddForms(std::vector<OpCase>& cases) {
  for (const Shape& shape : {Shape{1}, Shape{3}, Shape{17}, Shape{5, 7}}) cases.push_back(ScaleCase(shape, -1.75));
  for (const Index d : {1, 3, 17, 33}) {
    cases.push_back(ScaleRowsCase(5, d));
    cases.push_back(ScaleColumnsCase(5, d, true));
  }
  cases.push_back(ScaleRowsCase(70, 3));
  cases.push_back(ScaleColumnsCase(3, 70, false));
  cases.push_back(AddProductCase(1, 1, 1));
  cases.push_back(AddProductCase(3, 2, 5));
  cases.push_back(AddProductCase(17, 5, 33));
  cases.push_back(AddProductCase(7, 7, 7));
  cases.push_back(OnOneInput(AddProductCase(7, 7, 7)));
  for (const Layout layout : {Layout::kOutIn, Layout::kInOut}) {
    for (const bool with_bias : {false, true}) {
      cases.push_back(LowRankLinearCase(1, 1, 1, 1, layout, with_bias));
      cases.push_back(LowRankLinearCase(3, 17, 4, 2, layout, with_bias));
      cases.push_back(LowRankLinearCase(5, 7, 33, 3, layout, with_bias, StoredType::kF32));
    }
    cases.push_back(LowRankLinearCase(6, 5, 4, 9, layout, true, StoredType::kF16));
    cases.push_back(OnOneInput(LowRankLinearCase(7, 7, 7, 7, layout, false)));
  }
  cases.push_back(AddAtCase(1, 1, 1));
  cases.push_back(AddAtCase(5, 7, 3));
  cases.push_back(AddAtCase(17, 3, 1));
  cases.push_back(AddAtCase(3, 33, 10));
  for (const double rate : {0.0, 0.25, 0.5, 0.9}) cases.push_back(DropoutCase({5, 7}, rate));
}

}  // namespace ampgrad::audit
