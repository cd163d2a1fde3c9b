#include "ct/spectra/model_spectra.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>

#include "ct/spectra/alignment.h"
#include "ct/spectra/score_nulls.h"
#include "ct/spectra/spectrum.h"
#include "ct/spectra/statistics.h"
#include "ct/spectra/strength.h"
#include "tensor/kernels/eigen/eigen.h"

namespace ampgrad::ct {
namespace {

constexpr int kScoreDraws = 200, kFrameDraws = 100;
constexpr uint64_t kScoreStream = 0x73636f7265;  // "score"

// The top directions [K, d] of EᵀE, E [V, d] as it is.
Tensor TopDirections(nn::Matrix& embedding, Index k) {
  const RowReader reader({&embedding, ops::Layout::kOutIn, embedding.out, 1});
  const Index d = embedding.in;
  std::vector<double> gram(d * d, 0.0);
  for (Index begin = 0; begin < reader.count(); begin += kGramRows) {
    AddGram(reader.Rows(begin, std::min(reader.count(), begin + kGramRows)), 1, gram);
  }
  return DecomposeGram(gram, d, k, Spectrum::kTop).vectors;
}

double Sum(const std::vector<double>& values, Index count) {
  double sum = 0;
  for (Index i = 0; i < count; ++i) sum += values[i];
  return sum;
}

std::vector<double> Histogram(const Columns& scores, const ScoreSums& sums) {
  std::vector<double> shares(kHistogramBins, 0.0);
  double squares = 0, total = 0;
  for (Index c = 0; c < sums.k(); ++c) {
    total += sums.powers[0][c];
    squares += sums.powers[1][c];
  }
  const double count = static_cast<double>(sums.rows * sums.k()), mean = total / count;
  const double deviation = std::sqrt(std::max(0.0, squares / count - mean * mean));
  for (const std::vector<double>& column : scores) {
    for (const double s : column) {
      const double at = deviation > 0 ? std::clamp((s - mean) / deviation, -4.0, 4.0) : 0;
      const int bin = static_cast<int>((at + 4) / 8 * kHistogramBins);
      shares[std::min(bin, kHistogramBins - 1)] += 1 / count;
    }
  }
  return shares;
}

// One measurement under way.
class Measurement {
 public:
  Measurement(const std::vector<RowSource>& sources, const SpectraOptions& options,
              const std::function<void(const std::string&)>& progress)
      : sources_(sources), options_(options), progress_(progress) {
    for (const RowSource& source : sources) {
      parts_.push_back({source.rows, LayerOf(source.matrix->name), source.repeats});
      readers_.push_back(std::make_unique<RowReader>(source));
    }
    rows_of_ = [this](size_t part, Index begin, Index end) { return readers_[part]->Rows(begin, end); };
  }

  ModelSpectra Run() {
    Say("the spectra of the weights");
    const Index d = sources_.empty() ? 1 : WidthOf(sources_[0]);
    stack_ = MeasureStack(parts_, rows_of_, d, largest(), true);
    result_.basis = stack_.basis;
    FindBases();
    if (options_.nulls) {
      Say("what chance gives for them");
      null_ = DrawStackNull(parts_, stack_, options_.ks, options_.seed);
    }
    SetWhole();
    SetAlignment();
    SetMatrices();
    SetLayers();
    SetByK();
    MarkByHolm(result_.Figures());
    return std::move(result_);
  }

 private:
  static Index WidthOf(const RowSource& source) {
    return source.layout == ops::Layout::kOutIn ? source.matrix->in : source.matrix->out;
  }
  Index largest() const { return options_.ks.back(); }
  Index width() const { return stack_.basis.width(); }
  void Say(const std::string& what) const {
    if (progress_) progress_(what);
  }

  void FindBases() {
    if (options_.basis == BasisKind::kUniversal) {
      bases_.assign(parts_.size(), std::make_shared<const Basis>(stack_.basis));
      return;
    }
    if (options_.basis == BasisKind::kRotated || options_.basis == BasisKind::kLeft ||
        options_.basis == BasisKind::kGradient) {
      throw std::invalid_argument(
          "[spectra] expected a basis whose first vectors are those of a smaller K: universal, "
          "bottom, random, type, matrix or minor, found " +
          ToString(options_.basis));
    }
    std::map<const nn::Matrix*, std::shared_ptr<const Basis>> of_matrix;
    for (const BasisGroup& group : ComputeBases(options_.basis, sources_, largest(), {}, options_.seed)) {
      for (const RowSource& source : group.sources) of_matrix[source.matrix] = group.basis;
    }
    for (const RowSource& source : sources_) bases_.push_back(of_matrix.at(source.matrix));
  }

