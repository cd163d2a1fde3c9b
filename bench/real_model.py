"""The comparisons of real_model.sh.

    real_model.py request DATA > REQUEST.json                     what both programs are asked
    real_model.py compare PROGRAM MODEL REQUEST.json THEIRS.json   our ids and answers beside llama.cpp's
"""
import json
import pathlib
import subprocess
import sys
import tempfile

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
QUESTIONS = ["What is the capital of France?", "Write a haiku about the sea.",
             "If I have 3 apples and eat one, how many are left?", "Explain gravity to a child.", "List three colours."]
ODD = ["", "  leading", "tabs\t\tand\nnewlines\n\n\n",
       "ünïcödé ß 漢字 🙂🙃", "1234567890 12,345.67", "don't can't I'LL 'S",
       "a<|im_end|>b", "\u200b zero", "<0x0A>", "   ", "٣٤٥ Ⅻ ½", "e\u0301 é", "\U0001f469\u200d\U0001f4bb"]
TOKENS = 64


def request(data):
    data = pathlib.Path(data)
    with open(data / "gsm8k_train.jsonl") as lines:
        questions = [json.loads(line)["question"] for line, _ in zip(lines, range(50))]
    before = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n"
    behind = "<|im_end|>\n<|im_start|>assistant\n"
    prompts = [before + question + behind for question in QUESTIONS]
    texts = [(data / "shakespeare.txt").read_text()[:20000], *questions, *ODD]
    json.dump({"texts": texts, "prompts": prompts, "tokens": TOKENS}, sys.stdout)


def run(program, *words, text=None):
    return subprocess.run([program, *words], input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=True).stdout


def compare(program, model, request_file, theirs_file):
    asked, theirs = (json.loads(pathlib.Path(file).read_text()) for file in (request_file, theirs_file))
    same = 0
    with tempfile.TemporaryDirectory() as work:
        file = pathlib.Path(work) / "text"
        for text, ids in zip(asked["texts"], theirs["ids"]):
            file.write_bytes(text.encode())
            same += [int(i) for i in run(program, "tokenize", "--model", model, "--text", str(file)).split()] == ids
    print(f"ids of {same} of {len(asked['texts'])} texts are llama.cpp's")
    for question, answer in zip(QUESTIONS, theirs["answers"]):
        ours = run(program, "chat", "--model", model, "--tokens", str(TOKENS), text=question + "\n").strip()
        want = answer["text"].strip()
        at = next((i for i, (a, b) in enumerate(zip(ours, want)) if a != b), min(len(ours), len(want)))
        if ours == want:
            print(f"same answer: {question}")
        else:
            print(f"answers part at character {at}: {question}\n  ours:   {ours[at:at + 60]!r}\n  theirs: "
                  f"{want[at:at + 60]!r}")


{"request": request, "compare": compare}[sys.argv[1]](*sys.argv[2:])
