#include "train/counts/figure.h"
#include "train/report/grouped.h"

namespace ampgrad::train {
namespace {

using report::Grouped;

constexpr Index kK = 8;
constexpr Index kRounded = 10'200'000;     // "10.2M", as the papers divide by it
constexpr Index kAttentionRows = 8 * 256;  // attn.c_proj of eight layers
const char* const kStateDict = "state-dict elements, masks and tied copies counted";

void AddRows(const Counts& c, std::vector<PrintedFigure>& figures) {
  figures.push_back(CountFigure({"S72", "46,398", "rows of width 256"}, "2 × 15,007 + 8 × (768 + 256 + 1,024)", c.rows)
                        .Remark("65 % are vocabulary rows, those of the tied matrix counted twice; the down-projection "
                                "is left out (with it: 54,590)."));
  figures.push_back(CountFigure({"S72", "16,230,400", "total"},
                                Grouped(c.Unique()) + " unique parameters + " + Grouped(c.tied_copies) +
                                    " of the tied copy + " + Grouped(c.masks) + " of causal masks",
                                c.StateDict())
                        .Remark("It counts a state dict. Called 10.2M are the " + Grouped(c.Unique() - c.positions) +
                                " unique parameters without positions."));
  figures.push_back(
      ShareFigure({"S72", "371,184 = 2.29 %", "scores at K = 8"}, {"scores", kStateDict, c.Scores(kK), c.StateDict()})
          .Remark("Of " + Grouped(c.Unique()) + " unique parameters they are 3.61 %; the tied matrix " +
                  "has one set of scores, " + Grouped(c.UniqueScores(kK)) + " in all, or 2.44 %."));
  figures.push_back(
      ShareFigure({"S72", "2,048 = 0.01 %", "basis"}, {"numbers of B", kStateDict, c.Basis(kK), c.StateDict()})
          .Remark("The mean row, 256 more, is needed as well and not counted."));
  figures.push_back(ShareFigure({"S72", "4,352,512 = 26.8 %", "non-weight"},
                                {"elements outside the rows", kStateDict, c.FrozenOfStateDict(), c.StateDict()})
                        .Remark("2,097,152 of them are down-projections, and as many are masks."));
  const Index structure = c.Decomposed() - c.Scores(kK) - c.Basis(kK);
  figures.push_back(ShareFigure({"S72", "11,504,656 = 70.9 %", "structure"},
                                {"elements of the rows less scores and basis", kStateDict, structure, c.StateDict()}));
  figures.push_back(
      ShareFigure({"S72", "97.5 % and 97.7 %", "deterministic part"},
                  {"elements that are no scores", kStateDict, c.StateDict() - c.Scores(kK), c.StateDict()})
          .Remark("The paper has both for one quantity. Its table gives 97.7 %; 97.5 % is S68's, of another model."));
}

void AddComparisons(const Counts& c, std::vector<PrintedFigure>& figures) {
  PrintedFigure efficiency = NumberFigure(
      {"S72", "40.1 ×", "parameter efficiency"},
      "(1.098 / 371,184 scores) / (1.196 / 16,230,400 " + std::string(kStateDict) + ")",
      (1.098 / static_cast<double>(c.Scores(kK))) / (1.196 / static_cast<double>(c.StateDict())), Unit::kTimes);
  efficiency.denominator = "fall of the loss in full SFT for each of its state-dict elements";
  figures.push_back(
      efficiency.Remark("For unique parameters it is 25.5 ×. The two falls of the loss have different "
                        "starts."));
  figures.push_back(
      TimesFigure({"S76", "43 ×", "ratio of trained numbers"}, {kStateDict, "scores", c.StateDict(), c.Scores(kK)})
          .Remark("Masks, copies and frozen tensors are counted above, scores alone below. Like for like "
                  "it is d/K = 32 ×."));
  figures.push_back(TimesFigure({"S72", "32 ×", "compression"},
                                {"elements of the decomposed matrices", "scores", c.Decomposed(), c.Scores(kK)})
                        .Remark("It is d/K. With basis and mean row 31.80 ×; the whole file, frozen tensors included, "
                                "gets 3.43 × smaller. What is rebuilt has R² 0.32."));
  figures.push_back(
      CountFigure({"S72", "~400K", "LoRA of rank 8"}, "8 × " + Grouped(c.rank_cost) + " (in + out)", c.Lora(8))
          .Remark("That is every matrix of the blocks; with one vocabulary matrix it is " +
                  Grouped(c.Lora(8) + 4 * c.vocabulary_rank_cost) + ", with both " +
                  Grouped(c.Lora(8) + 8 * c.vocabulary_rank_cost) + "."));
  PrintedFigure trainable = ShareFigure({"S76", "2.3 % and 1.56 % (0.68 ×)", "score-trainable, of which the first"},
                                        {"scores", kStateDict, c.Scores(kK), c.StateDict()});
  figures.push_back(
      trainable.Remark("0.68 × divides unlike things. Of the decomposed matrices, K/d, it is 3.125 % and "
                       "1.5625 %, 0.5 ×; of the whole 2.29 % and 0.125 %, 0.055 ×."));
  PrintedFigure unknown{"S76", "13.3M and ~60 matrices", "size of the small model"};
  figures.push_back(
      unknown.Remark("The model that gives all other counts has 26 matrices of width 256, and 10.29M, "
                     "14.13M or 16.23M elements, as one counts."));
}

void AddLadder(std::vector<PrintedFigure>& figures) {
  constexpr Index kAmplitudes = kAttentionRows * kK, kCrystal = kAttentionRows * 7 + 7 * 8;
  figures.push_back(
      CountFigure({"S62", "16,384", "amplitudes"}, "8 layers × 256 rows of attn.c_proj × K = 8", kAmplitudes));
  figures.push_back(TimesFigure({"S62", "623 ×", "compression"},
                                {"parameters of the whole model, rounded", "amplitudes", kRounded, kAmplitudes})
                        .Remark("The amplitudes describe attn.c_proj alone, 524,288 numbers, so for what they describe "
                                "it is 32 ×."));
  figures.push_back(
      CountFigure({"S62", "14,392", "amplitudes, compressed"}, "2,048 rows × 7 + a rotation of 7 × 8", kCrystal)
          .Remark("It takes n_95 = 7, not the participation ratio of 4.3, which would give 8,724."));
  figures.push_back(TimesFigure({"S62", "709 ×", "compression"},
                                {"parameters of the whole model, rounded", "amplitudes", kRounded, kCrystal})
                        .Remark("As above: of attn.c_proj alone it is 36.4 ×."));
  figures.push_back(ShareFigure({"S62", "5.2 %", "what c_proj-only trains"},
                                {"numbers of attn.c_proj with biases", "parameters of the whole model, rounded",
                                 8 * (65'536 + 256), kRounded})
                        .Remark("c_proj is attention's alone, and whole weights train: no amplitudes."));
}

}  // namespace

FigureGroup SmallModelFigures(const PaperModels& models) {
  FigureGroup group{"The 10.2M model: S62, S72, and S76 of it", {}};
  AddRows(models.s72, group.figures);
  AddComparisons(models.s72, group.figures);
  AddLadder(group.figures);
  return group;
}

}  // namespace ampgrad::train
