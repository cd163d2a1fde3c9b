#include "train/commands/commands.h"

namespace ampgrad::train {

// The audit needs the scalar reference and the planted faults, which belong to the tests. So it has its own program.
Command AuditCommand() {
  return {"audit",
          "Audit every gradient: ops, chain, planted faults; with --model a whole model.",
          {},
          nullptr,
          "ampgrad-audit"};
}

}  // namespace ampgrad::train
