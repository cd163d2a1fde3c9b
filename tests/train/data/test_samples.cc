#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/temp_dir.h"
#include "tests/train/data/sample_parts.h"
#include "train/data/samples.h"

namespace ampgrad::train {
namespace {

using models::Role;

/// What ReadSamples returns for a file with these bytes.
std::vector<Sample> SamplesOf(const std::string& bytes) {
  const TempDir dir;
  const std::filesystem::path file = dir.path() / "data.jsonl";
  std::ofstream(file, std::ios::binary) << bytes;
  return ReadSamples(file).all;
}

/// Expects a refusal whose message names the file and `line` (0: the file alone) and holds `part`.
void ExpectSampleRefused(const std::string& bytes, int line, const std::string& part) {
  SCOPED_TRACE(bytes.substr(0, 100));
  try {
    SamplesOf(bytes);
    ADD_FAILURE() << "accepted";
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    const std::string where = line > 0 ? "data.jsonl:" + std::to_string(line) + ": " : "data.jsonl: ";
    EXPECT_NE(message.find(where), std::string::npos) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 400u) << message;
  }
}

const std::string kGood = R"({"prompt":"p","completion":"c"})";

TEST(Samples, ReadsPromptsAndQuestions) {
  const auto samples = SamplesOf(R"({"prompt": "a", "completion": "b", "source": 3})"
                                 "\n" +
                                 kGood + "\n");
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(PromptOf(samples[0]), "a");
  EXPECT_EQ(AnswerOf(samples[0]), "b");
  EXPECT_EQ(PromptOf(samples[1]), "p");
  const auto questions = SamplesOf(R"({"answer": "Yes.", "question": "Is it?"})");
  ASSERT_EQ(questions.size(), 1u);
  EXPECT_EQ(PromptOf(questions[0]), "Is it?");
  EXPECT_EQ(AnswerOf(questions[0]), "Yes.");
}

TEST(Samples, ReadsMessages) {
  const auto samples = SamplesOf(
      R"({"prompt": "repeated", "messages": [{"role": "system", "content": ""}, {"role": "user", "content": "Hi"},)"
      R"( {"content": "Ho", "role": "assistant", "weight": 1}]})");
  ASSERT_EQ(samples.size(), 1u);
  ASSERT_EQ(samples[0].messages.size(), 3u);
  EXPECT_EQ(samples[0].messages[0].role, Role::kSystem);
  EXPECT_EQ(samples[0].messages[0].content, "");  // a system message may be empty
  EXPECT_EQ(samples[0].messages[1].role, Role::kUser);
  EXPECT_EQ(samples[0].messages[1].content, "Hi");
  EXPECT_EQ(samples[0].messages[2].role, Role::kAssistant);
  EXPECT_EQ(samples[0].messages[2].content, "Ho");
}

TEST(Samples, ReadsConversationsAsMessages) {
  const auto samples =
      SamplesOf(R"({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]})");
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_EQ(samples[0].messages[0].role, Role::kUser);
  EXPECT_EQ(samples[0].messages[0].content, "Hi");
  EXPECT_EQ(samples[0].messages[1].role, Role::kAssistant);
  EXPECT_EQ(samples[0].messages[1].content, "Ho");
}

TEST(Samples, ReadsInstructionsWithAndWithoutInput) {
  const auto samples = SamplesOf(R"({"instruction": "Add.", "input": "2 and 2", "output": "4", "text": "all of it"})"
                                 "\n"
                                 R"({"instruction": "Sing.", "input": "", "output": "La."})"
                                 "\n"
                                 R"({"instruction": "Sing.", "output": "La."})");
  ASSERT_EQ(samples.size(), 3u);
  EXPECT_EQ(PromptOf(samples[0]), "Add.");
  EXPECT_EQ(samples[0].input, "2 and 2");
  EXPECT_EQ(AnswerOf(samples[0]), "4");
  EXPECT_EQ(samples[1].input, "");
  EXPECT_EQ(samples[2].input, "");
}

TEST(Samples, TellsTheShape) {
  const TempDir dir;
  const std::filesystem::path file = dir.path() / "data.jsonl";
  const std::vector<std::pair<std::string, SampleKind>> kinds = {
      {R"({"prompt":"p","completion":"c"})", SampleKind::kPrompt},
      {R"({"question":"q","answer":"a"})", SampleKind::kQuestion},
      {R"({"instruction":"i","output":"o"})", SampleKind::kInstruction},
      {R"({"messages":[{"role":"assistant","content":"a"}]})", SampleKind::kMessages},
      {R"({"conversations":[{"from":"gpt","value":"a"}]})", SampleKind::kMessages},
  };
  for (const auto& [line, kind] : kinds) {
    std::ofstream(file, std::ios::binary) << line;
    EXPECT_EQ(ReadSamples(file).kind, kind) << line;
  }
}

TEST(Samples, RefusesWrongMessages) {
  ExpectSampleRefused(R"({"messages":"Hi"})", 1, ": expected messages to be an array, found \"Hi\"");
  ExpectSampleRefused(R"({"messages":["Hi"]})", 1, ": expected messages[0] to be an object, found \"Hi\"");
  ExpectSampleRefused(R"({"conversations":[{"from":"narrator","value":"a"}]})", 1,
                      ": expected conversations[0].from to be system, user or assistant, found \"narrator\"");
}

TEST(Samples, RefusesWrongInstructions) {
  ExpectSampleRefused(R"({"instruction":"i","input":3,"output":"o"})", 1, ": expected input to be a string, found 3");
  ExpectSampleRefused(R"({"instruction":"i"})", 1, ": expected output to be a string, found nothing");
  ExpectSampleRefused(R"({"output":"o"})", 1, ": expected instruction to be a string, found nothing");
}

TEST(Samples, RefusesShapesWithoutAnAnswer) {
  ExpectSampleRefused(kGood + "\n{}", 2,
                      ": expected the key messages, conversations, instruction, question, prompt or text, found none");
}

TEST(Samples, ATextIsOneAnswerToNothing) {
  const std::vector<Sample> samples = SamplesOf(R"({"text":"Once.","id":7,"context":"c"})"
                                                "\n"
                                                R"({"text":null})");
  ASSERT_EQ(samples.size(), 2u);
  ASSERT_EQ(samples[0].messages.size(), 1u);
  EXPECT_EQ(samples[0].messages[0].role, models::Role::kAssistant);
  EXPECT_EQ(samples[0].messages[0].content, "Once.");
  EXPECT_TRUE(HasAnswer(samples[0]));
  EXPECT_FALSE(HasAnswer(samples[1]));
  EXPECT_EQ(SamplesOf(R"({"text":"all of it","prompt":"p","completion":"c"})")[0].messages.size(), 2u);  // of that kind
  ExpectSampleRefused(R"({"text":3})", 1, ": expected text to be a string, found 3");
  ExpectSampleRefused(R"({"text":"t","system":"s"})", 1,
                      ": expected system to be missing or empty, as it is not read here, found \"s\"");
  ExpectSampleRefused(kGood + "\n" + R"({"text":"t"})", 2,
                      ": expected the key \"prompt\" as in the lines above, found \"text\"");
}

TEST(Samples, RefusesALongLine) {
  const auto line = [](size_t bytes) {
    const std::string start = R"({"prompt":"p","completion":")", end = R"("})";
    return start + std::string(bytes - start.size() - end.size(), 'c') + end;
  };
  EXPECT_EQ(SamplesOf(line(16 << 20)).size(), 1u);
  ExpectSampleRefused(kGood + "\n" + line((16 << 20) + 1), 2,
                      ": expected a line of at most 16777216 bytes, found 16777217");
}

TEST(Samples, AcceptsWhatEditorsWrite) {
  EXPECT_EQ(SamplesOf(kGood).size(), 1u);                                        // no last newline
  EXPECT_EQ(SamplesOf("\xEF\xBB\xBF" + kGood + "\n").size(), 1u);                // byte-order mark
  EXPECT_EQ(SamplesOf(kGood + "\r\n" + kGood + "\r\n").size(), 2u);              // CRLF
  EXPECT_EQ(SamplesOf("\n  \t\n\r\n" + kGood + "\n\n\n" + kGood).size(), 2u);    // blank lines
  EXPECT_EQ(SamplesOf("\xEF\xBB\xBF\r\n" + kGood + "\r\n" + kGood).size(), 2u);  // all at once
  const auto crlf = SamplesOf("{\"prompt\":\"p\",\"completion\":\"c\"}\r\n");
  EXPECT_EQ(AnswerOf(crlf[0]), "c");
}

TEST(Samples, ALineSeparatorInsideAStringEndsNoLine) {
  // U+2028 and U+0085 end lines for some readers, never for JSON lines.
  const auto samples = SamplesOf("{\"prompt\":\"a\xE2\x80\xA8z\",\"completion\":\"b\xC2\x85z\"}\n" + kGood);
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(PromptOf(samples[0]), "a\xE2\x80\xA8z");
  EXPECT_EQ(AnswerOf(samples[0]), "b\xC2\x85z");
  EXPECT_EQ(AnswerOf(SamplesOf(R"({"prompt":"\u2028","completion":"\ud83d\ude00\n"})")[0]), "\xF0\x9F\x98\x80\n");
}

TEST(Samples, CountsLinesFromOneWithBlankOnes) {
  ExpectSampleRefused("\n" + kGood + "\r\n\n\n" + kGood + "\n\nnot JSON\n" + kGood, 7, "not valid JSON");
}

TEST(Samples, RefusesLinesOfAnotherKind) {
  ExpectSampleRefused(kGood + "\n[1, 2]", 2, "expected a JSON object, found array");
  ExpectSampleRefused(kGood + "\n17\n", 2, "expected a JSON object, found number");
  ExpectSampleRefused(kGood + "\n\"word\"\n", 2, "expected a JSON object, found string");
  ExpectSampleRefused(kGood + "\nnull\n", 2, "expected a JSON object, found null");
  ExpectSampleRefused(kGood + kGood, 1, "not valid JSON");  // two objects in a line
  ExpectSampleRefused(kGood + "\n" + kGood.substr(0, 20), 2, "not valid JSON");
}

TEST(Samples, RefusesWrongFields) {
  ExpectSampleRefused(R"({"prompt":"p"})", 1, "expected completion to be a string, found nothing");
  ExpectSampleRefused(R"({"completion":"c"})", 1, "expected prompt to be a string, found nothing");
  ExpectSampleRefused(R"({"question":"q","completion":"c"})", 1, "expected answer to be a string, found nothing");
  ExpectSampleRefused(R"({"prompt":"p","completion":3})", 1, "expected completion to be a string, found 3");
  ExpectSampleRefused(R"({"prompt":["p"],"completion":"c"})", 1, "expected prompt[0] to be an object, found \"p\"");
  ExpectSampleRefused(R"({"instruction":["p"],"output":"c"})", 1, "expected instruction to be a string, found [\"p\"]");
}

TEST(Samples, RefusesADuplicateKey) {
  ExpectSampleRefused(kGood + "\n" + R"({"prompt":"p","completion":"c","completion":"d"})", 2,
                      "the key \"completion\" stands twice");
  ExpectSampleRefused(R"({"prompt":"p","\u0070rompt":"q","completion":"c"})", 1, "the key \"prompt\" stands twice");
  ExpectSampleRefused(R"({"messages":[{"role":"user","role":"assistant","content":"c"}]})", 1,
                      "the key \"role\" stands twice");
  EXPECT_EQ(SamplesOf(R"({"prompt":"p","completion":"c","x":{"prompt":{"prompt":1}},"y":[{"a":1},{"a":2}]})").size(),
            1u);
}

TEST(Samples, RefusesMixedShapes) {
  ExpectSampleRefused(kGood + "\n" + R"({"question":"q","answer":"a"})", 2,
                      "expected the key \"prompt\" as in the lines above, found \"question\"");
  ExpectSampleRefused(R"({"question":"q","answer":"a"})" + std::string("\n\n") + kGood, 3,
                      "expected the key \"question\" as in the lines above, found \"prompt\"");
  ExpectSampleRefused(kGood + "\n" + R"({"prompt":[{"role":"user","content":"u"}],"completion":"c"})", 2,
                      "expected the key \"prompt\" as in the lines above, found \"prompt\" with messages");
}

TEST(Samples, RefusesDeepNesting) {
  const std::string open(100000, '['), close(100000, ']');
  ExpectSampleRefused(kGood + "\n" + open + close, 2, "nested deeper than");
  ExpectSampleRefused(open, 1, "nested deeper than");
  ExpectSampleRefused(R"({"prompt":"p","completion":"c","x":)" + open + close + "}", 1, "nested deeper than");
}

TEST(Samples, RefusesInvalidUtf8) {
  for (const std::string bytes : {"\xFF", "\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
    ExpectSampleRefused(kGood + "\n{\"prompt\":\"" + bytes + "\",\"completion\":\"c\"}", 2, "not valid JSON");
  }
  ExpectSampleRefused(R"({"prompt":"\ud800","completion":"c"})", 1, "not valid JSON");  // a lone surrogate
}

TEST(Samples, RefusesWhatHoldsNoSample) {
  ExpectSampleRefused("", 0, "there is no sample in it");
  ExpectSampleRefused("\n \t\r\n\n", 0, "there is no sample in it");
  ExpectSampleRefused("\xEF\xBB\xBF", 0, "there is no sample in it");
}

TEST(Samples, RefusesAMissingFileAndADirectory) {
  const TempDir dir;
  const auto message = [](const std::filesystem::path& path) -> std::string {
    try {
      ReadSamples(path);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::filesystem::path missing = dir.path() / "missing.jsonl";
  EXPECT_EQ(message(missing), missing.string() + ": no such file");
  EXPECT_EQ(message(dir.path()), dir.path().string() + ": not a regular file");
}

}  // namespace
}  // namespace ampgrad::train
