"""Files of weights, ours and other programs', read with `weights_only=True` and nowhere else.

A checkpoint is {"format", "kind": "recognizer" or "detector", "config": nested dict, "labels", "model": tensors, ...};
its model can be rebuilt from it alone.
"""

import re
from pathlib import Path

import torch
from torch import Tensor, nn

from mmad.errors import InputError, system_error
from mmad.files import atomic_path
from mmad.labels import LabelSet, label_set_from

FORMAT = "mmad-1"
WEIGHTS = ("state_dict", "model_state_dict", "model", "net", "network")  # where other programs keep the tensors
WRAPPERS = ("module.", "_orig_mod.", "model.")  # of DataParallel, torch.compile, Lightning
ONLY_TENSORS = (
    "keep only its state_dict, if you trust the file: where that package is installed, "
    """python -c "import torch; c = torch.load('OLD.pth', map_location='cpu', weights_only=False); """
    """torch.save({'state_dict': c['state_dict']}, 'NEW.pth')\""""
)
_FOREIGN = re.compile(r"\bGLOBAL (\S+)")  # how torch names a class or function that a file asks for


def save_checkpoint(path: str | Path, kind: str, config: dict, labels: LabelSet, model: nn.Module, **extra) -> None:
    """Write a checkpoint, complete or not at all. extra: tensors, numbers, strings, lists and dicts of them."""
    content = {
        "format": FORMAT,
        "kind": kind,
        "config": config,
        "labels": labels.as_dict(),
        "model": model.state_dict(),
        **extra,
    }
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def read_checkpoint(path: str | Path, kind: str | None = None) -> dict:
    """The content of one of our checkpoints, or of any file of tensors where `kind` is None."""
    path = Path(path)
    if not path.exists():
        raise InputError(path, "no such file")
    if path.is_dir():
        raise InputError(path, "is a folder", "name a checkpoint file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise system_error(path, error) from None
    except Exception as error:  # a damaged file can fail in any of a dozen ways
        problem = f"not a checkpoint that can be read safely ({_reason(error)})"
        if "holds objects" in problem:
            raise InputError(path, problem, ONLY_TENSORS) from None
        raise InputError(path, problem, "is the file complete?") from None
    if not isinstance(content, dict):
        raise InputError(path, f"holds a {type(content).__name__}", "expected a checkpoint")
    if kind is not None:
        require_kind(content, kind, path)
    return content


def _reason(error: Exception) -> str:
    """The message of torch about a file, without its advice to read it unsafely."""
    text = str(error).strip()
    foreign = _FOREIGN.search(text)
    if foreign:
        package = foreign[1].split(".")[0] if "." in foreign[1] else "Python"
        return f"it holds objects of {package}: {foreign[1]}"
    if text.startswith("Weights only load failed"):
        return "it holds more than tensors, numbers and texts"
    return text.splitlines()[0][:120] if text else type(error).__name__


def weights_of(content: dict) -> dict:
    """The named tensors of another program's checkpoint, without what wrappers put before each name."""
    places = [content, *(content[key] for key in WEIGHTS if isinstance(content.get(key), dict))]
    state = places[-1] if len(places) == 1 else places[1]
    for prefix in WRAPPERS * 2:  # one may be inside the other
        if state and all(isinstance(name, str) and name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def require_kind(content: dict, kind: str, path: str | Path) -> None:
    if (content.get("format"), content.get("kind")) != (FORMAT, kind):
        found = f"a {content.get('kind')}" if content.get("format") == FORMAT else "not a checkpoint of ours"
        raise InputError(path, f"this is {found}", f"expected a {kind}")
    missing = [key for key in ("config", "labels", "model") if not isinstance(content.get(key), dict)]
    if missing:
        raise InputError(path, f"the checkpoint has no {missing[0]!r}", "save it again")


def labels_of(checkpoint: dict, path: str | Path) -> LabelSet:
    """The label set that a checkpoint was trained on."""
    try:
        return label_set_from(checkpoint["labels"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(path, f"the checkpoint's labels are damaged ({error!r})", "save it again") from None


def load_into(module: nn.Module, state: dict[str, Tensor], path: str | Path, may_miss: str = "") -> None:
    """Load weights into a module. `InputError` names missing, unknown and misshapen tensors.

    may_miss: tensors whose name contains this may be missing.
    """
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()):
        raise InputError(path, "its model is not a dict of named tensors", "is it another tool's?")
    wanted = module.state_dict()
    missing = [n for n in wanted if n not in state and not (may_miss and may_miss in n)]
    surplus = [n for n in state if n not in wanted]
    misshapen = [
        f"{n} {tuple(state[n].shape)} instead of {tuple(wanted[n].shape)}"
        for n in wanted.keys() & state.keys()
        if state[n].shape != wanted[n].shape
    ]
    problems = [
        f"{title} {len(names)} tensors ({', '.join(sorted(names)[:4])}{' ...' if len(names) > 4 else ''})"
        for title, names in (("lacks", missing), ("has unknown", surplus), ("misshapen:", misshapen))
        if names
    ]
    if problems:
        raise InputError(path, f"does not fit {type(module).__name__}: {'; '.join(problems)}", "is it another model's?")
    module.load_state_dict(state, strict=False)
