"""Times the universal basis of float32 rows: the top K eigenvectors of the centred rows' Gram matrix."""
import argparse
import statistics

import numpy
import torch

from common import report, timed

parser = argparse.ArgumentParser(description=__doc__)
for name in ("count", "width", "k"):
    parser.add_argument(name, type=int)
parser.add_argument("--rows", metavar="FILE", help="count x width numbers; default: noise")
options = parser.parse_args()

if options.rows:
    rows = torch.from_numpy(numpy.fromfile(options.rows, numpy.float32).reshape(options.count, options.width))
else:
    rows = torch.randn(options.count, options.width)


def basis(gram):
    centred = rows - rows.mean(0)
    return torch.linalg.eigh(gram(centred))[1][:, -options.k:].t().flip(0).contiguous()  # [K, d]


# Two ways to the Gram matrix [d, d]: PyTorch takes a general product, numpy one that sums a triangle only. The faster
# one counts.
grams = (lambda c: c.t() @ c, lambda c: torch.from_numpy(c.numpy().T @ c.numpy()))
seconds = min((timed(lambda: basis(gram), warmup=1, least=3) for gram in grams), key=statistics.median)

centred = rows.double() - rows.double().mean(0)
scores = centred @ basis(grams[0]).double().t()  # [N, K]
report(seconds, captured=(scores.square().sum() / centred.square().sum()).item())
