"""Trainings that are interrupted."""

import itertools
from contextlib import contextmanager

import pytest


@contextmanager
def ctrl_c(monkeypatch, module, number: int):
    """Within it, the `number`-th computation of a module's detection losses is a Ctrl-C."""
    original, calls = module.detector_losses, itertools.count(1)

    def wrapped(model, batch, config):
        if next(calls) == number:
            raise KeyboardInterrupt
        return original(model, batch, config)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "detector_losses", wrapped)
        yield
