#include "tests/audit/findings.h"

#include "tests/audit/report/summary.h"

namespace ampgrad::audit {

// The list of failures decides, so that no report can call passed what it shows as failed.
bool Findings::Passed() const { return Failures(*this).empty(); }

}  // namespace ampgrad::audit
