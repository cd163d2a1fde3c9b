#include "tests/audit/faults/faults.h"

namespace ampgrad::audit {

void PlantCheckpoint(Planter& planter) {
  const OpCase checkpoint = CheckpointCase({5, 7});
  planter.Plant(checkpoint, "f runs again on the x of a later call", OfLaterCall(checkpoint));
  planter.Plant(checkpoint, "goes back from ones instead of dy", OnesComeIn(checkpoint));
  planter.Plant(checkpoint, "only the last use of x counts", [](Pass& p) { p.dX[0] = p.dY.Clone(); });
  planter.Plant(checkpoint, "the inner tape's dx is assigned, not added", Assign);
}

}  // namespace ampgrad::audit
