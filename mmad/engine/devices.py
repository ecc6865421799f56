"""Where a network runs, and how precisely."""

from contextlib import nullcontext

import torch

from mmad.errors import InputError


def in_precision(name: str, device: torch.device):
    """A context in which a network computes in float32 or, mixed, in a shorter type."""
    return nullcontext() if name == "float32" else torch.autocast(device.type, getattr(torch, name))


def choose_device(name: str) -> torch.device:
    """ "auto" is the first accelerator there is, else the CPU."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda", "mps", "xpu"):
            raise RuntimeError("mmad runs on cpu, cuda, mps and xpu")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        raise InputError("device", f"{name!r} cannot be used ({str(error).splitlines()[0]})") from None
    return device
