#include "train/commands/help_texts.h"

#include <map>

namespace ampgrad::train {

const std::vector<Topic>& Topics() {
  static const std::vector<Topic> topics = {
      {"chain", "the gradient chain that the program is about",
       R"(A weight matrix of the model is written as

    W = S·B + 1·μᵀ    S: scores [n, K]    B: universal basis [K, d]
                                          μ: mean row [d]

B and μ are computed once, from the rows of all weight matrices, and shared by
all of them. Fine-tuning trains the scores S alone:

    loss → … → dW       the weight gradient, as in any fine-tuning
    dS = dW·Bᵀ          the backward of the reconstruction
    AdamW on S          the only trainable tensors

There are two starts. With 'reconstructed' W = S·B + μ, and what B does not
span is thrown away. With 'exact' W = W₀ + ΔS·B and ΔS = 0, so that step 0 is
the pretrained model, bit for bit. 'ampgrad trace' shows every number of the
chain, 'ampgrad audit' proves the gradients.
)"},
      {"models", "what --model and --adapter take",
       R"(--model is a Hugging Face directory of the GPT-2 or Llama family:

    config.json         the shape
    model.safetensors   the weights in F32, F16 or BF16, or in shards; or
                        in NF4, as bitsandbytes writes them
    tokenizer.json      the tokenizer; models trained here read bytes

or a GGUF file of llama.cpp, which holds all of these, its weights also as
blocks of Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K. Of a split one
--model names the first part. 'ampgrad quantize' writes such files.

Weights stay mapped where they lie until they train. --model may also name an
adapter, which brings the base that it records. --adapter applies one of ours,
or of PEFT, over the model. 'ampgrad synth' writes a model of a real shape with
made-up weights, to try things without a download.
)"},
      {"data", "what --data takes",
       R"(JSON lines, or one JSON array of the same objects, of one of these shapes:

    {"messages": [{"role": "user", "content": "…"},
                  {"role": "assistant", "content": "…"}]}
    {"conversations": [{"from": "human", "value": "…"},
                       {"from": "gpt", "value": "…"}]}
    {"instruction": "…", "input": "…", "output": "…"}
    {"prompt": "…", "completion": "…"}
    {"question": "…", "answer": "…"}
    {"text": "…"}

Several files stand with commas between them. The loss is on the assistant's
words and the token that ends each answer, alone; --no-mask learns prompts too.
A tenth of the samples is held out, unless --valid names a file for that. What
would change the meaning and is not read, such as tools or images, is refused
by name; a bad line is named by file, line and key.
)"},
      {"methods", "what each --method trains",
       R"(Of a weight W [out, in] = W₀ + the change:

    amplitude   ΔS·B, or W = S·B + μ         scores, --k numbers a row
    full        ΔW                           W; by default all of it
    lora        (alpha/rank)·B·A             A and B of --rank
    lora-fa     the same                     B
    pissa       the same, from the top       A and B
                singular vectors of W₀
    dora        rows of W₀ + B·A, renormed   A, B and the norms m
    core        B·R·A                        R, rank² numbers
    vera        diag(b)·B·diag(d)·A          b and d
    sparse      values, random positions     the values, --share of W
    norms       none                         norms and biases

--targets and --layers choose the matrices, --basis and --factors where the
frozen parts come from. 'ampgrad count' says how many numbers each trains, with
every share's denominator.
)"},
      {"runs", "how a run is reproduced, stopped and resumed",
       R"(The same seed gives the same bytes, for any --threads and after a resume. A run
writes its complete settings to ampgrad.json beside its result; --config FILE
starts the same run again, and options of the command line take the place of
the file's.

An interrupt (Ctrl-C) ends the step that is under way and saves the state to
OUT.run; a second one ends at once. --save-every N saves it on the way.
--resume OUT.run goes on to the bytes of the run that never stopped. Output
directories and files appear whole or not at all.
)"},
      {"exit-status", "what the exit codes mean",
       R"(    0         done; of 'check' and 'audit': within every bound
    1         an error, in one sentence on the standard error; of
              'check' and 'audit': a bound was exceeded
    2         wrong usage
    128 + N   ended by signal N
)"},
  };
  return topics;
}

std::vector<CommandExample> ExamplesOf(const std::string& command) {
  static const std::map<std::string, std::vector<CommandExample>> examples = {
      {"demo", {{"ampgrad demo --preset nano --steps 20", "The whole method, in about a minute."}}},
      {"pretrain", {{"ampgrad pretrain --text book.txt --out base", "A model of the photonic preset learns a text."}}},
      {"sft",
       {{"ampgrad sft --model base --data pairs.jsonl --out tuned", "Scores alone, from the pretrained model itself."},
        {"ampgrad sft --model base --data pairs.jsonl --out tuned --start reconstructed --k 64 --chain explicit",
         "The papers' start, with 64 scores a row and dW computed."},
        {"ampgrad sft --model base --data pairs.jsonl --out tuned --method lora --rank 8 --save both",
         "LoRA, as an adapter and merged."},
        {"ampgrad sft --resume tuned.run", "Go on with a run that was interrupted."}}},
      {"study",
       {{"ampgrad study --quick --out look", "A first look at every arm, on a built-in world."},
        {"ampgrad study --model base --data pairs.jsonl --out frontier --seeds 5", "The K-efficiency frontier."}}},
      {"report", {{"ampgrad report frontier --html frontier.html", "The page of a study."}}},
      {"sweep", {{"ampgrad sweep --model base --data pairs.jsonl --k 4,16,64", "One table of every method."}}},
      {"generate",
       {{"ampgrad generate --model tuned --prompt 'Once upon a time' --temperature 0.8", "Continue a text."}}},
      {"chat", {{"ampgrad chat --model tuned --system 'Answer in one sentence.'", "Talk with a model."}}},
      {"eval",
       {{"ampgrad eval --model base --adapter tuned --data test.jsonl --match number --csv answers.csv",
         "Loss, perplexity, and answers that agree by their final number."}}},
      {"merge", {{"ampgrad merge --model base --adapter tuned --out merged --type bf16", "One model of the two."}}},
      {"export",
       {{"ampgrad export --model tuned --format peft --out for-peft", "For Hugging Face's PEFT."},
        {"ampgrad export --model tuned --format gguf --out tuned.gguf", "For llama.cpp."}}},
      {"quantize", {{"ampgrad quantize --model base --type q8_0 --out base.gguf", "A model for llama.cpp."}}},
      {"tokenize",
       {{"ampgrad tokenize --model base --prompt 'Once upon a time' --pieces", "Ids, and what each says."}}},
      {"plan",
       {{"ampgrad plan --model base --method amplitude,full --k 8 --layers last:2", "The memory of two runs."},
        {"ampgrad plan --preset llama-7b --weights q4_k --k 64 --layers last:2 --length 512",
         "Of a model not yet here."},
        {"ampgrad plan --model base --ranks 2,4 --network 1gbit", "What sharing steps costs and brings."}}},
      {"analyze",
       {{"ampgrad analyze --model base --k 8,64 --html base.html", "Every spectral figure beside that of chance."}}},
      {"count", {{"ampgrad count --preset tinyllama --k 8,64 --rank 8", "Counts of a public shape, without weights."}}},
      {"check", {{"ampgrad check --reference tests/golden/gpt2-tiny", "Against numbers of another implementation."}}},
      {"trace",
       {{"ampgrad trace --model base --data pairs.jsonl --weight h.0.attn.c_attn.weight --row 3 --component 1",
         "The chain of one score, on one screen."},
        {"ampgrad trace --model base --data pairs.jsonl --weight h.0.attn.c_attn.weight --method lora --part B",
         "A number of another form."}}},
      {"audit",
       {{"ampgrad audit --html audit.html", "Ops, chain, kernels and planted faults."},
        {"ampgrad audit --model base --data pairs.jsonl", "Every tensor of a model, on your data."}}},
      {"synth", {{"ampgrad synth --preset tiny --out model", "A model that every command can read."}}},
      {"help",
       {{"ampgrad help data", "What the files of --data hold."},
        {"ampgrad help sft --man | man -l -", "The manual page of a command."},
        {"source <(ampgrad help --completion)", "Completion in this shell of bash."}}},
  };
  const auto found = examples.find(command);
  return found == examples.end() ? std::vector<CommandExample>() : found->second;
}

}  // namespace ampgrad::train
