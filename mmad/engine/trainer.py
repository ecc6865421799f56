"""One training loop for recognition and detection: train an epoch, evaluate, save, in plain sight.

Whatever is random depends on (seed, epoch) alone, so training that is stopped at any moment and started again goes on
from its last finished epoch and ends with the weights of training without a stop.
"""

import copy
import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from mmad.config import TrainConfig, save_config, to_dict
from mmad.engine.checkpoint import load_into, read_checkpoint, save_checkpoint
from mmad.engine.optim import AveragedWeights, learning_rate, make_optimizer
from mmad.errors import Diverged, InputError, warn
from mmad.files import write_text
from mmad.labels import LabelSet
from mmad.records import content_digest

CHECKED_EVERY = 50  # steps: whether the loss is still a number; a look waits for the device


@dataclass
class Task:
    """What is trained: everything in which recognition and detection differ.

    kind: "recognizer" or "detector". config: of the whole run. more: what else its checkpoints hold.
    data: digests of what it learns from and is judged by, as `data_digests` makes them.
    batches: epoch -> the epoch's batches, the same ones at every call. losses: (model, batch) -> {name: scalar}, whose
    sum is minimised. evaluate: model -> {name: number} with "score", higher is better.
    """

    kind: str
    model: nn.Module
    labels: LabelSet
    config: object
    more: dict
    data: dict[str, str]
    batches: Callable[[int], Iterable]
    losses: Callable[[nn.Module, object], dict[str, Tensor]]
    evaluate: Callable[[nn.Module], dict[str, float]]


