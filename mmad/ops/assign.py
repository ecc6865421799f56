"""Which step answers for which action.

Every class of every video is a row of its own, so at one moment a short nod and a long crossing of the legs both have
their step, their label and their own boundary pair, and no action has to win its step from another class. Nothing here
knows of losses.
"""

import torch
from torch import Tensor


def assign(segments: Tensor, rows: Tensor, mask: Tensor, centre: float) -> tuple[Tensor, Tensor, Tensor]:
    """The steps that answer for each action, and the steps that lie within it.

    segments: (M, 2) steps. rows: (M,) the row that each stands in. mask: (N, T) True where a step of a row is real.
    M = 0 is legal. Returns action (Q,) and step (Q,), pairs of which every action has at least one; inside (N, T).

    A step answers if it lies within the action and within `centre` lengths of its middle; an action too short, or too
    far beyond the last step, for any gets the real step nearest to its middle.
    """
    at = torch.arange(mask.shape[1], device=mask.device)
    live = mask[rows]  # (M, T)
    middle, half = segments.mean(dim=1, keepdim=True), (segments[:, 1:] - segments[:, :1]) / 2  # (M, 1)
    away = (at - middle).abs()
    within = live & (away <= half)
    answers = within & (away <= 2 * half * centre)
    nearest = away.masked_fill(~live, torch.inf).argmin(dim=1)
    lonely = ~answers.any(dim=1)
    answers[lonely, nearest[lonely]] = True
    inside = torch.zeros_like(mask)
    action, step = within.nonzero(as_tuple=True)
    inside[rows[action], step] = True
    return *answers.nonzero(as_tuple=True), inside
