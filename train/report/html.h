#pragma once

#include <string>
#include <vector>

/// The pieces of HTML that the sections of a report consist of.
namespace ampgrad::report {

/// Text for HTML content and quoted attributes.
std::string Escape(const std::string& text);

/// A whole page with the report's style; `body` and `script`, which may be empty, stand in it as they are.
std::string Page(const std::string& title, const std::string& body, const std::string& script = "");

/// "✓ ok" or "✗ FAILED": a sign and a word, not colour alone.
std::string Mark(bool passed);

/// A section with one paragraph that says what it shows and what a failure would look like. `explanation` and `body`
/// are HTML.
std::string Section(const std::string& heading, const std::string& explanation, const std::string& body);

/// A figure of a header's <dl class="facts">, with a note below it. All are HTML.
std::string Fact(const std::string& what, const std::string& figure, const std::string& note);

/// A sign of a drawing and what it stands for, for Legend. `marks` is SVG in a square of 16; `text` is HTML.
std::string Key(const std::string& marks, const std::string& text);
std::string Legend(const std::string& keys);

struct Column {
  std::string title;
  bool number = false;  // aligned to the right
};

/// A table that scrolls sideways on a narrow screen. `rows` is HTML.
std::string Table(const std::string& caption, const std::vector<Column>& columns, const std::string& rows);
/// The same with a button in the header of each column, by which kReportScript sorts the rows.
std::string SortableTable(const std::string& caption, const std::vector<Column>& columns, const std::string& rows);

/// A row with `name` as its header; `cells` is HTML.
std::string NamedRow(const std::string& name, bool passed, const std::string& cells);

/// A cell of HTML.
std::string Cell(const std::string& html);
std::string NumberCell(const std::string& html);

/// A number over a bar that is full at `fraction` 1. NaN fills it.
std::string BarCell(const std::string& html, double fraction, bool passed = true);

/// An error over a bar on a log scale: empty at a millionth of the bound, full at the bound.
std::string ErrorCell(double error, double bound);

}  // namespace ampgrad::report