  void SetWhole() {
    const Basis& basis = stack_.basis;
    result_.rows = basis.rows;
    result_.width = width();
    result_.eigenvalues = basis.eigenvalues;
    result_.n95_weights = CountFor95(basis.eigenvalues);
    result_.iid_pr = IidParticipationRatio(basis.rows, width());
    const double variance = Sum(basis.eigenvalues, width()) / static_cast<double>(basis.rows * width());
    result_.edge = MarchenkoPasturEdge(basis.rows, width(), variance);
    result_.stack_draws = options_.nulls ? null_.draws : 0;
    result_.drawn_rows = options_.nulls && null_.drawn_rows;
    std::vector<double> pr, above;
    if (options_.nulls) {
      result_.null_eigenvalues = null_.eigenvalues[0];
      for (const std::vector<double>& eigenvalues : null_.eigenvalues) {
        pr.push_back(ParticipationRatio(eigenvalues));
        above.push_back(ShareAbove(eigenvalues, result_.edge));
      }
    }
    result_.weight_pr = AgainstMoments(ParticipationRatio(basis.eigenvalues), pr, Structure::kLow);
    const double share = ShareAbove(basis.eigenvalues, result_.edge);
    result_.share_above_edge = above.size() < kFewestDraws ? AgainstMoments(share, above, Structure::kHigh)
                                                           : AgainstDraws(share, above, Structure::kHigh);
  }

  // B's products with the top directions of EᵀE for each K, and what random frames give.
  void SetAlignment() {
    if (!options_.embedding) return;
    Say("the alignment with the embedding");
    const Tensor directions = TopDirections(*options_.embedding, largest());
    for (const Index k : options_.ks) {
      directions_[k] = directions.Rows(0, k);
      const std::vector<double> products = FrameProducts(stack_.basis.vectors.Rows(0, k), directions_[k]);
      if (options_.nulls) frames_[k] = DrawAlignment(products, k, width(), kFrameDraws, options_.seed);
      KFigures& figures = result_.by_k[k];
      if (k == width()) {  // every frame spans all
        figures.subspace_overlap = Untested(SubspaceOverlap(products, k));
        figures.mean_max_cosine = Untested(MeanMaxCosine(products, k));
        continue;
      }
      figures.subspace_overlap =
          AgainstDraws(SubspaceOverlap(products, k), frames_[k].subspace_overlap, Structure::kHigh);
      figures.mean_max_cosine = AgainstDraws(MeanMaxCosine(products, k), frames_[k].mean_max_cosine, Structure::kHigh);
    }
  }

  void SetMatrices() {
    for (size_t i = 0; i < parts_.size(); ++i) {
      pools_[TypeOf(sources_[i].matrix->name)].Add(stack_.row_squares[i]);
    }
    for (size_t i = 0; i < parts_.size(); ++i) {
      const std::string& name = sources_[i].matrix->name;
      Say("the scores of " + name + ", " + std::to_string(i + 1) + " of " + std::to_string(parts_.size()));
      MatrixSpectra matrix{.name = name,
                           .type = TypeOf(name),
                           .layer = parts_[i].layer,
                           .rows = parts_[i].rows,
                           .norm = std::sqrt(stack_.matrix_square[i]),
                           .strength = StrengthOf(i),
                           .weight_pr = WeightPr(i),
                           .iid_pr = IidParticipationRatio(parts_[i].rows, width()),
                           .by_k = {},
                           .sums = {},
                           .histogram = {}};
      const bool universal = options_.basis == BasisKind::kUniversal;
      const Columns scores =
          universal ? ScoreColumns(parts_[i], i, rows_of_, stack_) : ScoreColumns(parts_[i], i, rows_of_, *bases_[i]);
      const ScoreSums sums = SumScores(scores);
      for (int r = 0; r < parts_[i].repeats; ++r) all_.Add(sums);
      matrix.histogram = Histogram(scores, sums);
      for (const Index k : options_.ks) matrix.by_k[k] = FiguresOfMatrix(i, scores, sums, k);
      captured_.push_back(CapturedBy(sums));
      matrix.sums = sums;
      result_.matrices.push_back(std::move(matrix));
    }
  }

  Figure StrengthOf(size_t i) const {
    const NormPool& pool = pools_.at(TypeOf(sources_[i].matrix->name));
    const Figure strength = StrengthInPool(stack_.row_squares[i], pool);
    return options_.nulls ? strength : Untested(strength.value, strength.null);
  }

