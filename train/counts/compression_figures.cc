#include "train/counts/figure.h"
#include "train/report/grouped.h"

namespace ampgrad::train {
namespace {

using report::Grouped;

void AddK64(const PaperModels& models, std::vector<PrintedFigure>& figures) {
  const Index amplitudes = 64 * models.s68_rows, total = models.tiny.Unique();
  const Index weights = models.tiny.block_numbers + models.tiny.head;
  figures.push_back(CountFigure({"S68", "27,279,360", "amplitudes of all layers, K = 64"},
                                "64 × (22 × 17,920 rows + 32,000 of one vocabulary matrix)", amplitudes)
                        .Remark("Rows as stored: 2,048 of down_proj have width 5,632 and cannot share a basis of width "
                                "2,048. By S78's rule it is " +
                                Grouped(models.tiny.Scores(64)) + " in the blocks, " +
                                Grouped(models.tiny.Scores(64) + 64 * 32'000) + " with one vocabulary matrix, " +
                                Grouped(models.tiny.Scores(64) + 2 * 64 * 32'000) +
                                " with two. S72 cites the number as "
                                "\"7B scale\"."));
  figures.push_back(
      ShareFigure({"S68", "2.48 %", "amplitudes"}, {"amplitudes", "parameters of the whole model", amplitudes, total})
          .Remark("S72 calls it \"2.5 % of the cost\"; it is a share of parameters, not a cost."));
  figures.push_back(
      TimesFigure({"S68", "40.3 ×", "compression"}, {"parameters of the whole model", "amplitudes", total, amplitudes})
          .Remark("The text says \"1.03B → 27.3M\", which is 37.9 ×: its " + Grouped(weights) +
                  " weights count one vocabulary matrix."));
  figures.push_back(CountFigure({"S68", "1.03B", "weight parameters"}, "22 × 44,040,192 + 65,536,000", weights));
}

void AddK8(const PaperModels& models, std::vector<PrintedFigure>& figures) {
  const Index amplitudes = 8 * models.s68_rows, total = models.tiny.Unique();
  figures.push_back(TimesFigure({"S68", "212 × and ~130 ×", "compression at K = 8, predicted"},
                                {"parameters of the whole model", "amplitudes by S68's rows", total, amplitudes})
                        .Remark("The paper's own rows give 322.6 ×, or 303 × of its weights. It has four figures for "
                                "this, and says that 256 × matches 212 ×."));
  figures.push_back(TimesFigure({"S68", "256 ×", "compression at K = 8"}, {"width d", "K", models.tiny.width, 8})
                        .Remark("A ratio for each matrix, without what is frozen."));
  figures.push_back(TimesFigure({"S68", "52 ×", "compression of the 10.2M model, K = 8"},
                                {"parameters of the whole model, rounded", "scores of the blocks' 24,576 rows",
                                 10'200'000, models.photonic.Scores(8)})
                        .Remark("Scores of blocks below, vocabulary and positions above. S72 says 32 × for the same "
                                "model."));
  PrintedFigure small{"S68", "113 ×", "compression at 100M"};
  figures.push_back(small.Remark("A prediction for a model whose shape is not given."));
}

}  // namespace

FigureGroup CompressionFigures(const PaperModels& models) {
  FigureGroup group{"Compression of the 1.1B model: S68", {}};
  AddK64(models, group.figures);
  AddK8(models, group.figures);
  return group;
}

}  // namespace ampgrad::train
