"""The matrices of a model, plain or in amplitude form.

Every matrix is kept as rows of d numbers, [n, d], which is how a universal basis sees it. Rows that are outputs make
y = x·Wᵀ, rows that are inputs y = x·W. In amplitude form

    W = S·B + 1·μᵀ          S: scores [n, K], trained   B: universal basis [K, d]   μ: mean row [d]

which PyTorch can be told in several styles:

    seed      the papers': W is copied into a parameter before the step; backward goes to dW, then dS = dW·Bᵀ by hand
    autograd  W is built within the graph, so that PyTorch goes on from dW to dS by itself
    factored  W is never built: with S' = (S | 1) and B' = (B; μ),  y = (x·B'ᵀ)·S'ᵀ  or  y = (x·S')·B'
    exact     W = W₀ + ΔS·B with ΔS = 0 at first, never built either:  y = x·W₀ᵀ + (x·Bᵀ)·ΔSᵀ
"""
import torch

STYLES = ("seed", "autograd", "factored", "exact")


class Weights:
    """Plain matrices: `rows` maps names to [n, d]; those named in `inputs` have rows that are inputs."""

    def __init__(self, rows, inputs):
        self.rows, self.inputs = rows, inputs

    def apply(self, x, name, bias=None):
        """y [N, n] or, where rows are inputs, [N, d]."""
        w = self.rows[name] if name in self.inputs else self.rows[name].t()
        return x @ w if bias is None else torch.addmm(bias, x, w)

    def before_step(self):
        pass

    def after_backward(self):
        pass


class Amplitudes(Weights):
    """The matrices `names` in amplitude form, the others plain. The basis is of every `stride`-th row of `names`."""

    def __init__(self, rows, inputs, names, style, k, stride=1):
        super().__init__(rows, inputs)
        self.style, self.read = style, None
        sample = torch.cat([rows[name][::stride] for name in names])  # [N, d]
        self.mean = sample.mean(0)
        sample -= self.mean
        self.basis = torch.linalg.eigh(sample.t() @ sample)[1][:, -k:].t().contiguous()  # [K, d]
        self.basis_t = self.basis.t().contiguous()
        self.scores = {name: (rows[name] - self.mean) @ self.basis_t for name in names}
        if style == "factored":
            self.basis = torch.cat((self.basis, self.mean[None]))  # B' [K + 1, d]
            self.basis_t = self.basis.t().contiguous()
        for name, scores in self.scores.items():
            if style == "seed":
                rows[name].requires_grad_()
            if style == "factored":
                del rows[name]
            if style == "exact":
                scores.zero_()

    def before_step(self):
        if self.style == "autograd":
            for name, scores in self.scores.items():
                self.rows[name] = torch.addmm(self.mean, scores, self.basis)
        if self.style == "seed":
            with torch.no_grad():
                for name, scores in self.scores.items():
                    self.rows[name].copy_(torch.addmm(self.mean, scores, self.basis))

    def after_backward(self):
        if self.style == "seed":
            for name, scores in self.scores.items():
                scores.grad = self.rows[name].grad @ self.basis_t
                self.rows[name].grad = None

    def apply(self, x, name, bias=None):
        if name not in self.scores or self.style in ("seed", "autograd"):
            return super().apply(x, name, bias)
        scores = self.scores[name]
        if self.style == "factored":
            scores = torch.cat((scores, torch.ones(len(scores), 1)), 1)  # S' [n, K + 1]
        if name in self.inputs:
            narrow, wide = x @ scores, self.basis  # [N, K], [K, d]
        else:
            narrow, wide = self.project(x), scores.t()  # [N, K], [K, n]
        start = super().apply(x, name, bias) if self.style == "exact" else bias
        return narrow @ wide if start is None else torch.addmm(start, narrow, wide)

    def project(self, x):
        """P = x·Bᵀ [N, K]; matrices that read the same x share it."""
        if x is not self.read:
            self.read, self.projected = x, x @ self.basis_t
        return self.projected