  Figure WeightPr(size_t i) const {
    if (!options_.nulls) return Untested(stack_.matrix_pr[i]);
    if (null_.TestsRows()) {
      return AgainstMoments(stack_.matrix_pr[i], null_.matrix_pr[i], Structure::kLow);
    }
    return AgainstRandomDirections(stack_.matrix_pr[i], stack_.row_squares[i], width());
  }

  // Σ s² of the leading k components, for every k: the numerator of R².
  static std::vector<double> CapturedBy(const ScoreSums& sums) {
    std::vector<double> captured(sums.k());
    double sum = 0;
    for (Index c = 0; c < sums.k(); ++c) captured[c] = sum += sums.powers[1][c];
    return captured;
  }

  MatrixScores FiguresOfMatrix(size_t i, const Columns& scores, const ScoreSums& sums, Index k) {
    const ScoreFigures own = FiguresOf(sums, k);
    const double square = stack_.matrix_square[i];
    const double r2 = square > 0 ? CapturedBy(sums)[k - 1] / square : 1;
    MatrixScores figures{};
    figures.n95 = own.n95;
    figures.mean_max_cosine = Cosine(i, sums, k);
    if (!options_.nulls) {
      figures.r2 = Untested(r2);
      figures.amplitude_pr = Untested(own.amplitude_pr);
      figures.pc1 = Untested(own.pc1);
      figures.max_corr = Untested(own.max_corr);
      figures.kurtosis = Untested(own.kurtosis);
      return figures;
    }
    const size_t at = static_cast<size_t>(std::ranges::find(options_.ks, k) - options_.ks.begin());
    const bool universal = options_.basis == BasisKind::kUniversal;
    figures.r2 = universal && k < width() ? AgainstMoments(r2, null_.matrix_r2[i][at], Structure::kHigh) : Untested(r2);
    const uint64_t stream = kScoreStream + (static_cast<uint64_t>(i) << 24) + (static_cast<uint64_t>(k) << 50);
    const ScoreNull null = DrawScoreNull(scores, sums, k, kScoreDraws, options_.seed, stream);
    const std::vector<double> kurtosis =
        DrawKurtosisNull(sums, k, kScoreDraws, options_.seed, stream + (uint64_t{1} << 23));
    // With one component there is nothing to correlate.
    figures.amplitude_pr =
        k > 1 ? AgainstDraws(own.amplitude_pr, null.amplitude_pr, Structure::kLow) : Untested(own.amplitude_pr);
    figures.pc1 = k > 1 ? AgainstDraws(own.pc1, null.pc1, Structure::kHigh) : Untested(own.pc1);
    figures.max_corr = k > 1 ? AgainstDraws(own.max_corr, null.max_corr, Structure::kHigh) : Untested(own.max_corr);
    figures.kurtosis = AgainstDraws(own.kurtosis, kurtosis, Structure::kHigh);
    return figures;
  }

  // The principal components p [K, K] of S_m, lifted to width d, are the orthonormal frame p·B.
  Figure Cosine(size_t i, const ScoreSums& sums, Index k) {
    if (!options_.embedding) return {};
    const std::vector<double> components = DecomposeSymmetric(LeadingCovariance(sums, k), k, k).vectors;
    const std::vector<double> products = FrameProducts(bases_[i]->vectors.Rows(0, k), directions_.at(k));
    const double value = MeanMaxCosine(SquareProduct(components, products, k), k);
    if (!options_.nulls) return Untested(value);
    const bool shared = options_.basis == BasisKind::kUniversal;
    return shared ? AgainstDraws(value, frames_.at(k).within_span, Structure::kHigh) : Untested(value);
  }

