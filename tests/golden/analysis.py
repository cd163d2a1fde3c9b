"""The spectral figures of a model's block matrices (analysis.json).

R_m [n, d] are the rows of matrix m, R all rows stacked, μ their mean row, B [K, d] the basis, S_m = (R_m − μ)·Bᵀ, and
λ(X) the eigenvalues of XᵀX after the column means of X are subtracted, descending.
"""
import numpy as np

from method import all_rows, eigen, participation_ratio, r_squared, stacked_rows


def centred_eigen(x):
    """λ(x), and the principal components of x as rows."""
    return eigen(x - x.mean(0))


def n95(eigenvalues):
    """The least m with Σ_{i≤m} λ_i ≥ 0.95·Σλ."""
    return int((eigenvalues.cumsum() < 0.95 * eigenvalues.sum()).sum()) + 1


def pr_null(n, d):
    """What n rows of d independent Gaussian numbers give for PR, as a ratio of expectations."""
    return (n - 1) * d / ((n - 1) + d + 1)


def weight_pr(x):
    """PR of λ(x)."""
    return participation_ratio(centred_eigen(x)[0])


def amplitude_figures(s):
    """PR, share of the first component and n_95 of scores s [n, K]."""
    eigenvalues, _ = centred_eigen(s)
    return {"amplitude_pr": participation_ratio(eigenvalues), "pc1": eigenvalues[0] / eigenvalues.sum(),
            "n95": n95(eigenvalues)}


def max_correlation(s):
    """The largest absolute Pearson correlation of two columns of s [n, K]."""
    correlations = np.corrcoef(s.T)
    return np.abs(correlations[~np.eye(len(correlations), dtype=bool)]).max()


def excess_kurtosis(s):
    """m₄/m₂² − 3 of all entries about their mean."""
    x = s - s.mean()
    return (x ** 4).mean() / (x ** 2).mean() ** 2 - 3


def mean_max_cosine(vectors, others):
    """The mean over the unit rows of `vectors` of the largest |cosine| with a row of `others`."""
    return np.abs(vectors @ others.T).max(1).mean()


def matrix_figures(x, mean, basis, embedding_basis):
    """The figures of one matrix with rows x [n, d]."""
    s = (x - mean) @ basis.T
    _, components = centred_eigen(s)
    return {"n": len(x), "weight_pr": weight_pr(x), "weight_pr_null": pr_null(*x.shape),
            "r2": r_squared(x - mean, basis), **amplitude_figures(s), "max_corr": max_correlation(s),
            "kurtosis": excess_kurtosis(s), "mean_max_cosine": mean_max_cosine(components @ basis, embedding_basis)}


def layer_figures(model, layer):
    """The mean PR of the matrices of one layer, and that of their rows stacked."""
    matrices = [x for name, x in all_rows(model).items() if model.matrices[name] == layer]
    return {"layer": layer, "pr_mean": np.mean([weight_pr(x) for x in matrices]),
            "pr_stacked": weight_pr(np.concatenate(matrices))}


def reference(model, lapack_signs):
    """The figures of analysis.json; of them, the kurtosis alone depends on the signs of the basis."""
    matrices, stacked, d = all_rows(model), stacked_rows(model), model.width
    mean = stacked.mean(0)
    eigenvalues, vectors = eigen(stacked - mean, lapack_signs)
    _, embedding_vectors = eigen(model.embedding)

    def figures(k):
        basis, embedding_basis = vectors[:k], embedding_vectors[:k]
        return {"r2": r_squared(stacked - mean, basis),
                "variance_captured": eigenvalues[:k].sum() / eigenvalues.sum(), "random_level": k / d,
                **amplitude_figures((stacked - mean) @ basis.T), "scores": len(stacked) * k,
                "subspace_overlap": ((basis @ embedding_basis.T) ** 2).sum() / k,
                "mean_max_cosine": mean_max_cosine(basis, embedding_basis),
                "matrices": {name: matrix_figures(x, mean, basis, embedding_basis) for name, x in matrices.items()}}

    return {"rows": len(stacked), "width": d, "weight_pr": participation_ratio(eigenvalues),
            "weight_pr_null": pr_null(*stacked.shape), "n95_weights": n95(eigenvalues),
            "layers": [layer_figures(model, layer) for layer in sorted(set(model.matrices.values()))],
            "by_k": {str(k): figures(k) for k in (2, 4, 8, d // 4, d // 2)}}
