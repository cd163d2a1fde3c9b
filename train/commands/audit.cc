#include "train/commands/commands.h"

namespace ampgrad::train {

// The audit needs the scalar reference and the planted faults, which are no part of this program: it is a program of its
// own, from tests/audit.
Command AuditCommand() {
  return {"audit",
          "Audit every gradient: ops, chain, planted faults; with --model a whole model.",
          {},
          nullptr,
          "ampgrad-audit"};
}

}  // namespace ampgrad::train
