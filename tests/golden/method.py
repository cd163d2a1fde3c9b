"""The method: one basis for all matrices, scores on it, and training of scores or of all weights (golden.*)."""
import numpy as np

import adamw

K = 4
LR, FULL_LR = 0.01, 0.001


def rows(model, name, w):
    """The rows of width d of w [out, in], or back: as it is where in = d, else its transpose."""
    return w if model.weights[name].shape[1] == model.width else w.T


def all_rows(model):
    """{name: rows [n, d]} of the block matrices."""
    return {name: rows(model, name, model.weights[name]) for name in model.matrices}


def stacked_rows(model):
    """The rows of all block matrices, [N, d]."""
    return np.concatenate(list(all_rows(model).values()))


def eigen(x, lapack_signs=False):
    """Eigenvalues of xᵀx, descending, and its eigenvectors as rows, the entry of largest magnitude of each positive."""
    values, vectors = np.linalg.eigh(x.T @ x)
    values, vectors = values[::-1], vectors.T[::-1]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(1)[:, None], 1)
    return values, vectors if lapack_signs else vectors * np.sign(largest)


def participation_ratio(eigenvalues):
    """PR = (Σλ)²/Σλ²."""
    return eigenvalues.sum() ** 2 / (eigenvalues ** 2).sum()


def r_squared(x, basis):
    """1 − ‖x − x·Bᵀ·B‖²/‖x‖², x [n, d] about the mean row of all."""
    return 1 - ((x - x @ basis.T @ basis) ** 2).sum() / (x ** 2).sum()


def decompose(model):
    """The mean row μ, the eigenvalues of the rows about it, the basis B [K, d], and scores (W − μ)·Bᵀ by name."""
    mean = stacked_rows(model).mean(0)
    eigenvalues, vectors = eigen(stacked_rows(model) - mean)
    basis = vectors[:K]
    return mean, eigenvalues, basis, {name: (x - mean) @ basis.T for name, x in all_rows(model).items()}


def score_loss(model, batch, start, basis, mean):
    """loss(scores) for W = S·B + μ (start "reconstructed") or W = W₀ + S·B (start "exact")."""
    def loss(scores):
        weights = dict(model.weights)
        for name, s in scores.items():
            w0 = mean if start == "reconstructed" else rows(model, name, model.weights[name])
            weights[name] = rows(model, name, s @ basis + w0)
        value, backward = model.loss(weights, batch)

        def score_grads():  # dS = dW·Bᵀ
            grads = backward()
            return {name: rows(model, name, grads[name]) @ basis.T for name in scores}

        return value, score_grads

    return loss


def reference(model, batch):
    """The tensors of golden.safetensors and the figures of golden.json."""
    mean, eigenvalues, basis, scores = decompose(model)
    starts = {"reconstructed": scores, "exact": {name: np.zeros(s.shape) for name, s in scores.items()}}
    losses = {start: score_loss(model, batch, start, basis, mean) for start in starts}

    def full_loss(weights):
        return model.loss(weights, batch)

    loss, backward = full_loss(model.weights)
    tensors = {"input_ids": batch[0], "targets": batch[1], "logits": model.logits(model.weights, batch[0])[0]}
    tensors |= {f"grad.{name}": model.stored(name, grad) for name, grad in backward().items()}
    tensors |= {"basis": basis, "mean": mean, "eigenvalues": eigenvalues}
    tensors |= {f"scores.{name}": s for name, s in scores.items()}
    for start in starts:
        _, backward = losses[start](starts[start])
        tensors |= {f"score_grad.{start}.{name}": grad for name, grad in backward().items()}

    centred = stacked_rows(model) - mean
    figures = {"K": K, "loss": loss, "rows": len(centred), "width": model.width,
               "variance_captured": eigenvalues[:K].sum() / eigenvalues.sum(), "r2": r_squared(centred, basis),
               "participation_ratio": participation_ratio(eigenvalues), "lr": LR,
               "weight_decay": adamw.WEIGHT_DECAY, "betas": adamw.BETAS, "eps": adamw.EPS, "full_lr": FULL_LR,
               "mask_prefix": 0, "weights": list(model.matrices)}
    for start in starts:
        figures[f"losses_{start}"] = adamw.curve(losses[start], starts[start], LR)
    figures["losses_full"] = adamw.curve(full_loss, model.weights, FULL_LR)
    return tensors, figures
