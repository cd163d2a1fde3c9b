#!/usr/bin/env python3
"""Makes peft/: adapters that PEFT itself saved over gpt2-tiny and llama-tiny, and the logits that they must give.

    bash tests/interop.sh --install
    PYTHONHASHSEED=0 HF_HUB_OFFLINE=1 ${TMPDIR:-/tmp}/ampgrad-interop/venv/bin/python tests/golden/make_peft.py

Every factor is random and none is zero, so each one shows in the logits. The float64 logits are those of models.py, on
weights that PEFT merged in float64; PEFT's own logits, merged and not, must agree with them, or nothing is written.
"""
import json
import pathlib
import shutil
import tempfile

import numpy as np
import peft
import torch
import transformers

import models
import safetensors_file

HERE = pathlib.Path(__file__).resolve().parent
IDS = np.array([[5, 17, 60, 1, 33, 8]])  # [1, T]
RANK, ALPHA = 3, 6

GPT2_ALL = ["c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"]
LLAMA_ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# Adapters to read: what LoraConfig is given beside rank and alpha. The name begins with that of the base.
CASES = {
    "gpt2-lora": {"target_modules": GPT2_ALL},
    "gpt2-rslora": {"target_modules": ["c_attn", "c_fc"], "use_rslora": True},
    "gpt2-dora": {"target_modules": ["c_attn", "mlp.c_proj"], "use_dora": True},
    "gpt2-patterns": {"target_modules": ["c_attn", "c_fc"], "rank_pattern": {"c_attn": 5},
                      "alpha_pattern": {r"h.1.mlp.c_fc": 2}},
    "gpt2-regex": {"target_modules": r".*\.mlp\.(c_fc|c_proj)"},
    "gpt2-layer": {"target_modules": ["c_attn", "attn.c_proj"], "layers_to_transform": [1], "layers_pattern": "h"},
    "gpt2-norms": {"target_modules": ["attn.c_proj"], "modules_to_save": ["ln_1", "ln_2", "ln_f"]},
    "gpt2-pissa": {"target_modules": ["c_attn", "mlp.c_proj"], "init_lora_weights": "pissa"},
    "llama-lora": {"target_modules": LLAMA_ALL},
    "llama-rslora": {"target_modules": ["q_proj", "v_proj"], "use_rslora": True},
    "llama-dora": {"target_modules": ["k_proj", "down_proj"], "use_dora": True},
    "llama-patterns": {"target_modules": ["q_proj", "down_proj"], "use_rslora": True,
                       "rank_pattern": {r"^model.layers.0.self_attn.q_proj": 2, "down_proj": 4},
                       "alpha_pattern": {"layers.1.mlp.down_proj": 9}},
    "llama-regex": {"target_modules": r"model\.layers\.\d+\.self_attn\.[qv]_proj"},
    "llama-layer": {"target_modules": ["o_proj", "up_proj"], "layers_to_transform": 1, "layers_pattern": "layers"},
    "llama-paths": {"target_modules": ["model.layers.0.self_attn.k_proj", "model.layers.1.mlp.gate_proj"]},
    "llama-head": {"target_modules": ["v_proj", "lm_head"]},
    "llama-norms": {"target_modules": ["q_proj"],
                    "modules_to_save": ["input_layernorm", "post_attention_layernorm", "model.norm"]},
    "llama-pissa": {"target_modules": ["q_proj", "down_proj"], "init_lora_weights": "pissa"},
    "llama-bf16": {"target_modules": ["q_proj", "down_proj"]},
    "llama-few-keys": {"target_modules": ["q_proj"], "r": 8, "lora_alpha": 8},  # PEFT's defaults, and not in the file
    "llama-embedding": {"target_modules": ["embed_tokens", "k_proj"]},
    "gpt2-positions": {"target_modules": ["wpe", "c_attn"]},
}

