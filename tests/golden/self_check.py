"""A check of every gradient by the complex step: f′(x)·v = Im f(x + ihv)/h, exact to rounding as nothing is
subtracted (Squire and Trapp 1998)."""
import numpy as np

import forms
import method

BOUND = 1e-12
STEP = 1e-30
DRAWS = 3


def worst_error(loss, params, random):
    """The largest |⟨grad, v⟩ − f′·v| / ‖grad‖ over all of {name: p} and a few Gaussian directions v for each."""
    worst = 0
    for name, grad in loss(params)[1]().items():
        for _ in range(DRAWS):
            v = random.standard_normal(grad.shape)
            value, _ = loss(params | {name: params[name] + 1j * STEP * v})
            worst = max(worst, abs((grad * v).sum() - value.imag / STEP) / np.linalg.norm(grad))
    return worst


def cases(model, batch, factors):
    """(what, loss, params) for all weights, the scores from both starts, and the factors of every form."""
    yield "weights", lambda weights: model.loss(weights, batch), model.weights
    mean, _, basis, scores = method.decompose(model)
    for start in ("reconstructed", "exact"):
        yield f"scores, {start}", method.score_loss(model, batch, start, basis, mean), scores
    for form in forms.FORMS:
        loss = forms.form_loss(model, batch, form, factors)
        yield f"factors, {form}", loss, forms.trained_factors(model, form, factors)


def check(name, model, batch, factors):
    """Prints the worst error of every case; whether all are within the bound."""
    random, passed = np.random.default_rng(0), True
    for what, loss, params in cases(model, batch, factors):
        error = worst_error(loss, params, random)
        print(f"{error:8.1e}  {name}: {what}")
        passed &= bool(error <= BOUND)
    return passed
