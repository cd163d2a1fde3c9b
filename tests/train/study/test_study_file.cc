#include "train/study/study_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/io/text_file.h"
#include "tests/support/expect_message.h"
#include "tests/support/temp_dir.h"

namespace ampgrad::train {
namespace {

TEST(StudyFile, ReadingLeavesAPartOfALineAlone) {
  const TempDir directory;
  const std::string whole = R"({"line":"rate","arm":"full","lr":0.1,"loss":2.5})"
                            "\n",
                    part = R"({"line":"ra)";
  std::ofstream(directory.path() / "runs.jsonl") << whole << part;
  StudyFile file(directory.path());
  EXPECT_EQ(file.Tried("full").at(0.1), 2.5);
  EXPECT_EQ(io::ReadTextFile(directory.path() / "runs.jsonl"), whole + part);
  file.AddTried("full", 0.2, 3);
  EXPECT_TRUE(io::ReadTextFile(directory.path() / "runs.jsonl").starts_with(whole + R"({"line":"rate")"));
}

TEST(StudyFile, NamesALineThatIsNoRecord) {
  const TempDir directory;
  const std::string file = (directory.path() / "runs.jsonl").string();
  std::ofstream(file) << R"({"line":"rate","arm":"full","lr":0.1,"loss":null})"
                      << "\n"
                      << R"({"line":"note"})"
                      << "\n";
  ExpectMessage<std::runtime_error>(
      [&] { StudyFile read(directory.path()); },
      file + ":2: expected line to be run, rate, norm, capture, cut scores or file, found \"note\"");
}

TEST(StudyFile, NamesWhatALineLacks) {
  const TempDir directory;
  StudyFile(directory.path()).AddRun({});
  const std::filesystem::path file = directory.path() / "runs.jsonl";
  nlohmann::json line = nlohmann::json::parse(io::ReadTextFile(file));
  line.at("arm").erase("rank");
  std::ofstream(file) << line.dump() << "\n";
  ExpectMessage<std::runtime_error>([&] { StudyFile read(directory.path()); },
                                    file.string() + ":1: expected arm.rank to be there, found nothing");
}

// What is written is read back, and every number is that of the line.
TEST(StudyFile, KeepsWhatARunMayHave) {
  const TempDir directory;
  StudyRun run;
  run.arm = {.name = "lora r=8, norm of exact K=8", .groups = {"peers"}, .samples = 64};
  run.arm.norm_of = "exact K=8";
  run.arm.freeze = "random";
  run.held_out = {{10, 1.5, 0.25}, {20, 1.25, 0.5}};
  run.overlap = {{0, 0.125}, {10, 0.5}};
  run.answered = 0.03;
  StudyFile file(directory.path());
  file.AddRun(run);
  file.AddCuts(8, {{"h.0.attn.c_attn.weight", 3.5, 0.25}});
  file.AddFile({"reconstructed K=8", 1000, 100, 20, 300, 2.5});

  const StudyFile read(directory.path());
  const StudyRun& again = read.runs().at(0);
  EXPECT_EQ(again.arm.samples, 64);
  EXPECT_EQ(again.arm.norm_of, "exact K=8");
  EXPECT_EQ(again.arm.freeze, "random");
  EXPECT_EQ(again.held_out.at(1).step, 20);
  EXPECT_EQ(again.held_out.at(1).loss, 1.25);
  EXPECT_EQ(again.held_out.at(1).seconds, 0.5);
  EXPECT_EQ(again.overlap.at(1).step, 10);
  EXPECT_EQ(again.overlap.at(1).share, 0.5);
  EXPECT_EQ(again.answered, 0.03);
  EXPECT_EQ(read.cuts_line(), 2);
  EXPECT_EQ(read.cuts().at(0).matrix, "h.0.attn.c_attn.weight");
  EXPECT_EQ(read.cuts().at(0).pr, 3.5);
  EXPECT_EQ(read.cuts().at(0).rise, 0.25);
  EXPECT_EQ(read.file_lines(), std::vector<Index>{3});
  const WrittenFile& written = read.files().at(0);
  EXPECT_EQ(written.arm, "reconstructed K=8");
  EXPECT_EQ(written.model + written.scores + written.basis + written.frozen, 1420);
  EXPECT_EQ(written.loss, 2.5);
}

}  // namespace
}  // namespace ampgrad::train
