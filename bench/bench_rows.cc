// Kernels that work row by row: the norms and the loss.
#include "bench/measure.h"
#include "tensor/kernels/kernels.h"
#include "tensor/random.h"

namespace ampgrad::bench {
namespace {

constexpr Real kEps = 1e-5f;

// Both norms of rows x [rows, cols] by definition, and their gradients, given dy. RMSNorm subtracts no mean.
struct NormTwin {
  std::vector<double> y, dx, dgain, dbias;

  NormTwin(const Tensor& x, const Tensor& gain, const Tensor& dy, bool centred)
      : y(x.size()), dx(x.size()), dgain(x.cols()), dbias(x.cols()) {
    for (Index i = 0; i < x.rows(); ++i) AddRow(x.row(i), gain, dy.row(i), i * x.cols(), centred);
  }

  void AddRow(const Real* x, const Tensor& gain, const Real* dy, Index at, bool centred) {
    const Index cols = gain.size();
    const double share = 1 / static_cast<double>(cols);
    double mean = 0, variance = 0, mean_g = 0, mean_gx = 0;
    for (Index j = 0; j < cols; ++j) mean += centred ? share * x[j] : 0;
    for (Index j = 0; j < cols; ++j) variance += share * (x[j] - mean) * (x[j] - mean);
    const double rstd = 1 / std::sqrt(variance + kEps);
    for (Index j = 0; j < cols; ++j) {
      const double x_hat = (x[j] - mean) * rstd, g = double{dy[j]} * gain[j];
      y[at + j] = x_hat * gain[j] + (centred ? gain[j] : 0);  // the gain serves as the bias too
      dgain[j] += dy[j] * x_hat;
      dbias[j] += dy[j];
      mean_g += centred ? share * g : 0;
      mean_gx += share * g * x_hat;
    }
    for (Index j = 0; j < cols; ++j) {
      dx[at + j] = rstd * (double{dy[j]} * gain[j] - mean_g - (x[j] - mean) * rstd * mean_gx);
    }
  }
};

// The data of a norm. `centred` is LayerNorm, else RMSNorm.
struct Norm {
  Norm(Index rows, Index cols, bool centred)
      : rows(rows),
        cols(cols),
        centred(centred),
        x(Random(1, 1).NormalTensor({rows, cols}, 1)),
        dy(Random(1, 2).NormalTensor({rows, cols}, 1)),
        gain(Random(1, 3).NormalTensor({cols}, 1)),
        y({rows, cols}),
        dx({rows, cols}),
        mean({rows}),
        rstd({rows}),
        dgain({cols}),
        dbias({cols}) {}

  void Forward() {
    if (centred) {
      kernels::LayerNorm(x.data(), gain.data(), gain.data(), rows, cols, kEps, y.data(), mean.data(), rstd.data());
    } else {
      kernels::RmsNorm(x.data(), gain.data(), rows, cols, kEps, y.data(), rstd.data());
    }
  }

  void Backward() {
    if (centred) {
      kernels::LayerNormBackward(x.data(), gain.data(), mean.data(), rstd.data(), dy.data(), rows, cols, {dx.data()},
                                 dgain.data(), dbias.data());
    } else {
      kernels::RmsNormBackward(x.data(), gain.data(), rstd.data(), dy.data(), rows, cols, {dx.data()}, dgain.data());
    }
  }

