"""The work of real_nf4.sh that transformers and bitsandbytes do.

    real_nf4.py make GGUF_DIRECTORY OUT                   OUT/base in BF16, OUT/plain and OUT/nested in NF4
    real_nf4.py compare PROGRAM OUT plain|nested TEXT     losses and continuations, theirs and ours
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import bitsandbytes
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

PROMPTS = ["The capital of France is", "Once upon a time, there was", "def fibonacci(n):",
           "The three laws of thermodynamics say", "To make bread you need"]
TOKENS, LENGTH = 24, 512
transformers.logging.set_verbosity_error()


def make(gguf_directory, out):
    out = pathlib.Path(out)
    gguf = next(pathlib.Path(gguf_directory).glob("*.gguf")).name
    read = AutoModelForCausalLM.from_pretrained(gguf_directory, gguf_file=gguf, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(gguf_directory, gguf_file=gguf)
    config = read.config.to_dict()
    config.pop("quantization_config", None)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config))
    model.load_state_dict(read.state_dict())
    model.to(torch.bfloat16).save_pretrained(out / "base")
    tokenizer.save_pretrained(out / "base")
    for kind in ("plain", "nested"):
        nf4 = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4",
                                 bnb_4bit_use_double_quant=kind == "nested")
        AutoModelForCausalLM.from_pretrained(out / "base", quantization_config=nf4, device_map="cpu",
                                             dtype=torch.bfloat16).save_pretrained(out / kind)
        tokenizer.save_pretrained(out / kind)


def widened(out, kind):
    """The model in float32, with the numbers that bitsandbytes makes of its codes before it rounds them to BF16."""
    stored = AutoModelForCausalLM.from_pretrained(out / kind, device_map="cpu", dtype=torch.float32)
    model = AutoModelForCausalLM.from_pretrained(out / "base", dtype=torch.float32)
    for name, module in stored.named_modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.weight.quant_state.dtype = torch.float32
            numbers = bitsandbytes.functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
            model.get_submodule(name).weight.data.copy_(numbers)
    return model.eval()


def compare(program, out, kind, text):
    def ours(*words):
        return subprocess.run([program, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=True).stdout

    out = pathlib.Path(out)
    tokenizer, model = AutoTokenizer.from_pretrained(out / kind), widened(out, kind)
    text = pathlib.Path(text).read_text()[:6000]
    ids = torch.tensor([tokenizer(text, add_special_tokens=False).input_ids[:LENGTH]])
    with torch.no_grad(), tempfile.TemporaryDirectory() as work:
        theirs = float(model(ids, labels=ids).loss)
        file, result = pathlib.Path(work) / "text", pathlib.Path(work) / "json"
        file.write_text(text)
        ours("eval", "--model", str(out / kind), "--text", str(file), "--length", str(LENGTH - 1), "--limit", "1",
             "--json", str(result))
        loss = json.loads(result.read_text())["loss"]
        print(f"{kind}: loss of {LENGTH - 1} tokens, theirs {theirs:.6f}, ours {loss:.6f}")
        for prompt in PROMPTS:
            ids = torch.tensor([tokenizer(prompt, add_special_tokens=False).input_ids])
            ends = model.generate(ids, max_new_tokens=TOKENS, do_sample=False)[0]
            want = tokenizer.decode(ends, skip_special_tokens=True)
            found = ours("generate", "--model", str(out / kind), "--prompt", prompt, "--tokens", str(TOKENS),
                         "--temperature", "0")
            print(f"  {'same' if found.strip() == want.strip() else 'other'} continuation: {prompt}")


{"make": make, "compare": compare}[sys.argv[1]](*sys.argv[2:])
