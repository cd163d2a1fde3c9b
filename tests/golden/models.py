"""GPT-2 and Llama in float64: logits, loss, and the gradients of all weights by a backward pass written by hand."""
import json
import re

import numpy as np

import layers
import safetensors_file


class Network:
    """Layers called by the names of their weights; on the way back, the gradients of the weights are summed here."""

    def __init__(self, weights):
        self.weights = weights
        self.grads = {name: np.zeros(w.shape) for name, w in weights.items()}

    def embedding(self, ids, name):
        y, back = layers.embedding(ids, self.weights[name + ".weight"])

        def backward(dy):
            self.grads[name + ".weight"] += back(dy)

        return y, backward

    def linear(self, x, name):
        y, back = layers.linear(x, self.weights[name + ".weight"], self.weights.get(name + ".bias", 0))

        def backward(dy):
            dx, dw, db = back(dy)
            self.grads[name + ".weight"] += dw
            if name + ".bias" in self.grads:
                self.grads[name + ".bias"] += db
            return dx

        return y, backward

    def layer_norm(self, x, name, eps):
        y, back = layers.layer_norm(x, self.weights[name + ".weight"], self.weights[name + ".bias"], eps)

        def backward(dy):
            dx, dweight, dbias = back(dy)
            self.grads[name + ".weight"] += dweight
            self.grads[name + ".bias"] += dbias
            return dx

        return y, backward

    def rms_norm(self, x, name, eps):
        y, back = layers.rms_norm(x, self.weights[name + ".weight"], eps)

        def backward(dy):
            dx, dweight = back(dy)
            self.grads[name + ".weight"] += dweight
            return dx

        return y, backward


def gpt2_block(net, x, block, config):
    """x + attention(norm(x)), then the same with the MLP (Radford et al. 2019); x [B, T, d]."""
    heads, eps = config["n_head"], config["layer_norm_epsilon"]
    n, back_ln_1 = net.layer_norm(x, block + "ln_1", eps)
    qkv, back_c_attn = net.linear(n, block + "attn.c_attn")
    q, k, v = (layers.split_heads(part, heads) for part in np.split(qkv, 3, -1))
    a, back_attention = layers.causal_attention(q, k, v)
    y, back_c_proj = net.linear(layers.merge_heads(a), block + "attn.c_proj")
    middle = x + y
    n, back_ln_2 = net.layer_norm(middle, block + "ln_2", eps)
    h, back_c_fc = net.linear(n, block + "mlp.c_fc")
    g, back_gelu = layers.gelu(h)
    y, back_mlp_c_proj = net.linear(g, block + "mlp.c_proj")

    def backward(dy):
        dmiddle = dy + back_ln_2(back_c_fc(back_gelu(back_mlp_c_proj(dy))))
        da = layers.split_heads(back_c_proj(dmiddle), heads)
        dqkv = np.concatenate([layers.merge_heads(part) for part in back_attention(da)], -1)
        return dmiddle + back_ln_1(back_c_attn(dqkv))

    return middle + y, backward


def gpt2(net, ids, config):
    """Logits [B, T, V] of ids [B, T], and a function that takes their gradient to the weights of `net`."""
    tokens, back_wte = net.embedding(ids, "wte")
    positions, back_wpe = net.embedding(np.broadcast_to(np.arange(ids.shape[1]), ids.shape), "wpe")
    x, blocks = tokens + positions, []
    for layer in range(config["n_layer"]):
        x, back = gpt2_block(net, x, f"h.{layer}.", config)
        blocks.append(back)
    n, back_ln_f = net.layer_norm(x, "ln_f", config["layer_norm_epsilon"])
    logits, back_head = net.linear(n, "wte")

    def backward(dlogits):
        dx = back_ln_f(back_head(dlogits))
        for back in reversed(blocks):
            dx = back(dx)
        back_wte(dx)
        back_wpe(dx)

    return logits, backward


