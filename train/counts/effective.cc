#include "train/counts/figure.h"

namespace ampgrad::train {
namespace {

struct Factor {
  double value;
  const char* name;  // "887,628 (a multiplier)"
};

PrintedFigure Product(PrintedFigure figure, const std::vector<Factor>& factors) {
  double product = 1;
  std::string formula;
  for (const Factor& factor : factors) {
    product *= factor.value;
    formula += (formula.empty() ? "" : " × ") + std::string(factor.name);
  }
  return NumberFigure(std::move(figure), formula, product, Unit::kCount).Remark("Not measured: a product of ratios.");
}

}  // namespace

FigureGroup EffectiveFigures() {
  const Factor multiplier = {887'628, "887,628 (multiplier)"}, gain = {1.2, "1.2 (gain)"};
  const Factor small = {13.3e6, "13.3M (parameters, rounded)"};
  const char* const what = "effective parameters";
  FigureGroup group{"Effective parameters: products, nothing of which was measured", {}};
  std::vector<PrintedFigure>& figures = group.figures;
  figures.push_back(Product({"–", "1,065,154 ×", "multiplier"}, {multiplier, gain}));
  figures.back().unit = Unit::kTimes;
  figures.back().Remark("Not measured. S72 multiplies by 1.2 while it names 40 ×.");
  figures.push_back(Product({"–", "11.8T", what}, {multiplier, small}));
  figures.back().Remark("Not measured: a product of ratios. No count of the small model gives 13.3M.");
  figures.push_back(Product({"–", "14.2T", what}, {multiplier, gain, small}));
  figures.push_back(
      Product({"–", "0.27 peta", what}, {{246'563, "246,563 (multiplier)"}, {1.1e9, "1.1B (parameters)"}}));
  PrintedFigure more{"–", "2.7 peta", what};
  figures.push_back(
      more.Remark("Not measured, and ten times the product above; where the ten comes from is not said."));
  return group;
}

}  // namespace ampgrad::train
