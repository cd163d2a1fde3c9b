#pragma once

/// How the program was built, as CMake knows it. Its source is made from build_info.cc.in.
namespace ampgrad::train {

extern const char* const kVersion;    // "0.1.0"
extern const char* const kCommit;     // of the source tree when it was configured; "unknown" outside git
extern const char* const kBuildType;  // "Release"
extern const char* const kCompiler;   // "GNU 12.2.0"

}  // namespace ampgrad::train
