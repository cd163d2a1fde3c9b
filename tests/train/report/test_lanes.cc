#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <vector>

#include "tensor/random.h"
#include "train/report/lanes.h"

/// Graphs as rows of a table. What is drawn is read as a person does: a line that leaves a node is followed down, row
/// by row, to the node where it ends.
namespace ampgrad::report {
namespace {

bool Has(const std::vector<std::size_t>& lanes, std::size_t lane) { return std::ranges::count(lanes, lane) == 1; }

// The nodes to which the lines of node `i` lead.
std::set<std::size_t> Followed(const std::vector<LaneRow>& rows, std::size_t i) {
  std::set<std::size_t> reached;
  for (const std::size_t lane : rows[i].starting) {
    std::size_t at = i + 1;
    while (at < rows.size() && !Has(rows[at].ending, lane)) {
      if (!Has(rows[at].passing, lane)) return {};  // a line that stops in the open
      ++at;
    }
    reached.insert(at);
  }
  return reached;
}

void ExpectDrawsTheGraph(const std::vector<LaneNode>& nodes) {
  const std::vector<LaneRow> rows = LayLanes(nodes);
  ASSERT_EQ(rows.size(), nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(Followed(rows, i), std::set<std::size_t>(nodes[i].inputs.begin(), nodes[i].inputs.end()));
    EXPECT_EQ(rows[i].lane == 0, nodes[i].main);
    EXPECT_FALSE(Has(rows[i].passing, rows[i].lane));  // no line runs through a node that is not its own
  }
}

// A residual block: the loss, a sum, the branch beside it, and where they part.
TEST(Lanes, DrawTheBranchBesideTheMainLine) {
  const std::vector<LaneNode> nodes = {{{1}, true}, {{4, 2}, true}, {{3}}, {{4}}, {{5}, true}, {{}, true}};
  ExpectDrawsTheGraph(nodes);
  const std::vector<LaneRow> rows = LayLanes(nodes);
  EXPECT_EQ(rows[1].starting, (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(rows[2].passing, std::vector<std::size_t>{0});
  EXPECT_EQ(rows[3].starting, std::vector<std::size_t>{0});  // the branch joins the main line
  EXPECT_EQ(LaneDrawings(nodes).size(), 6u);
}

TEST(Lanes, DrawEveryEdgeOfAnyGraph) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Random random(seed, 0);
    const std::size_t count = 20;
    std::vector<LaneNode> nodes(count);
    std::size_t last = 0;
    nodes[0].main = true;
    for (std::size_t i = 1; i < count; ++i) {
      nodes[i].main = i + 1 == count || random.Below(i, 3) == 0;
      if (nodes[i].main) {
        nodes[last].inputs.push_back(i);
        last = i;
      } else {  // somebody above reads it, or it would not be there
        nodes[static_cast<std::size_t>(random.Below(100 + i, static_cast<Index>(i)))].inputs.push_back(i);
      }
    }
    for (std::size_t i = 0; i + 1 < count; ++i) {  // skip connections
      const std::size_t to = i + 1 + static_cast<std::size_t>(random.Below(200 + i, static_cast<Index>(count - i - 1)));
      if (random.Below(300 + i, 2) == 0 && !Has(nodes[i].inputs, to)) nodes[i].inputs.push_back(to);
    }
    SCOPED_TRACE(seed);
    ExpectDrawsTheGraph(nodes);
  }
}

}  // namespace
}  // namespace ampgrad::report
