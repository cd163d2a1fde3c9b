"""Times a LoRA step of the photonic model: the factors A [r, in] and B [out, r] of the blocks' matrices are all that
trains, and the matrices lie as Hugging Face's Conv1D has them, [in, out].

    peft    as PEFT computes it:  y = x·W₀ᵀ + b,  then y + ((x·Aᵀ)·Bᵀ)·scale
    fused   the same in fewer passes over memory: the scale and both sums are part of the products
"""
import argparse

import torch

from common import random_batch, time_steps
from gpt import Gpt
from weights import Weights


class LowRank(Weights):
    """The matrices with factors beside them. A is random and B zero, as PEFT starts."""

    def __init__(self, rows, inputs, style, rank, scale):
        super().__init__({name: w if name in inputs else w.t().contiguous().t() for name, w in rows.items()}, inputs)
        self.style, self.scale = style, scale
        self.a, self.b = {}, {}
        for name, w in rows.items():
            into, out = w.shape if name in inputs else w.shape[::-1]
            self.a[name] = (torch.rand(rank, into) * 2 - 1) / into**0.5
            self.b[name] = torch.zeros(out, rank)

    def apply(self, x, name, bias=None):
        y = super().apply(x, name, bias)
        narrow, wide = x @ self.a[name].t(), self.b[name].t()  # [N, r], [r, out]
        if self.style == "peft":
            return y + narrow @ wide * self.scale
        return torch.addmm(y, narrow, wide, alpha=self.scale)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("style", choices=("peft", "fused"))
for name in ("rank", "vocabulary", "batch", "length"):
    parser.add_argument(name, type=int)
parser.add_argument("--steps", type=int, help="default: 20, or 10 where a sequence has more than 128 tokens")
options = parser.parse_args()

model = Gpt(options.vocabulary)
model.weights = LowRank(model.weights.rows, model.weights.inputs, options.style, options.rank, scale=2.0)
params = [*model.weights.a.values(), *model.weights.b.values()]
batches = [random_batch(options.vocabulary, options.batch, options.length) for _ in range(4)]
steps = options.steps or (20 if options.length <= 128 else 10)
time_steps(model, params, batches, steps, warmup=4, lr=1e-3, weight_decay=0)
