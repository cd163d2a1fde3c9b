#pragma once

#include <cstddef>
#include <string>
#include <vector>

/// A graph as the rows of a table: each node has a row, and its edges run down to the rows of its inputs, as `git log
/// --graph` draws commits and their parents.
namespace ampgrad::report {

struct LaneNode {
  std::vector<std::size_t> inputs;  // nodes that stand below this one
  bool main = false;                // whether it stands on the main line, which is lane 0
};

/// What a row draws. Lanes count from the left.
struct LaneRow {
  std::size_t lane;                   // where the node stands
  std::vector<std::size_t> ending;    // lanes from above that end at the node
  std::vector<std::size_t> starting;  // lanes that leave it downwards
  std::vector<std::size_t> passing;   // lanes that pass it by
};

/// The rows of the nodes, in their order. Each main node but the last must be the first's chain: one main node has an
/// edge to the next.
std::vector<LaneRow> LayLanes(const std::vector<LaneNode>& nodes);

/// The drawing of each row, all of one size; the main line is class "main".
std::vector<std::string> LaneDrawings(const std::vector<LaneNode>& nodes);

}  // namespace ampgrad::report
