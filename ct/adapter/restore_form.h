#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>

#include "ct/amplitude.h"
#include "nn/forms/chain.h"
#include "nn/matrix.h"

namespace ampgrad::ct {

/// What an adapter holds of one matrix.
struct SavedForm {
  std::string form;                       // nn::WeightForm::Name
  std::map<std::string, double> numbers;  // nn::WeightForm::Numbers
  std::map<std::string, Tensor> parts;    // nn::WeightForm::Saved, by role
  std::set<std::string> trained;          // the roles that train
};

/// Makes forms again from what an adapter holds.
class FormRestorer {
 public:
  explicit FormRestorer(nn::Chain chain) : chain_(chain) {}

  /// Makes the form on the weight that `matrix` has now. Matrices whose parts share a basis share it afterwards, too.
  /// Throws std::invalid_argument, without a file's name, for an unknown form, and for a part or a number that is
  /// missing, left over, or of another shape than the matrix asks for.
  void Restore(const SavedForm& saved, nn::Matrix& matrix);

 private:
  std::unique_ptr<nn::WeightForm> Make(const SavedForm& saved, nn::Matrix& matrix);
  std::unique_ptr<nn::WeightForm> MakeAmplitude(const SavedForm& saved, nn::Matrix& matrix);

  nn::Chain chain_;
  std::map<std::tuple<const Real*, Index, bool, nn::Chain>, std::shared_ptr<const AmplitudeSetup>>
      setups_;  // by vectors, K, start exact, chain
};

}  // namespace ampgrad::ct
