// A program of somebody else: it reads a model, gives its matrices scores, and takes their gradient.
#include <cmath>
#include <cstdio>
#include <exception>
#include <vector>

#include "models/model_directory.h"
#include "train/data/batch_loss.h"
#include "train/methods/method.h"

using namespace ampgrad;

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fputs("usage: scores MODEL\n", stderr);
    return 2;
  }
  const auto model = models::LoadModel(argv[1]);
  const train::MethodSettings settings{.method = "amplitude", .k = 4};
  train::Prepare(*model, settings, train::MakeBases(*model, settings, {}, {}));

  Tape tape;
  const Var loss = train::BatchLoss(*model, tape, {4, {1, 2, 3, 4}, {2, 3, 4, 5}});
  tape.Backward(loss);
  double squares = 0;
  for (const Param* scores : models::TrainableParameters(*model)) {
    for (const Real x : scores->grad) squares += static_cast<double>(x) * x;
  }
  std::printf("loss %.4f, norm of dS %.4f\n", static_cast<double>(loss.value[0]), std::sqrt(squares));
} catch (const std::exception& error) {
  std::fprintf(stderr, "scores: %s\n", error.what());
  return 1;
}
