"""AdamW with decoupled weight decay and bias correction (Loshchilov and Hutter 2019), and the loss curves it gives."""
import numpy as np

WEIGHT_DECAY = 0.01
BETAS = (0.9, 0.999)
EPS = 1e-8
STEPS = 10


class AdamW:
    """p ← p·(1 − lr·wd), then p ← p − lr·m̂/(√v̂ + eps), for every p of {name: p}."""

    def __init__(self, params):
        self.m = {name: np.zeros(p.shape) for name, p in params.items()}
        self.v = {name: np.zeros(p.shape) for name, p in params.items()}
        self.t = 0

    def step(self, params, grads, lr):
        self.t += 1
        for name, g in grads.items():
            self.m[name] = BETAS[0] * self.m[name] + (1 - BETAS[0]) * g
            self.v[name] = BETAS[1] * self.v[name] + (1 - BETAS[1]) * g ** 2
            mhat = self.m[name] / (1 - BETAS[0] ** self.t)
            vhat = self.v[name] / (1 - BETAS[1] ** self.t)
            params[name] = params[name] * (1 - lr * WEIGHT_DECAY) - lr * mhat / (np.sqrt(vhat) + EPS)


def curve(loss, params, lr):
    """The loss before each step and after the last; loss(params) gives it and a function to {name: gradient}."""
    params, optimizer, losses = dict(params), AdamW(params), []
    for _ in range(STEPS):
        value, backward = loss(params)
        losses.append(value)
        optimizer.step(params, backward(), lr)
    return losses + [loss(params)[0]]
