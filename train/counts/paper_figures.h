#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "train/counts/figure.h"

namespace ampgrad::train {

/// Every count, share and ratio that the papers S62, S68, S72, S76 and S78 print, by subject.
std::vector<FigureGroup> PaperFigures();

/// The groups and the scaling table as text of at most 100 columns. Each figure has a line with what is printed and
/// what is counted, a line of arithmetic with the names of its numbers, and a remark where the paper is inconsistent.
std::string FormatPaperFigures();

/// The same as an object with an array for each kind.
nlohmann::ordered_json PaperFiguresJson();

}  // namespace ampgrad::train
