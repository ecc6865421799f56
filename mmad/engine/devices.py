"""The device that a network runs on, and its precision."""

from contextlib import nullcontext

import torch

from mmad.errors import InputError


def in_precision(name: str, device: torch.device):
    """Context in which a network computes in float32, or in mixed precision with the type of this name."""
    return nullcontext() if name == "float32" else torch.autocast(device.type, getattr(torch, name))


def choose_device(name: str) -> torch.device:
    """The device of this name; "auto": the first accelerator found, else the CPU. `InputError` if it cannot be used."""
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
