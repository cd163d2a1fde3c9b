"""The checks of interop.sh: adapters of ours read by PEFT and by llama.cpp, adapters of PEFT's read by us.

    check.py PROGRAM SHARED_GOLDEN

A line a check: the relative errors ‖ours − theirs‖/‖theirs‖, or the text that both generate.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import peft
import tokenizers
import torch

import gguf_file
import models
import safetensors_file
from make_gguf_lora import llama_cpp
from make_peft import base, base_directory, peft_logits, relative

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
BOUND = 1e-4
CHANGE = 100 * BOUND  # what an adapter must change to be a test

RANK = ["--rank", "4"]
EXPORTED = {"amplitude": ["--start", "exact", "--k", "4"], "lora": RANK, "lora-fa": RANK, "pissa": RANK, "dora": RANK,
            "core": RANK, "vera": RANK}
WHOLE = {"full": [], "amplitude": ["--start", "reconstructed", "--k", "4"]}  # what is no adapter over the base
TEXT = "How many birds are in tree 11? There are 33 birds."


class Checks:
    """Runs the program in a folder of its own, and counts the checks that fail."""

    def __init__(self, program, work):
        self.program, self.work, self.failed = program, work, 0

    def run(self, *words):
        """What the program prints."""
        done = subprocess.run([self.program, *map(str, words)], cwd=self.work, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        if done.returncode != 0:
            last = (done.stderr.decode().strip() or "it printed no error").splitlines()[-1]
            raise RuntimeError(f"exit code {done.returncode} of '{' '.join(map(str, words))}': {last}")
        return done.stdout.decode()

    def check(self, what, call, *args):
        """`call` returns whether the check passed, and words on it. Whatever goes wrong fails this check alone."""
        try:
            passed, words = call(self, *args)
        except Exception as error:
            passed, words = False, f"{type(error).__name__}: {error}"
        self.failed += not passed
        print("ok  " if passed else "FAIL", f"{what}: {words}", flush=True)

    def train(self, model, method, options, save, out, rate="1e-2"):
        self.run("sft", "--model", model, "--data", "pairs.jsonl", "--method", method, *options, "--length", 64,
                 "--batch", 4, "--steps", 30, "--lr", rate, "--save", save, "--out", out)

    def loss_error(self, ids, logits, *model):
        """eval's loss of TEXT against that of logits [1, T, V] of its ids [1, T]; the first token is not predicted."""
        self.run("eval", *model, "--text", "text.txt", "--json", "eval.json")
        ours = json.loads((self.work / "eval.json").read_text())["loss"]
        theirs = float(torch.nn.functional.cross_entropy(torch.tensor(logits[0, :-1]), torch.tensor(ids[0, 1:])))
        return abs(ours - theirs) / theirs


def within(**errors):
    """Whether all errors are within the bound, and words on them."""
    return all(error <= BOUND for error in errors.values()), ", ".join(f"{n} {e:.1e}" for n, e in errors.items())


def read_tokenizer(model):
    return tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))


def with_adapter(model, adapter):
    """A model with an adapter, by PEFT, which must not warn, and must have a place for every tensor of the file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network = peft.PeftModel.from_pretrained(base(model), adapter).eval()
    if caught:
        raise RuntimeError(f"PEFT warns: {caught[0].message}")
    held = {name: w.numpy() for name, w in peft.get_peft_model_state_dict(network, save_embedding_layers=False).items()}
    written = safetensors_file.read(adapter / "adapter_model.safetensors")
    if held.keys() != written.keys() or any(not np.array_equal(w, written[name]) for name, w in held.items()):
        raise RuntimeError("PEFT holds other tensors than the file")
    return network


def check_export(checks, model, method):
    """Ours to PEFT: its logits and its loss with our adapter, against our merged model's and our eval's."""
    adapter, exported, merged, copy = (checks.work / f"{model.name} {method} {kind}"
                                       for kind in ("adapter", "peft", "merged", "hf"))
    checks.train(model, method, EXPORTED[method], "adapter", adapter)
    given = ["--model", model, "--adapter", adapter]
    checks.run("export", *given, "--format", "peft", "--out", exported)
    checks.run("export", *given, "--format", "hf", "--out", copy)
    checks.run("merge", *given, "--out", merged)
    ids = np.array([read_tokenizer(model).encode(TEXT).ids])
    theirs = peft_logits(with_adapter(model, exported), ids)
    passed, words = within(merge=relative(peft_logits(base(merged), ids), theirs),
                           export_hf=relative(peft_logits(base(copy), ids), theirs),
                           eval=checks.loss_error(ids, theirs, *given))
    change = relative(peft_logits(base(model), ids), theirs)
    return passed and change > CHANGE, f"{words}; the adapter changes {change:.2f}"


def check_whole(checks, model, method):
    """A model that sft saved whole: transformers' loss against eval's."""
    out = checks.work / f"{model.name} {method} whole"
    checks.train(model, method, WHOLE[method], "merged", out)
    ids = np.array([read_tokenizer(model).encode(TEXT).ids])
    return within(eval=checks.loss_error(ids, peft_logits(base(out), ids), "--model", out))


def check_import(checks, adapter):
    """PEFT's to ours: the logits of what merge makes of an adapter that PEFT saved, against those in golden/peft."""
    merged = checks.work / f"{adapter.name} merged"
    checks.run("merge", "--model", base_directory(adapter.name), "--adapter", adapter, "--out", merged)
    expected = safetensors_file.read(adapter / "expected.safetensors")
    return within(merge=relative(peft_logits(base(merged), expected["input_ids"]), expected["logits"]))


