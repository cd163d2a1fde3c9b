#!/usr/bin/env python3
"""Makes gguf_lora/: adapters with the text that llama.cpp generates with them, over stories260K and gpt2-tiny.

    bash tests/interop.sh --install
    PYTHONHASHSEED=0 HF_HUB_OFFLINE=1 ${TMPDIR:-/tmp}/ampgrad-interop/venv/bin/python tests/golden/make_gguf_lora.py

PEFT saves the adapter; gguf_file.py writes the same factors for llama.cpp. models.py, on weights that PEFT merged in
float64, must choose the same tokens, or nothing is written.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import peft
import tokenizers

import gguf_file
import make_peft
import models
import safetensors_file

HERE = pathlib.Path(__file__).resolve().parent
SCRATCH = pathlib.Path(tempfile.gettempdir()) / "ampgrad-interop"


def llama_cpp(base, ids, count, adapter="none"):
    """The `count` ids that llama.cpp adds to ids, greedily."""
    command = ["node", HERE.parent / "interop" / "continue.mjs", base, adapter, str(count), ",".join(map(str, ids))]
    return json.loads(subprocess.run(command, cwd=SCRATCH / "node", check=True, stdout=subprocess.PIPE).stdout)


def greedy(model, weights, ids, count):
    """The ids that models.py adds, and the smallest distance between a likeliest and a second logit."""
    ids, margins = list(ids), []
    for _ in range(count):
        logits = model.logits(weights, np.array([ids]))[0][0, -1]
        second, first = np.sort(logits)[-2:]
        margins.append(first - second)
        ids.append(int(logits.argmax()))
    return ids[-count:], min(margins)


def make(name, directory, gguf, options, seed, deviation, prompt, count):
    """An adapter over a model directory and over the same model as GGUF. Returns the ids that it adds to a prompt."""
    out = HERE / "gguf_lora" / name
    network = peft.get_peft_model(make_peft.base(directory), peft.LoraConfig(task_type="CAUSAL_LM", **options))
    make_peft.randomise(network, seed, deviation)
    network.save_pretrained(out, save_embedding_layers=False)
    model, weights = make_peft.merged(directory, out)
    factors = safetensors_file.read(out / "adapter_model.safetensors")
    gguf_file.write_adapter(out / "adapter.gguf", model.config, factors, options["lora_alpha"])

    ids, margin = greedy(model, weights, prompt, count)
    assert margin > 0.01  # far above what rounding in float32 can change
    assert llama_cpp(gguf, prompt, count, out / "adapter.gguf") == ids
    plain = llama_cpp(gguf, prompt, count)
    assert plain == greedy(model, model.weights, prompt, count)[0] and plain != ids
    print(f"{name}: llama.cpp adds the {count} tokens of models.py, with the adapter and without; with it, the largest "
          f"two logits are at least {margin:.3f} apart")
    return ids


def write_generated(name, generated):
    (HERE / "gguf_lora" / name / "generated.json").write_text(json.dumps(generated) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=pathlib.Path, default=HERE.parents[2] / "shared" / "golden",
                        help="holds stories260K and gguf-stories")
    shared = parser.parse_args().shared
    peft.PeftModel.create_or_update_model_card = lambda *_: None

    stories = shared / "stories260K"
    ids = make("stories", stories, shared / "gguf-stories" / "model.gguf",
               {"r": 2, "lora_alpha": 4, "target_modules": make_peft.LLAMA_ALL, "layers_to_transform": [1, 3]},
               seed=1, deviation=0.08, prompt=[1], count=100)
    text = tokenizers.Tokenizer.from_file(str(stories / "tokenizer.json")).decode(ids)
    write_generated("stories", {"prompt": [1], "ids": ids, "text": text})

    with tempfile.TemporaryDirectory() as scratch:
        directory, gguf = HERE / "gpt2-tiny", pathlib.Path(scratch) / "model.gguf"
        model = models.Model(directory)
        gguf_file.write_gpt2(gguf, model.config, model.weights, [chr(ord("!") + i) for i in range(61)])
        prompt = [5, 17, 60, 1]
        ids = make("gpt2", directory, gguf, {"r": 2, "lora_alpha": 4, "target_modules": make_peft.GPT2_ALL,
                                             "fan_in_fan_out": True},
                   seed=8, deviation=0.3, prompt=prompt, count=12)
    write_generated("gpt2", {"prompt": prompt, "ids": ids})


if __name__ == "__main__":
    main()
