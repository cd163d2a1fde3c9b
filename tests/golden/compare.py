"""Comparison of results, number by number, with those of another folder."""
import json

import numpy as np

import safetensors_file

BOUND = 1e-12


def leaves(value, path=""):
    """The leaves of a JSON value, {path: number, text or list}; a list of numbers is one leaf."""
    if isinstance(value, list) and isinstance(value[0], dict):
        value = {str(i): v for i, v in enumerate(value)}
    if isinstance(value, dict):
        return {p: leaf for key, v in value.items() for p, leaf in leaves(v, f"{path}/{key}").items()}
    return {path.lstrip("/"): value}


def read(path):
    """The tensors of a safetensors file or the leaves of a JSON file."""
    return safetensors_file.read(path) if path.suffix == ".safetensors" else leaves(json.loads(path.read_text()))


def relative_error(name, ours, theirs):
    """‖ours − theirs‖/‖theirs‖; infinite where the shapes, or things that are not numbers, differ.

    An excess kurtosis is the difference m₄/m₂² − 3 and may be near 0: its error is relative to m₄/m₂².
    """
    a, b = np.asarray(ours), np.asarray(theirs)
    if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
        return np.inf
    if a.dtype.kind not in "fi":
        return 0.0 if (a == b).all() else np.inf
    norm = np.linalg.norm(b + 3 if name.endswith("kurtosis") else b)
    return np.linalg.norm(a - b) / (norm if norm > 0 else 1)


def errors(ours, theirs):
    """{name: relative error} of two dictionaries; infinite for a name that only one of them has."""
    ours = leaves(ours)
    return {name: relative_error(name, ours[name], theirs[name]) if name in ours and name in theirs else np.inf
            for name in ours | theirs}