# Adapters to refuse that PEFT makes itself: their configuration.
SMALL = {"r": RANK, "lora_alpha": ALPHA, "task_type": "CAUSAL_LM", "target_modules": ["q_proj"]}
FOREIGN = {
    "llama-ia3": peft.IA3Config(task_type="CAUSAL_LM", target_modules=["k_proj", "down_proj"],
                                feedforward_modules=["down_proj"]),
    "llama-vera": peft.VeraConfig(task_type="CAUSAL_LM", target_modules=["q_proj"], r=RANK),
    "gpt2-bias-all": peft.LoraConfig(**SMALL | {"target_modules": ["attn.c_proj"], "fan_in_fan_out": True,
                                                "bias": "all"}),
    "llama-lora-bias": peft.LoraConfig(**SMALL, lora_bias=True),
    "llama-trainable-tokens": peft.LoraConfig(**SMALL, trainable_token_indices=[3, 4]),
    "llama-head-saved": peft.LoraConfig(**SMALL | {"target_modules": ["lm_head"]}),
    "llama-layer-replication": peft.LoraConfig(**SMALL, layer_replication=[[0, 2], [1, 2]]),
}

# Adapters to refuse, made from one that PEFT saved (r = 3, q_proj of llama-tiny) by changing its configuration.
SPOILT_CONFIGS = {
    "llama-rank-differs": {"r": 4},
    "llama-rank-zero": {"r": 0},
    "llama-alpha-text": {"lora_alpha": "six"},
    "llama-rslora-text": {"use_rslora": "sometimes"},
    "llama-unknown-key": {"scale_by_depth": 0.5},
    "llama-unknown-type": {"peft_type": "LORA_DEEP"},
    "llama-regex-broken": {"target_modules": r".*\.(q_proj"},
    "llama-alora": {"alora_invocation_tokens": [3, 4]},
}

# What the refusal of each must name.
NAMED = {
    "llama-ia3": "IA3", "llama-vera": "VERA", "gpt2-bias-all": "bias", "llama-lora-bias": "lora_bias",
    "llama-trainable-tokens": "trainable_token_indices", "llama-head-saved": "lm_head.base_layer.weight",
    "llama-layer-replication": "layer_replication", "llama-rank-differs": "layers.0.self_attn.q_proj.lora_A.weight",
    "llama-rank-zero": "r", "llama-alpha-text": "lora_alpha", "llama-rslora-text": "use_rslora",
    "llama-unknown-key": "scale_by_depth", "llama-unknown-type": "LORA_DEEP", "llama-regex-broken": "target_modules",
    "llama-alora": "alora_invocation_tokens", "llama-missing-key": "layers.0.self_attn.q_proj.lora_B.weight",
    "llama-surplus-key": "layers.0.self_attn.v_proj.lora_A.weight",
    "llama-wrong-shape": "layers.0.self_attn.q_proj.lora_A.weight",
    "llama-not-finite": "layers.0.self_attn.q_proj.lora_A.weight", "llama-no-weights": "adapter_model.safetensors",
    "llama-no-config": "adapter_config.json",
}


def base_directory(name):
    """The model directory of a case."""
    return HERE / (name.split("-")[0] + "-tiny")


def base(directory):
    """A model in float32; what PEFT saves of its name is no path of this machine."""
    model = transformers.AutoModelForCausalLM.from_pretrained(directory, attn_implementation="eager").eval()
    model.name_or_path = directory.name
    return model


def randomise(model, seed, deviation=0.15):
    """Gives what a PEFT model trains random values: factors new ones, magnitudes and norms values near their old."""
    generator = torch.Generator().manual_seed(seed)
    for name, param in sorted(model.named_parameters()):
        if param.requires_grad:
            noise = torch.randn(param.shape, generator=generator)
            near = "magnitude" in name or "modules_to_save" in name or name.endswith(".bias")
            param.data = param.data + 0.1 * noise if near else deviation * noise


def save_pissa(model, directory, seed):
    """PiSSA as PEFT turns it into LoRA over the original base: trained less initial factors, side by side, rank 2r."""
    config = model.peft_config["default"]
    with tempfile.TemporaryDirectory() as start:
        config.init_lora_weights = True
        model.save_pretrained(start, save_embedding_layers=False)
        config.init_lora_weights = "pissa"
        generator = torch.Generator().manual_seed(seed)
        for name, param in sorted(model.named_parameters()):
            if param.requires_grad:
                param.data += 0.1 * torch.randn(param.shape, generator=generator)
        model.save_pretrained(directory, save_embedding_layers=False, path_initial_model_for_weight_conversion=start)


def peft_logits(model, ids=IDS):
    with torch.no_grad():
        return model(input_ids=torch.tensor(ids)).logits.numpy()  # [1, T, V]


