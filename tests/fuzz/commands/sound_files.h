#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tests/fuzz/commands/mutate.h"

namespace ampgrad::fuzz {

/// A file that is changed, and a command that reads it.
struct Subject {
  std::string name;
  std::string folder;          // of MakeSoundFiles; the command runs in a copy of it
  std::filesystem::path file;  // in that folder
  std::string (*mutate)(const std::string& text, Draw& draw);
  std::vector<std::string> words;  // of the command, without the program
};

/// Makes folders of files in which every command of Subjects() succeeds, with the small reference results of `golden`:
/// models of both families with several tokenizers, templates, an index of shards, and data.
void MakeSoundFiles(const std::filesystem::path& directory, const std::filesystem::path& golden);

std::vector<Subject> Subjects();

}  // namespace ampgrad::fuzz
