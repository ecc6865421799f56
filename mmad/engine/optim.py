"""Optimizers with their parameter groups, learning-rate schedules, scaled losses, averaged weights."""

import copy
import math
import warnings

import torch
from torch import nn

from mmad.config import TrainConfig
from mmad.errors import InputError


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW or SGD with weight decay on matrices and kernels only, not on norms, biases and other vectors.

    A model may have `slow_parameters()`, (parameters, scale): these learn at the learning rate times the scale.
    """
    slow, scale = model.slow_parameters() if hasattr(model, "slow_parameters") else ([], 1.0)
    slow = {id(parameter) for parameter in slow}
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = _groups([p for p in trained if id(p) not in slow], config)
    if slow:
        groups += [{**group, "lr_scale": scale} for group in _groups([p for p in trained if id(p) in slow], config)]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)
    return torch.optim.AdamW(groups, lr=config.lr)


def _groups(parameters: list[nn.Parameter], config: TrainConfig) -> list[dict]:
    decayed, plain = ([p for p in parameters if (p.ndim > 1) == matrix] for matrix in (True, False))
    return [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]


def learning_rate(config: TrainConfig, epoch: float) -> float:
    """The learning rate at a fractional epoch: cosine with linear warm-up, or divided by 10 at `step_epochs`."""
    if config.schedule == "step":
        return config.lr * 0.1 ** sum(epoch >= step for step in config.step_epochs)
    if epoch < config.warmup_epochs:
        return config.lr * (epoch + 1e-3) / config.warmup_epochs
    done = (epoch - config.warmup_epochs) / max(config.epochs - config.warmup_epochs, 1e-9)
    return config.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def make_scaler(precision: str, device: torch.device) -> torch.amp.GradScaler:
    """What scales the loss where the forward pass is in float16, whose smallest gradients would become 0; in the other
    precisions it does nothing. `InputError` where torch has no float16 on this device."""
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
    if precision == "float16":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # says the same in more lines
            with torch.autocast(device.type, torch.float16):
                works = scaler.is_enabled() and torch.is_autocast_enabled(device.type)
        if not works:
            problem = f"'float16' does not work on {device.type} with torch {torch.__version__}"
            raise InputError("precision", problem, "set bfloat16 or float32")
    return scaler


class AveragedWeights:
    """An exponential moving average of a model's weights, kept as a second model (`model`) that is evaluated.

    The decay grows with the number of updates, so that the first weights are soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay, self.updates = decay, 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for average, new in zip(self.model.state_dict().values(), model.state_dict().values()):
            if average.dtype.is_floating_point:
                average.lerp_(new, 1 - decay)
            else:
                average.copy_(new)
