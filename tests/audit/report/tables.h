#pragma once

#include <string>
#include <vector>

#include "tests/audit/report/summary.h"

/// The tables of the HTML report.
namespace ampgrad::audit {

std::string OpTable(const std::vector<OpSummary>& ops);

/// Two rows of squares, one square per planted fault: this audit above, the common check below.
std::string FaultSquares(const std::vector<MutantFinding>& mutants);

/// What each planted fault was, and who noticed it.
std::string FaultGrid(const std::vector<MutantFinding>& mutants);

std::string LedgerTable(const std::vector<LedgerEntry>& ledger);
std::string IdentityTable(const std::vector<IdentityFinding>& identities);
std::string KernelTable(const KernelGrid& grid);

}  // namespace ampgrad::audit
