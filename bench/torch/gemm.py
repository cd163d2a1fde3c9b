"""Times torch.mm in a layout of a linear layer of N outputs, K inputs and M tokens: nt y = x·Wᵀ, nn dx = dy·W, tn
dW = dyᵀ·x, for x [M, K], W [N, K] and dy [M, N]."""
import argparse

import torch

from common import report, timed

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("layout", choices=("nt", "nn", "tn"))
for name in ("m", "n", "k"):
    parser.add_argument(name, type=int)
options = parser.parse_args()
m, n, k = options.m, options.n, options.k

x, w, dy = torch.randn(m, k), torch.randn(n, k), torch.randn(m, n)
a, b = {"nt": (x, w.t()), "nn": (dy, w), "tn": (dy.t(), x)}[options.layout]
out = torch.empty(len(a), b.shape[1])
seconds = timed(lambda: torch.mm(a, b, out=out), warmup=5, least=15, budget=0.7)
report(seconds, {"GFLOP/s": 2e-9 * m * n * k})