def check_llama_cpp(checks, model, gguf, method, rate, prompt, count):
    """Ours to llama.cpp: with our adapter it must continue a prompt as generate does. An empty one is the BOS token."""
    adapter, exported = checks.work / f"{model.name} {method} lora", checks.work / f"{model.name} {method}.gguf"
    checks.train(model, method, EXPORTED[method], "adapter", adapter, rate)
    checks.run("export", "--model", model, "--adapter", adapter, "--format", "gguf", "--out", exported)
    ours = checks.run("generate", "--model", model, "--adapter", adapter, *(["--prompt", prompt] if prompt else []),
                      "--tokens", count, "--raw").strip()
    tokenizer = read_tokenizer(model)
    ids = tokenizer.encode(prompt).ids or [json.loads((model / "config.json").read_text())["bos_token_id"]]
    theirs, plain = (tokenizer.decode(ids + llama_cpp(gguf, ids, count, *given)).strip() for given in ([exported], []))
    if theirs == plain:
        return False, f"the adapter does not change {plain!r}"
    return ours == theirs, f"{ours!r}" if ours == theirs else f"expected llama.cpp's {theirs!r}, found {ours!r}"


def make_inputs(checks):
    """Data, and two small models that read bytes: GPT-2, trained a little and as GGUF too, and a made-up Llama."""
    work = checks.work
    (work / "text.txt").write_text(TEXT)
    (work / "story.txt").write_text("".join(f"Once upon a time there were {i} birds in tree {i * 7 % 40}.\n"
                                            for i in range(80)))
    pairs = [{"prompt": f"How many birds are in tree {i}? ", "completion": f"There are {i * 3 % 17} birds."}
             for i in range(90)]
    (work / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    checks.run("pretrain", "--preset", "nano", "--text", "story.txt", "--length", 64, "--steps", 2000, "--out", "gpt2")
    checks.run("synth", "--preset", "tiny", "--out", "llama")
    gpt2, tokenizer = models.Model(work / "gpt2"), read_tokenizer(work / "gpt2")
    tokens = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
    gguf_file.write_gpt2(work / "gpt2.gguf", gpt2.config, gpt2.weights, tokens)


def run_all(checks, shared):
    make_inputs(checks)
    for model in (checks.work / "gpt2", checks.work / "llama"):
        for method in EXPORTED:
            checks.check(f"{model.name}, {method} in PEFT", check_export, model, method)
        for method in WHOLE:
            checks.check(f"{model.name}, {method} merged in transformers", check_whole, model, method)
    for adapter in sorted(path.parent for path in (GOLDEN / "peft").glob("*/expected.safetensors")):
        checks.check(f"PEFT's {adapter.name}", check_import, adapter)
    stories = shared / "stories260K", shared / "gguf-stories" / "model.gguf"
    for method in ("lora", "amplitude"):
        # At this rate the two likeliest tokens are never nearer than 0.04 in their logits. At 1e-2, where the text
        # falls apart, two are 0.003 apart after 64 tokens, and llama.cpp takes the other one: float64 takes ours.
        checks.check(f"stories260K, {method} in llama.cpp", check_llama_cpp, *stories, method, "1e-3", "", 100)
        checks.check(f"gpt2, {method} in llama.cpp", check_llama_cpp, checks.work / "gpt2", checks.work / "gpt2.gguf",
                     method, "1e-2", "How many ", 50)


def main():
    with tempfile.TemporaryDirectory() as work:
        checks = Checks(sys.argv[1], pathlib.Path(work))
        run_all(checks, pathlib.Path(sys.argv[2]).resolve())
    print(f"{checks.failed} failed" if checks.failed else "all passed")
    sys.exit(checks.failed > 0)


if __name__ == "__main__":
    main()
