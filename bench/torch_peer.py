"""PyTorch's side of one matrix product or one basis; common.py of the peers, found through PYTHONPATH, sets it up.

  torch_peer.py gemm LAYOUT M N K         median GFLOP/s of torch.mm as a linear layer uses it
  torch_peer.py basis FILE ROWS WIDTH K   median seconds of centre + Gram + eigh on float32 rows, and variance captured
"""
import sys
import time

from common import emit, stats, torch
import numpy


def seconds_of(call, budget, least):
    """Seconds of single calls, warm: at least `least` of them and at most 400, for `budget` seconds."""
    seconds, end = [], time.perf_counter() + budget
    while len(seconds) < least or (time.perf_counter() < end and len(seconds) < 400):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return seconds


def gemm(layout, m, n, k):
    x, w, dy = torch.randn(m, k), torch.randn(n, k), torch.randn(m, n)
    y, dx, dw = torch.empty(m, n), torch.empty(m, k), torch.empty(n, k)
    call = {"nt": lambda: torch.mm(x, w.t(), out=y),
            "nn": lambda: torch.mm(dy, w, out=dx),
            "tn": lambda: torch.mm(dy.t(), x, out=dw)}[layout]
    for _ in range(5):
        call()
    return {"GFLOP/s": stats([2e-9 * m * n * k / s for s in seconds_of(call, 0.7, 15)])}


def basis(path, rows, width, k):
    a = torch.from_numpy(numpy.fromfile(path, numpy.float32).reshape(rows, width))

    def top_vectors(gram):
        centred = a - a.mean(0)
        return torch.linalg.eigh(gram(centred))[1][:, -k:].t().flip(0).contiguous()

    # Of the two ways to the Gram matrix, sgemm through torch and ssyrk through numpy, the faster one counts.
    grams = (lambda c: c.t() @ c, lambda c: torch.from_numpy(c.numpy().T @ c.numpy()))
    vectors = [top_vectors(gram) for gram in grams][0].double()
    seconds = min((stats(seconds_of(lambda: top_vectors(gram), 0, 3), 6) for gram in grams), key=lambda s: s["median"])
    centred = a.double() - a.double().mean(0)
    captured = ((centred @ vectors.t()).pow(2).sum() / centred.pow(2).sum()).item()
    return {"seconds": seconds, "captured": captured}


if sys.argv[1] == "gemm":
    emit(gemm(sys.argv[2], *map(int, sys.argv[3:])))
else:
    emit(basis(sys.argv[2], *map(int, sys.argv[3:])))
