#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "tensor/io/printable.h"
#include "train/claims/report/report_data.h"
#include "train/claims/report/report_figures.h"
#include "train/claims/report/report_page.h"
#include "train/claims/report/report_text.h"
#include "train/commands/commands.h"

namespace ampgrad::train {
namespace {

// One width for every study, or none: then each study's files say it.
std::vector<Index> ReadWidths(const Options& options, size_t studies) {
  if (!options.Has("width")) return std::vector<Index>(studies, 0);
  std::vector<Index> widths = options.Integers("width", 1, Index{1} << 24);
  if (widths.size() == studies) return widths;
  throw UsageError("expected --width to have one width for each of " + std::to_string(studies) + " studies, found " +
                   std::to_string(widths.size()));
}

// Writes every figure of every study; those of several studies bear their number.
void WriteFigures(const std::vector<StudyInput>& studies, const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  for (size_t i = 0; i < studies.size(); ++i) {
    const std::string prefix = studies.size() > 1 ? std::to_string(i + 1) + "_" : "";
    for (const ReportFigure& figure : ReportFigures(studies[i])) {
      io::WriteFileAtomically(directory / (prefix + figure.name + ".svg"), StandaloneSvg(figure));
    }
  }
}

int ReportMain(const Options& options) {
  const std::vector<std::string> directories = options.Strings("study");
  if (std::set<std::string>(directories.begin(), directories.end()).size() != directories.size()) {
    throw UsageError("expected --study to name each directory once, found '" + options.String("study") + "'");
  }
  const std::vector<Index> widths = ReadWidths(options, directories.size());
  std::vector<StudyInput> studies;
  for (size_t i = 0; i < directories.size(); ++i) studies.push_back(ReadStudy(directories[i], widths[i]));
  const std::vector<Finding> findings = JudgeClaims(studies);
  std::fputs(io::Printable(FormatReport(studies, findings), "\n").c_str(), stdout);
  if (options.Has("svg")) WriteFigures(studies, options.String("svg"));
  if (options.Has("html")) {
    io::WriteFileAtomically(options.String("html"),
                            ReportPage(studies, findings, "ampgrad report --study " + options.String("study")));
  }
  if (options.Has("csv")) io::WriteFileAtomically(options.String("csv"), ReportCsv(studies, findings));
  if (options.Has("json")) {
    const std::string text = io::JsonText(ReportJson(studies, findings), 1);
    io::WriteFileAtomically(options.String("json"), text + "\n");
  }
  return 0;
}

}  // namespace

Command ReportCommand() {
  return {"report",
          "Show what studies found: every arm with its interval, the K curves, and a verdict on each claim.",
          {{"study", "DIR,DIR,…", nullptr,
            "directories of studies, which may stand without the option, too; those of several widths give the width "
            "fit",
            true},
           {"width", "D,D,…", "", "the model's width in each study; by default what its files say"},
           {"html", "FILE", "", "write all of it as a page of figures and tables that opens anywhere"},
           {"svg", "DIR", "", "write each figure into this directory"},
           {"csv", "FILE", "", "write every figure as a line of CSV"},
           {"json", "FILE", "", "write every figure as JSON"}},
          ReportMain};
}

}  // namespace ampgrad::train