def fit(task: Task, config: TrainConfig, output: str | Path, seed: int, device: torch.device) -> dict[str, float]:
    """Train into the folder `output`: config.yaml, last.pt, best.pt, metrics.jsonl, tensorboard/. Returns the best row.

    If `output` holds a last.pt of the same settings and data, goes on from there.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    model = task.model.to(device)
    optimizer = make_optimizer(model, config)
    average = AveragedWeights(model, config.ema) if config.ema else None
    history = _resume(task, model, optimizer, average, output)
    save_config(task.config, output / "config.yaml")
    best = max((row for row in history if "score" in row), key=lambda row: row["score"], default=None)
    with SummaryWriter(output / "tensorboard", purge_step=len(history)) as board:
        for epoch in range(len(history), config.epochs):
            # Dropout, samples of classes and steps; the data's own randomness comes with the batches.
            torch.manual_seed(seed * 1_000_003 + epoch)
            row = {"epoch": epoch + 1, **train_one_epoch(task, model, optimizer, average, config, epoch, device)}
            judged = average.model if average else model
            if (epoch + 1) % config.evaluate_every == 0 or epoch + 1 == config.epochs:
                row |= task.evaluate(judged.eval())
            history.append(row)
            for name, value in row.items():
                board.add_scalar(name, value, epoch + 1)
            print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
            if "score" in row and (best is None or row["score"] > best["score"]):
                best = row
                save_checkpoint(
                    output / "best.pt",
                    task.kind,
                    to_dict(task.config),
                    task.labels,
                    judged,
                    epoch=epoch + 1,
                    **task.more,
                )
            _save_last(task, model, optimizer, average, history, output)
    return best or {}


def fit_in_memory(
    task: Task, config: TrainConfig, seed: int, device: torch.device
) -> tuple[nn.Module, list[dict[str, float]]]:
    """As `fit`, with the same result, but nothing is written or printed. Returns the model of the epoch with the best
    score, in eval mode, and the rows of all epochs."""
    model = task.model.to(device)
    optimizer = make_optimizer(model, config)
    average = AveragedWeights(model, config.ema) if config.ema else None
    history, best, weights = [], -1.0, {}
    for epoch in range(config.epochs):
        torch.manual_seed(seed * 1_000_003 + epoch)
        row = {"epoch": epoch + 1, **train_one_epoch(task, model, optimizer, average, config, epoch, device)}
        evaluated = average.model if average else model
        if (epoch + 1) % config.evaluate_every == 0 or epoch + 1 == config.epochs:
            row |= task.evaluate(evaluated.eval())
        history.append(row)
        if row.get("score", -1.0) > best:
            best, weights = row["score"], copy.deepcopy(evaluated.state_dict())
    load_into(model, weights, "the weights of the best epoch")
    return model.eval(), history


def how_chosen(config: TrainConfig, epoch: int, judged_on: str) -> dict[str, int | str]:
    """What a report says of its checkpoint: the epoch it is of, out of how many evaluations, and that in words.

    judged_on: "200 videos". Figures of the best of several evaluations flatter: they are of what chose the checkpoint.
    """
    evaluations = math.ceil(config.epochs / config.evaluate_every)  # the last epoch is always evaluated
    chosen = f"best of {evaluations} evaluations on these same {judged_on}"
    if evaluations == 1:
        chosen = f"the last, evaluated once on {judged_on} (nothing was chosen)"
    return {"epoch": epoch, "evaluations": evaluations, "chosen": chosen}


def train_one_epoch(
    task: Task,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: AveragedWeights | None,
    config: TrainConfig,
    epoch: int,
    device: torch.device,
) -> dict[str, float]:
    """One pass over the batches. Returns the mean of each loss, the rate and the seconds it took."""
    model.train()
    batches = task.batches(epoch)
    totals: dict[str, Tensor] = {}
    began, steps = time.perf_counter(), len(batches)
    for step, batch in enumerate(tqdm(batches, desc=f"epoch {epoch + 1}/{config.epochs}", leave=False, disable=None)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, epoch + step / steps)
        losses = task.losses(model, batch.to(device))
        total = sum(losses.values())
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        if config.clip_grad:
            nn.utils.clip_grad_norm_(model.parameters(), config.clip_grad)
        optimizer.step()
        if average is not None:
            average.update(model)
        for name, value in {**losses, "loss": total}.items():
            totals[name] = totals.get(name, 0) + value.detach()
        if (step + 1) % CHECKED_EVERY == 0 or step + 1 == steps:
            require_finite(model, totals["loss"], f"epoch {epoch + 1}, step {step + 1}")
    means = {name: float(value) / steps for name, value in totals.items()}
    return {**means, "lr": optimizer.param_groups[0]["lr"], "seconds": round(time.perf_counter() - began, 2)}


def require_finite(model: nn.Module, loss: Tensor, when: str) -> None:
    """Stop before weights that became NaN or infinite are saved over good ones."""
    if not (loss.isfinite().all() and all(value.isfinite().all() for value in model.parameters())):
        remedy = "epochs finished before are kept; lower train.lr and train into another output=DIR"
        raise Diverged(f"training: loss or weights became NaN or infinite by {when}; {remedy}")


def epochs_done(task: Task, output: Path) -> int:
    """How many epochs of this training the folder holds. `InputError` where it holds another one."""
    content = _read_last(task, output)
    return len(_history(content, output)) if content else 0


def _save_last(task: Task, model, optimizer, average, history: list[dict], output: Path) -> None:
    """metrics.jsonl and last.pt; the history travels in last.pt, so that the two cannot disagree after a stop."""
    state = {"optimizer": optimizer.state_dict(), "history": json.dumps(history), "data": task.data, **task.more}
    if average is not None:
        state |= {"average": average.model.state_dict(), "average_updates": average.updates}
    save_checkpoint(output / "last.pt", task.kind, to_dict(task.config), task.labels, model, **state)
    write_text(output / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in history))


def _resume(task: Task, model, optimizer, average, output: Path) -> list[dict]:
    """Load last.pt if there is one; returns the rows of the epochs that are done."""
    content, path = _read_last(task, output), output / "last.pt"
    if content is None:
        return []
    if not isinstance(content.get("data"), dict):
        warn(f"{path} does not say on what data it was trained: whether that is still the same is not known")
    load_into(model, content["model"], path)
    history = _history(content, output)
    try:
        optimizer.load_state_dict(content["optimizer"])
        if average is not None:
            load_into(average.model, content["average"], path)
            average.updates = content["average_updates"]
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, f"training cannot go on from it ({error!r})", "choose another output=DIR") from None
    print(f"going on from {path} after epoch {len(history)}")
    return history


def _read_last(task: Task, output: Path) -> dict | None:
    """The content of last.pt, None where there is no training yet. Refused where it is of other settings or data."""
    path = output / "last.pt"
    if not path.exists():
        if (output / "best.pt").exists():
            raise InputError(output / "best.pt", "is there without its last.pt", "choose another output=DIR")
        return None
    content = read_checkpoint(path, task.kind)
    then, now = _flat(content["config"]), _flat(to_dict(task.config))
    changed = [key for key in now if then.get(key) != now[key]]
    if changed:
        raise InputError(path, f"was trained with another {changed[0]}", "choose another output=DIR")
    _refuse_other_data(task, content, path)
    return content


def _history(content: dict, output: Path) -> list[dict]:
    """The rows of the epochs that are done, from the content of last.pt."""
    try:
        return list(json.loads(content["history"]))
    except (KeyError, ValueError, TypeError) as error:
        problem = f"training cannot go on from it ({error!r})"
        raise InputError(output / "last.pt", problem, "choose another output=DIR") from None


def data_digests(train_set, val_set, labels: LabelSet) -> dict[str, str]:
    """{what of which setting: digest}. Each set has `digests()`, {what: digest}."""
    names = content_digest([*labels.actions, *labels.parts, *labels.part_of])
    sets = {"data.train": train_set, "data.val": val_set}
    found = {f"{what} of {key}": digest for key, data in sets.items() for what, digest in data.digests().items()}
    return {"names of data.labels": names, **found}


def _refuse_other_data(task: Task, content: dict, path: Path) -> None:
    """Half a training on one data set and half on another has figures that mean nothing."""
    then = content.get("data")
    changed = [what for what, digest in task.data.items() if isinstance(then, dict) and then.get(what) != digest]
    if changed:
        raise InputError(path, f"was trained with other {changed[0]}", "choose another output=DIR")


def _flat(values: dict, prefix: str = "") -> dict:
    """{dotted name: value}; where a run is written and on what it runs does not matter for going on.

    Nor does `data.fps`: what it changes, the times of the annotations, is in the digests of the data.
    """
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif f"{prefix}{key}" not in ("output", "device", "train.workers", "data.fps"):
            flat[f"{prefix}{key}"] = value
    return flat