  Index rows, cols;
  bool centred;
  Tensor x, dy, gain, y, dx, mean, rstd, dgain, dbias;
};

Case NormForward(Index rows, Index cols, bool centred) {
  Norm norm(rows, cols, centred);
  const auto run = [=]() mutable { norm.Forward(); };
  const auto matches = [=] { return Matches(norm.y, NormTwin(norm.x, norm.gain, norm.dy, centred).y); };
  return {{.bytes = Bytes(2 * rows * cols)}, run, matches};
}

Case NormBackward(Index rows, Index cols, bool centred) {
  Norm norm(rows, cols, centred);
  norm.Forward();
  const auto run = [=]() mutable { norm.Backward(); };
  const auto matches = [=] {
    const NormTwin twin(norm.x, norm.gain, norm.dy, centred);
    return Matches(norm.dx, twin.dx) && Matches(norm.dgain, twin.dgain) &&
           (!centred || Matches(norm.dbias, twin.dbias));
  };
  return {{.bytes = Bytes(3 * rows * cols)}, run, matches};
}

// The data of a cross-entropy, one target per row.
struct Loss {
  Loss(Index rows, Index cols)
      : rows(rows),
        cols(cols),
        logits(Random(1, 1).NormalTensor({rows, cols}, 1)),
        dlogits({rows, cols}),
        max({rows}),
        log_sums({rows}),
        sum({1}) {
    for (Index i = 0; i < rows; ++i) targets.push_back(static_cast<int>(Random(1, 2).Below(i, cols)));
  }

  void Forward() {
    sum[0] = static_cast<Real>(
        kernels::CrossEntropySum(logits.data(), targets.data(), rows, cols, max.data(), log_sums.data()));
  }

  void Backward() {
    kernels::CrossEntropyBackward(logits.data(), targets.data(), max.data(), log_sums.data(), rows, cols, 1,
                                  {dlogits.data()});
  }

  // softmax(logits) − onehot(target), and in `loss` the sum over rows of −log softmax(logits)[target].
  std::vector<double> Twin(double* loss) const {
    std::vector<double> gradient(logits.size());
    *loss = 0;
    for (Index i = 0; i < rows; ++i) {
      double total = 0;
      for (Index j = 0; j < cols; ++j) total += std::exp(double{logits[i * cols + j]});
      for (Index j = 0; j < cols; ++j) gradient[i * cols + j] = std::exp(double{logits[i * cols + j]}) / total;
      double& target = gradient[i * cols + targets[i]];
      *loss -= std::log(target);
      target -= 1;
    }
    return gradient;
  }

  Index rows, cols;
  Tensor logits, dlogits, max, log_sums, sum;
  std::vector<int> targets;
};

Case CrossEntropyForward(Index rows, Index cols) {
  Loss data(rows, cols);
  const auto run = [=]() mutable { data.Forward(); };
  const auto matches = [=] {
    double loss;
    data.Twin(&loss);
    return Matches(data.sum, {loss});
  };
  return {{.bytes = Bytes(rows * cols)}, run, matches};
}

Case CrossEntropyBackward(Index rows, Index cols) {
  Loss data(rows, cols);
  data.Forward();
  const auto run = [=]() mutable { data.Backward(); };
  const auto matches = [=] {
    double loss;
    return Matches(data.dlogits, data.Twin(&loss));
  };
  return {{.bytes = Bytes(2 * rows * cols)}, run, matches};
}

void RegisterAll() {
  for (const Index cols : {256, 2048}) {  // the widths of the photonic model and of TinyLlama
    const std::string size = "/1024x" + std::to_string(cols);
    RegisterCase("LayerNorm" + size, [=] { return NormForward(1024, cols, true); });
    RegisterCase("LayerNormBackward" + size, [=] { return NormBackward(1024, cols, true); });
    RegisterCase("RmsNorm" + size, [=] { return NormForward(1024, cols, false); });
    RegisterCase("RmsNormBackward" + size, [=] { return NormBackward(1024, cols, false); });
  }
  for (const Index vocabulary : {256, 16384}) {
    const std::string size = "/1024x" + std::to_string(vocabulary);
    RegisterCase("CrossEntropySum" + size, [=] { return CrossEntropyForward(1024, vocabulary); });
    RegisterCase("CrossEntropyBackward" + size, [=] { return CrossEntropyBackward(1024, vocabulary); });
  }
}

}  // namespace
}  // namespace ampgrad::bench

int main(int argc, char** argv) {
  ampgrad::bench::RegisterAll();
  return ampgrad::bench::RunBenchmarks(argc, argv);
}
