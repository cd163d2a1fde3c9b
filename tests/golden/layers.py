"""The layers of GPT-2 and Llama. Each returns its result and a function that takes the gradient of the result to the
gradients of its arguments; dx is the gradient of the loss with respect to x.

Forward, they also take complex numbers, for the complex step of self_check.py: hence the maxima of real parts.
B is the batch, T the length, H the heads, D the width of a head.
"""
import numpy as np


def linear(x, w, b):
    """y = x·Wᵀ + b; x [B, T, in], w [out, in], b [out] or 0."""
    def backward(dy):  # [B, T, out]
        return dy @ w, np.einsum("bto,bti->oi", dy, x), dy.sum((0, 1))

    return x @ w.T + b, backward


def embedding(ids, w):
    """The rows of w [V, d] at ids [B, T]."""
    def backward(dy):  # [B, T, d]
        dw = np.zeros(w.shape)
        np.add.at(dw, ids, dy)
        return dw

    return w[ids], backward


def layer_norm(x, weight, bias, eps):
    """y = x̂ ⊙ weight + bias, x̂ = (x − mean) / √(variance + eps) (Ba et al. 2016); x [B, T, d]."""
    centred = x - x.mean(-1, keepdims=True)
    scale = 1 / np.sqrt((centred ** 2).mean(-1, keepdims=True) + eps)  # [B, T, 1]
    xhat = centred * scale

    def backward(dy):
        dxhat = dy * weight
        dx = dxhat - dxhat.mean(-1, keepdims=True) - xhat * (dxhat * xhat).mean(-1, keepdims=True)
        return scale * dx, (dy * xhat).sum((0, 1)), dy.sum((0, 1))

    return xhat * weight + bias, backward


def rms_norm(x, weight, eps):
    """y = x̂ ⊙ weight, x̂ = x / √(mean of x² + eps) (Zhang and Sennrich 2019); x [B, T, d]."""
    scale = 1 / np.sqrt((x ** 2).mean(-1, keepdims=True) + eps)  # [B, T, 1]
    xhat = x * scale

    def backward(dy):
        dxhat = dy * weight
        return scale * (dxhat - xhat * (dxhat * xhat).mean(-1, keepdims=True)), (dy * xhat).sum((0, 1))

    return xhat * weight, backward


def gelu(x):
    """y = x/2 · (1 + tanh u), u = √(2/π)·(x + 0.044715·x³) (Hendrycks and Gimpel 2016, GPT-2's form)."""
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x ** 3))

    def backward(dy):
        du_dx = c * (1 + 3 * 0.044715 * x ** 2)
        return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t ** 2) * du_dx)

    return 0.5 * x * (1 + t), backward


def swiglu(gate, up):
    """y = silu(gate) ⊙ up, silu(x) = x·σ(x) (Shazeer 2020)."""
    sigmoid = 1 / (1 + np.exp(-gate))
    silu = gate * sigmoid

    def backward(dy):
        return dy * up * (sigmoid + silu * (1 - sigmoid)), dy * silu

    return silu * up, backward


def rope(x, theta):
    """Turns (x_i, x_{i+D/2}) at position t by the angle t·theta^(−2i/D) (Su et al. 2021, in halves); x [B, H, T, D]."""
    length, half = x.shape[2], x.shape[3] // 2
    angles = np.arange(length)[:, None] * theta ** (-np.arange(half) / half)  # [T, D/2]
    cos, sin = np.cos(angles), np.sin(angles)

    def turn(x, sin):
        first, second = x[..., :half], x[..., half:]
        return np.concatenate([first * cos - second * sin, second * cos + first * sin], -1)

    return turn(x, sin), lambda dy: turn(dy, -sin)


def causal_attention(q, k, v):
    """y = P·v, P = softmax(q·kᵀ/√D) over the positions so far; q [B, H, T, D], k and v [B, H/group, T, D]."""
    group, scale = q.shape[1] // k.shape[1], 1 / np.sqrt(q.shape[-1])
    k, v = k.repeat(group, 1), v.repeat(group, 1)
    s = q @ k.swapaxes(2, 3) * scale  # [B, H, T, T]
    causal = np.tri(s.shape[-1], dtype=bool)
    highest = np.where(causal, s.real, -np.inf).max(-1, keepdims=True)
    e = np.exp(np.where(causal, s - highest, 0)) * causal
    p = e / e.sum(-1, keepdims=True)

    def backward(dy):  # [B, H, T, D]
        dp = dy @ v.swapaxes(2, 3)
        ds = p * (dp - (dp * p).sum(-1, keepdims=True)) * scale
        return ds @ k, sum_groups(ds.swapaxes(2, 3) @ q), sum_groups(p.swapaxes(2, 3) @ dy)

    def sum_groups(x):
        batch, heads, *rest = x.shape
        return x.reshape(batch, heads // group, group, *rest).sum(2)

    return p @ v, backward


def split_heads(x, heads):
    """[B, T, H·D] as [B, H, T, D]."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def merge_heads(x):
    """[B, H, T, D] as [B, T, H·D]."""
    x = x.swapaxes(1, 2)
    return x.reshape(*x.shape[:2], -1)


def cross_entropy(logits, targets):
    """The mean of −log softmax(logits)[target] where the target is not −100; logits [B, T, V], targets [B, T]."""
    counted = targets != -100
    chosen = logits[counted]  # [N, V]
    at_target = np.arange(len(chosen)), targets[counted]
    shifted = chosen - chosen.real.max(-1, keepdims=True)
    total = np.exp(shifted).sum(-1, keepdims=True)  # [N, 1]
    loss = (np.log(total[:, 0]) - shifted[at_target]).mean()

    def backward():
        dchosen = np.exp(shifted) / total
        dchosen[at_target] -= 1
        dlogits = np.zeros(logits.shape)
        dlogits[counted] = dchosen / len(chosen)
        return dlogits

    return loss, backward