def merged(directory, adapter):
    """The model in float64, of models.py, and its weights as PEFT merges them in float64."""
    network = peft.PeftModel.from_pretrained(base(directory).double(), adapter).double().merge_and_unload()
    model = models.Model(directory)
    weights = {name.removeprefix("transformer."): w.detach().numpy() for name, w in network.named_parameters()}
    return model, {name: model.stored(name, weights[name]) for name in model.weights}


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def make_case(name, options, seed, root):
    directory = root / name
    defaults = {"r": RANK, "lora_alpha": ALPHA, "task_type": "CAUSAL_LM", "fan_in_fan_out": name.startswith("gpt2")}
    model = peft.get_peft_model(base(base_directory(name)), peft.LoraConfig(**defaults | options))
    if name.endswith("pissa"):
        save_pissa(model, directory, seed)
    else:
        randomise(model, seed)
        if name.endswith("bf16"):
            for param in model.parameters():
                if param.requires_grad:
                    param.data = param.data.bfloat16()
        model.save_pretrained(directory, save_embedding_layers=False)
    if name.endswith("few-keys"):
        path = directory / "adapter_config.json"
        config = json.loads(path.read_text())
        path.write_text(json.dumps({key: config[key] for key in ("peft_type", "target_modules")}))

    model, weights = merged(base_directory(name), directory)
    expected = model.logits(weights, IDS)[0]  # [1, T, V]
    loaded = peft.PeftModel.from_pretrained(base(base_directory(name)), directory)
    unmerged = peft_logits(loaded)
    merged_too = peft_logits(loaded.merge_and_unload())
    error = max(relative(unmerged, expected), relative(merged_too, expected))
    change = relative(peft_logits(base(base_directory(name))), expected)
    print(f"{name}: PEFT's float32 is {error:.1e} from float64; the adapter changes the logits by {change:.2f}")
    assert error < 2e-6 and change > 0.01
    safetensors_file.write(directory / "expected.safetensors", {
        "input_ids": IDS, "logits": expected, "peft_logits": unmerged, "peft_merged_logits": merged_too})


def make_foreign(name, config, seed, root):
    model = peft.get_peft_model(base(base_directory(name)), config)
    randomise(model, seed)
    model.save_pretrained(root / name, save_embedding_layers=name.endswith("head-saved"))


def copy_with(source, directory, config=None, tensors=None):
    """A copy of an adapter with keys of its configuration, or all its tensors, replaced."""
    shutil.copytree(source, directory)
    if config:
        path = directory / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | config, indent=2))
    if tensors:
        safetensors_file.write(directory / "adapter_model.safetensors", tensors)


def make_spoilt(root):
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch)
        make_foreign("llama-sound", peft.LoraConfig(**SMALL), 1, source)
        source = source / "llama-sound"
        for name, config in SPOILT_CONFIGS.items():
            copy_with(source, root / name, config=config)
        tensors = safetensors_file.read(source / "adapter_model.safetensors")
        first, second = list(tensors)[:2]
        surplus = first.replace("q_proj", "v_proj")
        nan = tensors[first].copy()
        nan[0, 0] = np.nan
        changed = {"missing-key": {key: w for key, w in tensors.items() if key != second},
                   "surplus-key": tensors | {surplus: tensors[first]},
                   "wrong-shape": tensors | {first: np.ascontiguousarray(tensors[first][:, 1:])},
                   "not-finite": tensors | {first: nan}}
        for name, spoilt in changed.items():
            copy_with(source, root / f"llama-{name}", tensors=spoilt)
        copy_with(source, root / "llama-no-weights")
        (root / "llama-no-weights" / "adapter_model.safetensors").unlink()
        copy_with(source, root / "llama-no-config")
        (root / "llama-no-config" / "adapter_config.json").unlink()


def main():
    root = HERE / "peft"
    peft.PeftModel.create_or_update_model_card = lambda *_: None  # its README.md says nothing here and needs Jinja2
    shutil.rmtree(root, ignore_errors=True)
    for seed, (name, options) in enumerate(CASES.items()):
        make_case(name, options, seed, root)
    for seed, (name, config) in enumerate(FOREIGN.items()):
        make_foreign(name, config, seed, root / "faulty")
    make_spoilt(root / "faulty")
    assert NAMED.keys() == {path.name for path in (root / "faulty").iterdir()}
    (root / "faulty" / "named.json").write_text(json.dumps(NAMED, indent=1) + "\n")
    print(f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