  void SetLayers() {
    std::map<Index, std::vector<double>> of_layer;
    std::map<Index, std::vector<Figure>> strengths;
    std::map<std::string, std::vector<double>> of_type;
    std::vector<double> means, stacked;
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i].layer < 0) continue;
      of_layer[parts_[i].layer].push_back(stack_.matrix_pr[i]);
      strengths[parts_[i].layer].push_back(result_.matrices[i].strength);
      of_type[result_.matrices[i].type].push_back(stack_.matrix_pr[i]);
    }
    for (const auto& [layer, prs] : of_layer) {
      const double mean = Sum(prs, static_cast<Index>(prs.size())) / static_cast<double>(prs.size());
      const double pr = stack_.layer_pr.at(layer);
      means.push_back(mean);
      stacked.push_back(pr);
      result_.layers.push_back({layer, mean, MeanStrength(strengths[layer]), LayerFigure(layer, pr)});
    }
    for (const auto& [type, prs] : of_type) SetDepth(type, prs);
    SetDepth("layer mean", means);
    SetDepth("layer stacked", stacked);
  }

  void SetDepth(const std::string& name, const std::vector<double>& prs) {
    if (prs.size() < 2) return;
    const KendallTau tau = KendallWithOrder(prs);
    result_.depth[name] =
        options_.nulls
            ? Figure{.value = tau.tau, .null = 0, .level = tau.level, .p = tau.p, .structure = Structure::kBoth}
            : Untested(tau.tau, 0);
  }

  Figure LayerFigure(Index layer, double pr) const {
    if (!options_.nulls) return Untested(pr);
    if (null_.TestsRows()) return AgainstMoments(pr, null_.layer_pr.at(layer), Structure::kLow);
    std::vector<double> squares;
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i].layer != layer) continue;
      squares.insert(squares.end(), stack_.row_squares[i].begin(), stack_.row_squares[i].end());
    }
    return AgainstRandomDirections(pr, squares, width());
  }

  void SetByK() {
    double total = 0;
    std::vector<double> captured(largest(), 0.0);
    for (size_t i = 0; i < parts_.size(); ++i) {
      total += parts_[i].repeats * stack_.matrix_square[i];
      for (Index c = 0; c < largest(); ++c) captured[c] += parts_[i].repeats * captured_[i][c];
    }
    for (const Index k : options_.ks) {
      KFigures& figures = result_.by_k[k];
      const ScoreFigures own = FiguresOf(all_, k);
      std::vector<double> shares;
      for (const std::vector<double>& eigenvalues : null_.eigenvalues) shares.push_back(TopShare(eigenvalues, k));
      const double r2 = total > 0 ? captured[k - 1] / total : 1;
      figures.r2 = options_.nulls && options_.basis == BasisKind::kUniversal && k < width()
                       ? AgainstMoments(r2, shares, Structure::kHigh)
                       : Untested(r2);
      figures.variance_captured = TopShare(result_.eigenvalues, k);
      figures.random_level = static_cast<double>(k) / static_cast<double>(width());
      figures.amplitude_pr = own.amplitude_pr;
      figures.pc1 = own.pc1;
      figures.n95 = own.n95;
      const auto top = result_.eigenvalues.begin();
      figures.spectrum_pr = ParticipationRatio(std::vector<double>(top, top + k));
      figures.scores = result_.rows * k;
      const Figure within = AgainstDraws(figures.mean_max_cosine.value, frames_[k].within_span, Structure::kHigh);
      figures.cosine_within_span = within.null;
      figures.cosine_within_level = within.level;
    }
  }

  const std::vector<RowSource>& sources_;
  const SpectraOptions& options_;
  const std::function<void(const std::string&)>& progress_;
  std::vector<StackPart> parts_;
  std::vector<std::unique_ptr<RowReader>> readers_;
  RowsOf rows_of_;
  StackSpectra stack_;
  StackNull null_;
  std::vector<std::shared_ptr<const Basis>> bases_;  // by part
  std::map<Index, Tensor> directions_;
  std::map<Index, AlignmentDraws> frames_;
  std::map<std::string, NormPool> pools_;  // by type
  ScoreSums all_;
  std::vector<std::vector<double>> captured_;  // by part
  ModelSpectra result_;
};

}  // namespace

std::vector<Figure*> ModelSpectra::Figures() {
  std::vector<Figure*> figures = {&weight_pr, &share_above_edge};
  for (MatrixSpectra& matrix : matrices) {
    figures.push_back(&matrix.weight_pr);
    figures.push_back(&matrix.strength);
    for (auto& [k, scores] : matrix.by_k) {
      for (Figure* figure : {&scores.r2, &scores.amplitude_pr, &scores.pc1, &scores.max_corr, &scores.kurtosis,
                             &scores.mean_max_cosine}) {
        figures.push_back(figure);
      }
    }
  }
  for (LayerSpectra& layer : layers) {
    figures.push_back(&layer.pr_stacked);
    figures.push_back(&layer.strength);
  }
  for (auto& [name, tau] : depth) figures.push_back(&tau);
  for (auto& [k, of_k] : by_k) {
    for (Figure* figure : {&of_k.r2, &of_k.subspace_overlap, &of_k.mean_max_cosine}) figures.push_back(figure);
  }
  return figures;
}

ModelSpectra MeasureSpectra(const std::vector<RowSource>& sources, const SpectraOptions& options,
                            const std::function<void(const std::string&)>& progress) {
  return Measurement(sources, options, progress).Run();
}

}  // namespace ampgrad::ct
