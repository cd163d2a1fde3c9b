#include "tests/audit/step_identities.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/thread_pool.h"
#include "tests/support/small_models.h"
#include "train/trainer.h"

namespace ampgrad::audit {
namespace {

constexpr Index kStepLength = 8, kSequences = 5;
constexpr double kEpsilon = std::numeric_limits<Real>::epsilon();

// Sequences begin..end of random ids, of which the first ones are ignored: 1 in the first sequence, 2 in the second, …
// so that micro-batches count unequal numbers of targets.
train::Batch Sequences(Index vocabulary, Index begin, Index end) {
  train::Batch batch{kStepLength, {}, {}};
  for (Index s = begin; s < end; ++s) {
    const std::vector<int> inputs = RandomIds(kStepLength, vocabulary, 10 + static_cast<uint64_t>(s));
    std::vector<int> targets = RandomIds(kStepLength, vocabulary, 20 + static_cast<uint64_t>(s));
    std::fill_n(targets.begin(), s + 1, ops::kIgnored);
    batch.inputs.insert(batch.inputs.end(), inputs.begin(), inputs.end());
    batch.targets.insert(batch.targets.end(), targets.begin(), targets.end());
  }
  return batch;
}

// All gradients, one behind the other, after adding those of `batch` to them.
std::vector<double> AddGradients(models::LanguageModel& model, const train::Batch& batch) {
  Tape tape;
  tape.Backward(train::BatchLoss(model, tape, batch));
  std::vector<double> all;
  for (const Param* param : models::Parameters(model)) all.insert(all.end(), param->grad.begin(), param->grad.end());
  return all;
}

double Apart(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

double CountTargets(const train::Batch& batch) {
  return static_cast<double>(batch.targets.size()) -
         static_cast<double>(std::count(batch.targets.begin(), batch.targets.end(), ops::kIgnored));
}

double MicroBatchError(uint64_t seed) {
  const auto whole = TinyGpt(seed);
  const train::Batch batch = Sequences(whole->vocabulary(), 0, kSequences);
  const std::vector<double> expected = AddGradients(*whole, batch);
  std::vector<double> sum(expected.size(), 0.0);
  for (const auto& [begin, end] : {std::pair<Index, Index>{0, 2}, {2, kSequences}}) {
    const auto part = TinyGpt(seed);
    const train::Batch micro = Sequences(part->vocabulary(), begin, end);
    const std::vector<double> gradients = AddGradients(*part, micro);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += gradients[i] * CountTargets(micro) / CountTargets(batch);
  }
  return Apart(sum, expected);
}

std::vector<double> GradientsOnThreads(uint64_t seed, int threads) {
  const int before = NumThreads();
  SetNumThreads(threads);
  const auto model = TinyGpt(seed);
  const std::vector<double> gradients = AddGradients(*model, Sequences(model->vocabulary(), 0, kSequences));
  SetNumThreads(before);
  return gradients;
}

}  // namespace

std::vector<IdentityFinding> AuditSteps(uint64_t seed) {
  const std::vector<double> one = GradientsOnThreads(seed, 1);
  const bool same = one == GradientsOnThreads(seed, 2) && one == GradientsOnThreads(seed, 3);

  const auto model = TinyGpt(seed);
  const train::Batch batch = Sequences(model->vocabulary(), 0, kSequences);
  std::vector<double> doubled = AddGradients(*model, batch);
  for (double& gradient : doubled) gradient *= 2;
  const double added = Apart(AddGradients(*model, batch), doubled);

  // Each gradient sums up to 40 rows, cut into other parts.
  return {{"step", "micro-batches, weighted by their targets, add up to the whole batch", MicroBatchError(seed),
           kStepLength * kSequences * kEpsilon},
          {"step", "a second pass adds the same gradients once more", added, 8 * kEpsilon},
          {"step", "1, 2 and 3 threads give the same bits", same ? 0.0 : 1.0, 0}};
}

}  // namespace ampgrad::audit
