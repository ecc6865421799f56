"""Ridge regression from sums over the data: X^T X and X^T Y are all that is needed of it."""

import torch
from torch import Tensor


def solve_ridge(gram: Tensor, moment: Tensor, strength: float | Tensor) -> Tensor:
    """The W that minimises |X W - Y|^2 + strength |W|^2 from X^T X (..., D, D) and X^T Y (..., D, O): (..., D, O).

    strength: one number, or (D,) of each feature, whose own squared weights it multiplies.
    """
    penalty = strength * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    factor, failed = torch.linalg.cholesky_ex(gram + penalty)
    if failed.any():  # few steps: rounding left an eigenvalue slightly below zero
        if isinstance(strength, Tensor):  # the same as a penalty of 1 on features divided by its root
            root = strength.sqrt()[:, None]
            return solve_ridge(gram / root / root[:, 0], moment / root, 1.0) / root
        values, basis = torch.linalg.eigh(gram)
        return basis @ (basis.mT @ moment / (values.clamp(min=0) + strength).unsqueeze(-1))
    return torch.cholesky_solve(moment, factor)


def held_out_correlations(weight: Tensor, held_gram: Tensor, held_moment: Tensor) -> Tensor:
    """Correlation of the predictions of W (D, O) with targets on held-out data, per output: (O,).

    held_gram (D, D), held_moment (D, O): sums over the held-out data, centred. Not divided by the standard deviation of
    the targets, which no strength changes.
    """
    deviation = ((held_gram @ weight) * weight).sum(dim=0).clamp(min=1e-12).sqrt()
    return (weight * held_moment).sum(dim=0) / deviation
