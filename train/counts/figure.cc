#include "train/counts/figure.h"

#include <cmath>
#include <utility>

#include "train/report/format.h"
#include "train/report/grouped.h"

namespace ampgrad::train {
namespace {

PrintedFigure RatioFigure(PrintedFigure figure, const Ratio& ratio, Unit unit) {
  figure.formula =
      report::Grouped(ratio.count) + " " + ratio.name + " / " + report::Grouped(ratio.of) + " " + ratio.of_name;
  figure.value = ratio.Value();
  figure.unit = unit;
  figure.denominator = ratio.of_name;
  return figure;
}

}  // namespace

PrintedFigure CountFigure(PrintedFigure printed, std::string formula, Index value) {
  return NumberFigure(std::move(printed), std::move(formula), static_cast<double>(value), Unit::kCount);
}

PrintedFigure NumberFigure(PrintedFigure printed, std::string formula, double value, Unit unit) {
  printed.formula = std::move(formula);
  printed.value = value;
  printed.unit = unit;
  return printed;
}

PrintedFigure ShareFigure(PrintedFigure printed, const Ratio& ratio) {
  return RatioFigure(std::move(printed), ratio, Unit::kShare);
}
PrintedFigure TimesFigure(PrintedFigure printed, const Ratio& ratio) {
  return RatioFigure(std::move(printed), ratio, Unit::kTimes);
}

std::string FormatValue(double value, Unit unit) {
  switch (unit) {
    case Unit::kCount:
      return report::Grouped(std::llround(value));
    case Unit::kShare:
      return report::Percent(value);
    case Unit::kTimes:
      return report::Times(value);
    case Unit::kBytes:
      return report::Bytes(value);
    case Unit::kNumber:
      break;
  }
  return report::Format("%.4g", value);
}

PaperModels::PaperModels() {
  const ModelShape small = PresetShape("photonic"), large = PresetShape("tinyllama");
  const ModelShape llama7 = PresetShape("llama-7b"), llama70 = PresetShape("llama-70b");
  constexpr ct::RowsPolicy kBlocks = ct::RowsPolicy::kBlocks;
  const auto last_two = [](const ModelShape& shape) {
    return CountModel(shape, kBlocks, ParseLayers("last:2", shape.model->layers()));
  };
  s72 = CountModel(small, ct::RowsPolicy::kWidth, {});
  photonic = CountModel(small, kBlocks, {});
  tiny = CountModel(large, kBlocks, {});
  seven = CountModel(llama7, kBlocks, {});
  seventy = CountModel(llama70, kBlocks, {});
  tiny_two = last_two(large);
  seven_two = last_two(llama7);
  seventy_two = last_two(llama70);
  for (const nn::Matrix* matrix : MatricesInScope(*large.model, {})) s68_rows += matrix->out;
  s68_rows += large.model->vocabulary();
}

}  // namespace ampgrad::train
