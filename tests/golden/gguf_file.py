"""Writes GGUF version 3: a header of named values, the shapes of the tensors, and their data, each at a multiple of 32.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The names and layouts below are llama.cpp's.
"""
import re
import struct

import numpy as np

ALIGNMENT = 32
U32, I32, F32, STRING, ARRAY = 4, 5, 6, 8, 9

BLOCK_NAMES = {
    "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
    "ln_1": "attn_norm", "ln_2": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
OTHER_NAMES = {"wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm",
               "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def ggml_name(name):
    """"blk.0.attn_q" of "model.layers.0.self_attn.q_proj", "token_embd" of "wte"; the name without ".weight"."""
    block = re.fullmatch(r"(?:model\.layers|h)\.(\d+)\.(.+)", name)
    return f"blk.{block[1]}.{BLOCK_NAMES[block[2]]}" if block else OTHER_NAMES[name]


def permuted(w, heads):
    """The rows of a query or key matrix in llama.cpp's order: of each head the rows i and i + half side by side."""
    return np.ascontiguousarray(w.reshape(heads, 2, -1, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape))


def in_ggml_order(name, w, config):
    """w [out, ...], the rows of Hugging Face's matrix `name`, as llama.cpp wants them."""
    heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(name.split(".")[-1])
    return permuted(w, config[heads]) if heads else w


def encoded_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def encoded(value):
    """A value with its type in front: str, int (unsigned), float, or a list of str or of int (signed)."""
    if isinstance(value, str):
        return struct.pack("<I", STRING) + encoded_string(value)
    if isinstance(value, float):
        return struct.pack("<If", F32, value)
    if isinstance(value, int):
        return struct.pack("<II", U32, value)
    texts = isinstance(value[0], str)
    items = [encoded_string(item) if texts else struct.pack("<i", item) for item in value]
    return struct.pack("<IIQ", ARRAY, STRING if texts else I32, len(items)) + b"".join(items)


def write(path, values, tensors):
    """Writes {key: value} and {name: float32 array}, in the order given."""
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(values))
    for key, value in values.items():
        header += encoded_string(key) + encoded(value)
    data = b""
    for name, tensor in tensors.items():
        header += encoded_string(name) + struct.pack("<I", tensor.ndim)
        header += struct.pack(f"<{tensor.ndim}Q", *reversed(tensor.shape)) + struct.pack("<IQ", 0, len(data))
        data += np.ascontiguousarray(tensor, np.float32).tobytes()
        data += bytes(-len(data) % ALIGNMENT)
    path.write_bytes(header + bytes(-len(header) % ALIGNMENT) + data)


def write_adapter(path, config, factors, alpha):
    """A LoRA adapter for llama.cpp: `config` is the base's, `factors` are {PEFT's name: array}."""
    tensors = {}
    for key, w in factors.items():
        name, factor = re.fullmatch(r"base_model\.model\.(?:transformer\.)?(.+)\.lora_([AB])\.weight", key).groups()
        w = in_ggml_order(name, w, config) if factor == "B" else w
        tensors[f"{ggml_name(name)}.weight.lora_{factor.lower()}"] = w
    write(path, {"general.type": "adapter", "general.architecture": config["model_type"], "adapter.type": "lora",
                 "adapter.lora.alpha": float(alpha)}, tensors)


def write_gpt2(path, config, weights, tokens):
    """A GPT-2 model: `weights` have Hugging Face's names and are [out, in]; `tokens` are as in vocab.json, by id."""
    values = {"general.architecture": "gpt2", "general.type": "model", "gpt2.context_length": config["n_positions"],
              "gpt2.embedding_length": config["n_embd"], "gpt2.block_count": config["n_layer"],
              "gpt2.feed_forward_length": config.get("n_inner") or 4 * config["n_embd"],
              "gpt2.attention.head_count": config["n_head"],
              "gpt2.attention.layer_norm_epsilon": config["layer_norm_epsilon"],
              "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.tokens": tokens,
              "tokenizer.ggml.token_type": [1] * len(tokens), "tokenizer.ggml.merges": [f"{tokens[0]} {tokens[1]}"],
              "tokenizer.ggml.bos_token_id": len(tokens) - 1, "tokenizer.ggml.eos_token_id": len(tokens) - 1}
    tensors = {}
    for name, w in weights.items():
        stem, kind = name.rsplit(".", 1)
        tensors[f"{ggml_name(stem)}.{kind}"] = w
    write(path, values, tensors)
