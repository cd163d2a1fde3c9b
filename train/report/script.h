#pragma once

namespace ampgrad::report {

/// The script of a page whose tables can be sorted. Without it a page shows the same, in its first order.
/// - A button in a column's header sorts by it, numbers as numbers; what is no number stays at the end.
/// - A <select> in a hidden .pick shows the element whose id it names, of all that it names; "" shows all.
/// - A tap on a mark or cell shows its tooltip at the foot of the window, where there is no pointer to hover with.
extern const char* const kReportScript;

}  // namespace ampgrad::report
