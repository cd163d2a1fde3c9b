#include "train/freezing.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>

#include "ct/spectra/score_sums.h"
#include "tensor/io/printable.h"
#include "tensor/io/text_file.h"
#include "tensor/random.h"

namespace ampgrad::train {
namespace {

bool Trains(const nn::Matrix& matrix) {
  return std::ranges::any_of(matrix.form->Parts(), [](const nn::FormPart& part) { return part.param->trainable; });
}

// The participation ratio of each matrix's scores, by its name.
std::map<std::string, double> ScorePrs(models::LanguageModel& model, const std::vector<nn::Matrix*>& matrices,
                                       const MethodSettings& settings, const Bases& bases) {
  if (settings.method != "amplitude" || bases.empty()) {
    throw std::invalid_argument(
        "[freeze] expected an amplitude method with a basis, whose scores have a participation ratio, found '" +
        settings.Label() + "'");
  }
  std::map<std::string, double> prs;
  for (const ct::RowSource& source : ct::SelectRows(matrices, model.width(), settings.rows)) {
    const ct::ScoreSums sums = ct::SumScores(source, *bases.Of(source.matrix->name));
    prs[source.matrix->name] = ct::FiguresOf(sums, settings.k).amplitude_pr;
  }
  return prs;
}

// "12 h.0.attn.c_proj.weight".
Freeze ReadFreeze(const std::string& line, const std::string& where, Index steps) {
  std::istringstream words(line);
  Freeze freeze;
  std::string rest;
  if (words >> freeze.step >> freeze.matrix && !(words >> rest) && freeze.step >= 0 && freeze.step <= steps) {
    return freeze;
  }
  throw std::runtime_error(where + ": expected a number of steps from 0 to " + std::to_string(steps) +
                           " and the name of a matrix, found '" + io::Printable(line) + "'");
}

}  // namespace

std::vector<std::string> FreezeOrders() { return {"pr", "pr-high", "random", "layers"}; }

bool IsFreezeOrder(const std::string& word) {
  const std::vector<std::string> orders = FreezeOrders();
  return std::ranges::find(orders, word) != orders.end();
}

std::vector<std::string> OrderToFreeze(models::LanguageModel& model, const std::string& order,
                                       const MethodSettings& settings, const Bases& bases) {
  std::vector<nn::Matrix*> matrices = MatricesInScope(model, settings.scope);
  std::erase_if(matrices, [](const nn::Matrix* matrix) { return !Trains(*matrix); });
  std::vector<std::string> names;
  for (const nn::Matrix* matrix : matrices) names.push_back(matrix->name);
  if (order == "layers") return names;
  if (order == "random") {
    constexpr uint64_t kFreezeStream = 0x667265657A65;  // "freeze"
    std::vector<std::string> drawn;
    for (const Index i : Random(settings.seed, kFreezeStream).Permutation(static_cast<Index>(names.size()))) {
      drawn.push_back(names[i]);
    }
    return drawn;
  }
  if (order != "pr" && order != "pr-high") {
    throw std::invalid_argument("[freeze] expected pr, pr-high, random or layers, found '" + order + "'");
  }
  const std::map<std::string, double> pr = ScorePrs(model, matrices, settings, bases);
  const double sign = order == "pr" ? 1 : -1;
  std::ranges::stable_sort(names, {}, [&](const std::string& name) { return sign * pr.at(name); });
  return names;
}

std::vector<Freeze> FreezeInParts(const std::vector<std::string>& order, Index steps) {
  const size_t half = order.size() / 2, three_quarters = 3 * order.size() / 4;
  std::vector<Freeze> freezes;
  for (size_t i = 0; i < three_quarters; ++i)
    freezes.push_back({i < half ? (steps + 3) / 4 : (steps + 1) / 2, order[i]});
  return freezes;
}

std::vector<Freeze> ReadFreezes(const std::filesystem::path& file, models::LanguageModel& model, Index steps) {
  std::set<std::string> trained;
  for (const nn::Matrix* matrix : model.Parts().matrices) {
    if (Trains(*matrix)) trained.insert(matrix->name);
  }
  std::vector<Freeze> freezes;
  std::istringstream text(io::ReadTextFile(file));
  int number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos || line[0] == '#') continue;
    const std::string where = file.string() + ":" + std::to_string(number);
    freezes.push_back(ReadFreeze(line, where, steps));
    if (trained.erase(freezes.back().matrix) == 1) continue;
    throw std::runtime_error(where + ": expected a matrix that trains, each once, found '" +
                             io::Printable(freezes.back().matrix) + "'");
  }
  std::ranges::stable_sort(freezes, {}, &Freeze::step);
  return freezes;
}

double MostFreezingSaves(models::LanguageModel& model, const std::vector<Freeze>& freezes, Index steps) {
  std::map<std::string, double> numbers;
  double all = 0, frozen = 0;
  for (const nn::Matrix* matrix : model.Parts().matrices) {
    if (!Trains(*matrix)) continue;
    numbers[matrix->name] = static_cast<double>(matrix->out) * static_cast<double>(matrix->in);
    all += numbers[matrix->name];
  }
  for (const Freeze& freeze : freezes) {
    frozen += numbers.at(freeze.matrix) * static_cast<double>(std::max<Index>(0, steps - freeze.step));
  }
  return all > 0 && steps > 0 ? 1 / (1 - frozen / (all * static_cast<double>(steps)) / 3) : 1;
}

}  // namespace ampgrad::train