def llama_block(net, x, block, config):
    """x + attention(norm(x)), then the same with the MLP (Touvron et al. 2023); x [B, T, d]."""
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    eps, theta = config["rms_norm_eps"], config["rope_theta"]
    n, back_norm = net.rms_norm(x, block + "input_layernorm", eps)
    q, back_q = net.linear(n, block + "self_attn.q_proj")
    k, back_k = net.linear(n, block + "self_attn.k_proj")
    v, back_v = net.linear(n, block + "self_attn.v_proj")
    q, back_rope_q = layers.rope(layers.split_heads(q, heads), theta)
    k, back_rope_k = layers.rope(layers.split_heads(k, kv_heads), theta)
    a, back_attention = layers.causal_attention(q, k, layers.split_heads(v, kv_heads))
    y, back_o = net.linear(layers.merge_heads(a), block + "self_attn.o_proj")
    middle = x + y
    n, back_mlp_norm = net.rms_norm(middle, block + "post_attention_layernorm", eps)
    gate, back_gate = net.linear(n, block + "mlp.gate_proj")
    up, back_up = net.linear(n, block + "mlp.up_proj")
    h, back_swiglu = layers.swiglu(gate, up)
    y, back_down = net.linear(h, block + "mlp.down_proj")

    def backward(dy):
        dgate, dup = back_swiglu(back_down(dy))
        dmiddle = dy + back_mlp_norm(back_gate(dgate) + back_up(dup))
        dq, dk, dv = back_attention(layers.split_heads(back_o(dmiddle), heads))
        dq, dk, dv = (layers.merge_heads(part) for part in (back_rope_q(dq), back_rope_k(dk), dv))
        return dmiddle + back_norm(back_q(dq) + back_k(dk) + back_v(dv))

    return middle + y, backward


def llama(net, ids, config):
    """Logits [B, T, V] of ids [B, T], and a function that takes their gradient to the weights of `net`."""
    x, back_embedding = net.embedding(ids, "model.embed_tokens")
    blocks = []
    for layer in range(config["num_hidden_layers"]):
        x, back = llama_block(net, x, f"model.layers.{layer}.", config)
        blocks.append(back)
    n, back_norm = net.rms_norm(x, "model.norm", config["rms_norm_eps"])
    logits, back_head = net.linear(n, "model.embed_tokens" if config["tie_word_embeddings"] else "lm_head")

    def backward(dlogits):
        dx = back_norm(back_head(dlogits))
        for back in reversed(blocks):
            dx = back(dx)
        back_embedding(dx)

    return logits, backward


class Model:
    """A model directory. Linear weights are [out, in] here, and as Hugging Face stores them only in `stored`."""

    def __init__(self, directory):
        self.config = json.loads((directory / "config.json").read_text())
        self.is_gpt2 = self.config["model_type"] == "gpt2"
        stored = safetensors_file.read(directory / "model.safetensors")
        weights = {name.removeprefix("transformer."): w for name, w in stored.items()}  # GPT-2 has both kinds of names
        # The matrices of attention and MLP, all that is two-dimensional in a block: {name: layer}.
        self.matrices = {name: int(re.search(r"\d+", name)[0])
                         for name, w in weights.items() if w.ndim == 2 and re.search(r"\.\d+\.", name)}
        self.weights = {name: self.stored(name, w.astype(np.float64)) for name, w in weights.items()}
        self.embedding = self.weights["wte.weight" if self.is_gpt2 else "model.embed_tokens.weight"]  # [V, d]
        self.width = self.embedding.shape[1]

    def stored(self, name, w):
        """[out, in] as stored, or back: GPT-2 stores the matrices of its blocks as [in, out]."""
        return w.T if self.is_gpt2 and name in self.matrices else w

    def logits(self, weights, ids):
        """Logits [B, T, V], and a function from their gradient to {name: gradient} of all weights."""
        net = Network(weights)
        logits, back = (gpt2 if self.is_gpt2 else llama)(net, ids, self.config)

        def backward(dlogits):
            back(dlogits)
            return net.grads

        return logits, backward

    def loss(self, weights, batch):
        """The mean cross-entropy on a batch (ids, targets), and a function that gives {name: gradient}."""
        ids, targets = batch
        logits, back_logits = self.logits(weights, ids)
        loss, back_loss = layers.cross_entropy(logits, targets)
        return loss, lambda: back_logits(back_loss())
