"""Other forms of a weight W [out, in] = W₀ + …, their factors trained (forms.*).

Each form returns W and a function from dW to {factor: gradient}; f holds the factors of one matrix,
A [r, in], B [out, r], R [r, r], b [out], d [r], m [out], mask (flat positions in [out, in]), values.
"""
import numpy as np

import adamw

FACTORS = ("A", "B", "R", "b", "d", "m", "mask", "values")
RANK = 3
SCALE = 2.0  # alpha/r
LR = 0.01


def lora(w0, f):
    """W = W₀ + scale·B·A (Hu et al. 2021)."""
    def backward(dw):
        return {"A": SCALE * f["B"].T @ dw, "B": SCALE * dw @ f["A"].T}

    return w0 + SCALE * f["B"] @ f["A"], backward


def lora_fa(w0, f):
    """The same with A frozen (Zhang et al. 2023)."""
    w, backward = lora(w0, f)
    return w, lambda dw: {"B": backward(dw)["B"]}


def core(w0, f):
    """W = W₀ + B·R·A, R trained (LoRA-XS, Bałazy et al. 2024)."""
    return w0 + f["B"] @ f["R"] @ f["A"], lambda dw: {"R": f["B"].T @ dw @ f["A"].T}


def vera(w0, f):
    """W = W₀ + diag(b)·B·diag(d)·A, b and d trained (Kopiczko et al. 2023)."""
    product = f["B"] * f["d"] @ f["A"]

    def backward(dw):
        return {"b": (dw * product).sum(1), "d": (f["B"] * (f["b"][:, None] * dw @ f["A"].T)).sum(0)}

    return w0 + f["b"][:, None] * product, backward


def sparse(w0, f):
    """W = W₀ with the values added at the positions of the mask."""
    w = w0.astype(f["values"].dtype)
    w.flat[f["mask"]] += f["values"]
    return w, lambda dw: {"values": dw.flat[f["mask"]]}


def dora(w0, f):
    """W = m ⊙ V/‖V‖ by rows, V = W₀ + scale·B·A, ‖V‖ a constant on the way back (Liu et al. 2024)."""
    v, backward_v = lora(w0, f)
    direction = v / np.linalg.norm(v.real, axis=1, keepdims=True)
    ratio = f["m"] / np.linalg.norm(v.real, axis=1)

    def backward(dw):
        return backward_v(ratio[:, None] * dw) | {"m": (dw * direction).sum(1)}

    return f["m"][:, None] * direction, backward


FORMS = {"lora": lora, "lora_fa": lora_fa, "core": core, "vera": vera, "sparse": sparse, "dora": dora}
TRAINED = {"lora": ["A", "B"], "lora_fa": ["B"], "core": ["R"], "vera": ["b", "d"], "sparse": ["values"],
           "dora": ["A", "B", "m"]}


def formed(model, form, name, factors):
    """W of one matrix and its backward function, from factors {"factor.weight": array}."""
    return FORMS[form](model.weights[name], {factor: factors[f"{factor}.{name}"] for factor in FACTORS})


def form_loss(model, batch, form, factors):
    """loss(trained) with the trained factors {"factor.weight": array}; the others come from `factors`."""
    def loss(trained):
        current = factors | trained
        made = {name: formed(model, form, name, current) for name in model.matrices}
        value, backward = model.loss(model.weights | {name: w for name, (w, _) in made.items()}, batch)

        def factor_grads():
            grads = backward()
            return {f"{factor}.{name}": grad for name, (_, back) in made.items()
                    for factor, grad in back(grads[name]).items()}

        return value, factor_grads

    return loss


def trained_factors(model, form, factors):
    """What a form trains, {"factor.weight": array}."""
    return {f"{factor}.{name}": factors[f"{factor}.{name}"] for name in model.matrices for factor in TRAINED[form]}


def reference(model, batch, factors):
    """The tensors of forms.safetensors and the figures of forms.json."""
    tensors, losses = dict(factors), {}
    first = next(iter(model.matrices))
    for form in FORMS:
        loss, trained = form_loss(model, batch, form, factors), trained_factors(model, form, factors)
        _, backward = loss(trained)
        tensors |= {f"grad.{form}.{name}": grad for name, grad in backward().items()}
        tensors[f"merged.{form}.{first}"] = formed(model, form, first, factors)[0]
        losses[form] = adamw.curve(loss, trained, LR)
    figures = {"r": RANK, "scale": SCALE, "lr": LR, "weight_decay": adamw.WEIGHT_DECAY, "betas": adamw.BETAS,
               "eps": adamw.EPS, "losses": losses}
    return tensors, figures
