"""What all scripts here share: how they time calls, and the line that they print."""
import json
import os
import statistics
import time

import torch

SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_CORETYPE", "ATEN_CPU_CAPABILITY", "LD_PRELOAD", "MALLOC_CONF")


def timed(call, warmup, least, budget=0.0):
    """Seconds of single calls after `warmup` others: at least `least`, and more until `budget` seconds are over."""
    for _ in range(warmup):
        call()
    seconds, end = [], time.perf_counter() + budget
    while len(seconds) < least or time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return seconds


def peak_mib():
    """The largest resident memory of this process so far."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


def report(seconds, rates={}, **figures):
    """Prints a line of JSON: the median of `seconds`, the rates that follow from {name: amount a call}, and more."""
    median = statistics.median(seconds)
    print(json.dumps({"seconds": median, "fastest": min(seconds), "slowest": max(seconds), "calls": len(seconds),
                      **{name: amount / median for name, amount in rates.items()}, **figures, "peak_MiB": peak_mib(),
                      "torch": torch.__version__, "threads": torch.get_num_threads(),
                      "settings": {name: os.environ[name] for name in SETTINGS if name in os.environ}}))


def time_steps(model, params, batches, steps, warmup, **adamw):
    """Trains `params` of a model on the batches in turn; reports the time of a step: forward, loss, backward, AdamW."""
    for param in params:
        param.requires_grad_()
    optimizer = torch.optim.AdamW(params, **adamw)
    losses = []

    def step():
        inputs, targets = batches[len(losses) % len(batches)]
        model.weights.before_step()
        loss = model.loss(inputs, targets)
        loss.backward()
        model.weights.after_backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())

    seconds = timed(step, warmup, steps)
    report(seconds, {"tokens/s": batches[0][0].numel()}, first_loss=losses[0], last_loss=losses[-1],
           trained=sum(param.numel() for param in params))


def random_batch(vocabulary, batch, length):
    """Random inputs and targets, each [batch, length]; the targets are the next tokens."""
    tokens = torch.randint(vocabulary, (batch, length + 1))
    return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


def causal_mask(length):
    """[length, length]: 0 where a token may look, minus infinity at those behind it."""
    return torch.full((length, length), float("-inf")).triu(1)
