#pragma once

#include <string>
#include <vector>

#include "train/report/html.h"

namespace ampgrad::report {

/// A row of a table as text, and lines that stand below it.
struct TextRow {
  std::string name;
  std::vector<std::string> cells;
  std::vector<std::string> below = {};
};

/// A table in columns as wide as what they hold, the first for the rows' names. A name that leaves too little room for
/// its cells within kColumns gets a line of its own above them, and a title that is wider than its column goes on in
/// the next line of the head.
std::string TextTable(const std::vector<Column>& columns, const std::vector<TextRow>& rows);

}  // namespace ampgrad::report
