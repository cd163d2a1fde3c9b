#pragma once

#include <optional>
#include <string>
#include <vector>

#include "train/counts/counts.h"

/// A published figure, and the arithmetic that leads to it.
namespace ampgrad::train {

enum class Unit { kCount, kNumber, kShare, kTimes, kBytes };

struct PrintedFigure {
  std::string paper;                 // "S72"
  std::string printed;               // as the paper has it: "2.29 %"
  std::string what;                  // of what
  std::string formula = {};          // numbers and their names
  std::optional<double> value = {};  // what the formula gives; none where no arithmetic leads to the figure
  Unit unit = Unit::kCount;
  std::string denominator = {};  // its name; empty for what is no ratio
  std::string remark = {};       // what is wrong, or easily misread; empty for nothing

  PrintedFigure& Remark(std::string text) { return remark = std::move(text), *this; }
};

struct FigureGroup {
  std::string title;
  std::vector<PrintedFigure> figures;
};

/// Figures that are a count, or a number, by a formula in words.
PrintedFigure CountFigure(PrintedFigure printed, std::string formula, Index value);
PrintedFigure NumberFigure(PrintedFigure printed, std::string formula, double value, Unit unit = Unit::kNumber);
/// Figures that are one number over another.
PrintedFigure ShareFigure(PrintedFigure printed, const Ratio& ratio);
PrintedFigure TimesFigure(PrintedFigure printed, const Ratio& ratio);

/// The value with its unit: "2.287 %".
std::string FormatValue(double value, Unit unit);

/// The models that the papers speak of, as they count them. Policy `width` for S72, `blocks` for all others.
struct PaperModels {
  Counts s72;                   // PhotonicGPT, the tied vocabulary as two matrices, down-projections left out
  Counts photonic;              // PhotonicGPT, its blocks
  Counts tiny, tiny_two;        // TinyLlama: all layers, the last two
  Counts seven, seven_two;      // Llama-7B
  Counts seventy, seventy_two;  // Llama-70B
  Index s68_rows = 0;           // TinyLlama by S68's rule: rows as stored, of any width, and one vocabulary matrix

  PaperModels();
};

/// S62 and S72, and what others say of the 10.2M model.
FigureGroup SmallModelFigures(const PaperModels& models);
/// S68, S76 and S78 on the 1.1B model.
FigureGroup LargeModelFigures(const PaperModels& models);
FigureGroup CompressionFigures(const PaperModels& models);
/// What S76 and S78 say of models that they did not run.
FigureGroup ScalingFigures(const PaperModels& models);
/// "Effective parameters": products of named factors. Nothing of them was measured.
FigureGroup EffectiveFigures();

}  // namespace ampgrad::train
