"""The photonic model: GPT-2 with d = 256, 8 layers of 8 heads and a context of 512, the embedding also its head."""
import math

import torch
import torch.nn.functional as F

from common import causal_mask
from weights import Weights

WIDTH, LAYERS, HEADS, CONTEXT = 256, 8, 8, 512
HEAD = WIDTH // HEADS
ROWS = {"qkv": 3 * WIDTH, "out": WIDTH, "up": 4 * WIDTH, "down": 4 * WIDTH}  # rows of WIDTH numbers; "down": inputs


class Gpt:
    def __init__(self, vocabulary):
        torch.manual_seed(1)
        deviation = {"out": 0.02 / math.sqrt(2 * LAYERS), "down": 0.02 / math.sqrt(2 * LAYERS)}
        self.embedding = 0.02 * torch.randn(vocabulary, WIDTH)
        self.positions = 0.02 * torch.randn(CONTEXT, WIDTH)
        rows, self.vectors = {}, {}
        for i in range(LAYERS):
            for kind, n in ROWS.items():
                rows[f"{i}.{kind}"] = deviation.get(kind, 0.02) * torch.randn(n, WIDTH)
                self.vectors[f"{i}.{kind}"] = torch.zeros(WIDTH if kind == "down" else n)  # its bias
        for norm in [f"{i}.norm{half}" for i in range(LAYERS) for half in (1, 2)] + ["norm"]:
            self.vectors[norm + ".gain"], self.vectors[norm + ".bias"] = torch.ones(WIDTH), torch.zeros(WIDTH)
        self.mask = causal_mask(CONTEXT)
        self.weights = Weights(rows, inputs={f"{i}.down" for i in range(LAYERS)})

    def params(self):
        return [self.embedding, self.positions, *self.weights.rows.values(), *self.vectors.values()]

    def linear(self, x, name):
        return self.weights.apply(x, name, self.vectors[name])

    def norm(self, x, name):
        return F.layer_norm(x, (WIDTH,), self.vectors[name + ".gain"], self.vectors[name + ".bias"])

    def loss(self, inputs, targets):  # both [B, T]
        B, T = inputs.shape
        x = (F.embedding(inputs, self.embedding) + self.positions[:T]).view(B * T, WIDTH)
        for i in range(LAYERS):
            qkv = self.linear(self.norm(x, f"{i}.norm1"), f"{i}.qkv").view(B, T, 3, HEADS, HEAD)
            q, k, v = qkv.permute(2, 0, 3, 1, 4).reshape(3, B * HEADS, T, HEAD)
            logits = torch.baddbmm(self.mask[:T, :T], q, k.transpose(1, 2), alpha=HEAD**-0.5)  # [B·heads, T, T]
            heads = torch.bmm(F.softmax(logits, -1), v).view(B, HEADS, T, HEAD)
            x = x + self.linear(heads.transpose(1, 2).reshape(B * T, WIDTH), f"{i}.out")
            up = F.gelu(self.linear(self.norm(x, f"{i}.norm2"), f"{i}.up"), approximate="tanh")
            x = x + self.linear(up, f"{i}.down")
        return F.cross_entropy(self.norm(x, "norm") @ self.embedding.t(), targets.view(-1))
