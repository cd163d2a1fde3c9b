"""Times a training step of a Llama with TinyLlama's shape and random float32 weights, in which the last two of 22
layers train: in style "full" their matrices and the head, in the others, which weights.py explains, the scores of those
matrices. The layers below record nothing."""
import argparse

import torch
import torch.nn.functional as F

from common import causal_mask, random_batch, time_steps
from weights import STYLES, Amplitudes, Weights

WIDTH, LAYERS, HEADS, KV_HEADS, INNER, VOCABULARY, TRAINED = 2048, 22, 32, 4, 5632, 32000, 2
HEAD, GROUP = WIDTH // HEADS, HEADS // KV_HEADS
KV_WIDTH = KV_HEADS * HEAD
ROWS = {"q": WIDTH, "k": KV_WIDTH, "v": KV_WIDTH, "o": WIDTH, "gate": INNER, "up": INNER, "down": INNER}


def rms_norm(x, gain):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * gain


class Llama:
    def __init__(self, length):
        torch.manual_seed(1)
        normal = lambda n: torch.empty(n, WIDTH).normal_(0, 0.02)
        self.embedding = normal(VOCABULARY)
        rows = {f"{i}.{kind}": normal(n) for i in range(LAYERS) for kind, n in ROWS.items()}
        rows["head"] = normal(VOCABULARY)
        self.weights = Weights(rows, inputs={f"{i}.down" for i in range(LAYERS)})
        self.gains = torch.ones(2 * LAYERS + 1, WIDTH)
        self.mask = causal_mask(length).repeat(GROUP, 1)  # [group·T, T]
        angles = torch.outer(torch.arange(length), 10000 ** (torch.arange(0, HEAD, 2) / -HEAD)).repeat(1, 2)
        self.cos, self.sin = angles.cos(), angles.sin()  # [T, head]

    def heads(self, x, name, B, T):
        """x·Wᵀ as [B, heads, T, head]."""
        return self.weights.apply(x, name).view(B, T, -1, HEAD).transpose(1, 2)

    def rotate(self, x):  # [B, heads, T, head]
        left, right = x.chunk(2, -1)
        return x * self.cos + torch.cat((-right, left), -1) * self.sin

    def attention(self, x, i, B, T):
        """[B·T, d]; the query heads that share a key head stand below each other, as one longer sequence."""
        q = self.rotate(self.heads(x, f"{i}.q", B, T)).reshape(B * KV_HEADS, GROUP * T, HEAD)
        k = self.rotate(self.heads(x, f"{i}.k", B, T)).reshape(B * KV_HEADS, T, HEAD)
        v = self.heads(x, f"{i}.v", B, T).reshape(B * KV_HEADS, T, HEAD)
        logits = torch.baddbmm(self.mask, q, k.transpose(1, 2), alpha=HEAD**-0.5)  # [B·kv, group·T, T]
        y = torch.bmm(F.softmax(logits, -1), v).view(B, HEADS, T, HEAD).transpose(1, 2).reshape(B * T, WIDTH)
        return self.weights.apply(y, f"{i}.o")

    def block(self, x, i, B, T):
        x = x + self.attention(rms_norm(x, self.gains[2 * i]), i, B, T)
        y = rms_norm(x, self.gains[2 * i + 1])
        gated = F.silu(self.weights.apply(y, f"{i}.gate")) * self.weights.apply(y, f"{i}.up")
        return x + self.weights.apply(gated, f"{i}.down")

    def loss(self, inputs, targets):  # both [B, T]
        B, T = inputs.shape
        first = LAYERS - TRAINED
        with torch.no_grad():
            x = F.embedding(inputs, self.embedding).view(B * T, WIDTH)
            for i in range(first):
                x = self.block(x, i, B, T)
        for i in range(first, LAYERS):
            x = self.block(x, i, B, T)
        return F.cross_entropy(self.weights.apply(rms_norm(x, self.gains[-1]), "head"), targets.view(-1))


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("style", choices=("full", *STYLES))
for name in ("k", "batch", "length"):
    parser.add_argument(name, type=int)
parser.add_argument("--steps", type=int, default=3)
options = parser.parse_args()

model = Llama(options.length)
rows, inputs = model.weights.rows, model.weights.inputs
names = [f"{i}.{kind}" for i in range(LAYERS - TRAINED, LAYERS) for kind in ROWS]
if options.style == "full":
    params, rate = [rows[name] for name in [*names, "head"]], 1e-5
else:
    model.weights = Amplitudes(rows, inputs, names, options.style, options.k, stride=8)
    params, rate = list(model.weights.scores.values()), 5e-4
batches = [random_batch(VOCABULARY, options.batch, options.length)]
time_steps(model, params, batches, options.steps, warmup=1, lr=rate, weight_decay=0)
