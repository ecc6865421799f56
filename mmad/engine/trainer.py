"""One training loop for recognition, detection and the pose network: train an epoch, evaluate, save, in plain sight.

All randomness is determined by (seed, epoch), so a training that was interrupted continues after its last finished
epoch and ends with the same weights as one without interruption.
"""

import copy
import json
import math
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from mmad.config import TrainConfig, save_config, to_dict, with_new_keys
from mmad.engine import distributed
from mmad.engine.batch_parts import Division, InParts
from mmad.engine.checkpoint import weight_digest
from mmad.engine.optim import AveragedWeights, learning_rate, make_optimizer, make_scaler
from mmad.errors import Diverged, InputError, warn
from mmad.files import write_text
from mmad.labels import LabelSet
from mmad.records import content_digest
from mmad.weight_files import load_into, read_checkpoint, save_checkpoint

CHECKED_EVERY = 50  # steps between checks that the loss is finite; a check waits for the device
# Settings that may differ when training continues: where and how it runs and in how many processes, and the frame rate,
# which only changes the times of annotations, and these are compared (`data_digests`).
NOT_COMPARED = ("output", "device", "workers", "train.workers", "train.accumulate", "train.compile", "data.fps")
NEW_OUTPUT = "choose another output=DIR"


@dataclass
class Task:
    """What is trained: everything in which recognition, detection and the pose network differ.

    kind: of the checkpoints: "recognizer", "detector" or "pose network". config: of the whole run. extra: further
    content of the checkpoints. data: digests of the training and validation data, see `data_digests`. batches: epoch ->
    the batches of that epoch, the same at every call. losses: (model, batch) -> {name: scalar}, whose sum is minimised.
    evaluate: model -> {name: number} with "score", higher is better. division: how a batch is computed in parts.
    precision: of the losses' forward pass.
    """

    kind: str
    model: nn.Module
    labels: LabelSet
    config: object
    extra: dict
    data: dict[str, str]
    batches: Callable[[int], Iterable]
    losses: Callable[[nn.Module, object], dict[str, Tensor]]
    evaluate: Callable[[nn.Module], dict[str, float]]
    division: Division = field(default_factory=Division)
    precision: str = "float32"


@dataclass
class TrainingState:
    """What changes during training, and is kept in last.pt. history: one row per finished epoch.

    network: the model as it is called in training: itself, or compiled.
    """

    model: nn.Module
    network: Callable
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    average: AveragedWeights | None
    history: list[dict] = field(default_factory=list)

    def evaluated_model(self) -> nn.Module:
        """The model that is evaluated and saved as best.pt: the averaged weights where there are any; in eval mode."""
        return (self.average.model if self.average else self.model).eval()

    def best_row(self) -> dict:
        """The row of the best evaluation so far, the first of equal ones; empty where there is none."""
        return max((row for row in self.history if "score" in row), key=lambda row: row["score"], default={})


def fit(task: Task, config: TrainConfig, output: str | Path, seed: int, device: torch.device) -> dict[str, float]:
    """Train into the folder `output`: config.yaml, last.pt, best.pt, metrics.jsonl, tensorboard/. Returns the best row.

    Continues where `output` holds a last.pt of the same settings and data.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    state = _fresh_state(task, config, device)
    _resume(task, state, output)
    _require_equal_processes(state)
    if distributed.is_first():
        save_config(task.config, output / "config.yaml")
    with _board(output, len(state.history)) as board:
        while len(state.history) < config.epochs:
            _train_and_evaluate(task, state, config, seed, device)
            if distributed.is_first():
                _record(task, state, board, output)
    distributed.wait_for_all()  # until the first has written
    return state.best_row()


def _board(output: Path, epochs: int):
    """TensorBoard's writer; None in the processes that do not write."""
    if not distributed.is_first():
        return nullcontext()
    return SummaryWriter(output / "tensorboard", purge_step=epochs)


def _record(task: Task, state: TrainingState, board: SummaryWriter, output: Path) -> None:
    """Print and keep the last row of the history, and save the weights."""
    row = state.history[-1]
    for name, value in row.items():
        board.add_scalar(name, value, row["epoch"])
    print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
    if row is state.best_row():
        _save_best(task, state, output)
    _save_last(task, state, output)


def _require_equal_processes(state: TrainingState) -> None:
    """`InputError` where the processes of a run do not begin alike."""
    begun = len(state.history), weight_digest(state.model)
    problem = "the processes begin with different weights or epochs"
    distributed.require_equal(begun, problem, "let output=DIR and the data be on a disk that all machines share")


def fit_in_memory(
    task: Task, config: TrainConfig, seed: int, device: torch.device
) -> tuple[nn.Module, list[dict[str, float]]]:
    """As `fit`, with the same result, but nothing is written or printed. Returns the model of the epoch with the best
    score, in eval mode, and the rows of all epochs."""
    state, weights = _fresh_state(task, config, device), {}
    while len(state.history) < config.epochs:
        row = _train_and_evaluate(task, state, config, seed, device)
        if row is state.best_row():
            weights = copy.deepcopy(state.evaluated_model().state_dict())
    load_into(state.model, weights, "the weights of the best epoch")
    return state.model.eval(), state.history


def _fresh_state(task: Task, config: TrainConfig, device: torch.device) -> TrainingState:
    model = distributed.share_statistics(task.model, device).to(device)
    average = AveragedWeights(model, config.ema) if config.ema else None
    network = torch.compile(model) if config.compile else model
    return TrainingState(model, network, make_optimizer(model, config), make_scaler(task.precision, device), average)


def _train_and_evaluate(
    task: Task, state: TrainingState, config: TrainConfig, seed: int, device: torch.device
) -> dict[str, float]:
    """Train the next epoch and evaluate where that is due; returns the new row of the history."""
    epoch = len(state.history)
    torch.manual_seed(seed * 1_000_003 + epoch)  # dropout, sampling of classes and steps
    row = {"epoch": epoch + 1, **train_one_epoch(task, state, config, epoch, device)}
    if (epoch + 1) % config.evaluate_every == 0 or epoch + 1 == config.epochs:
        row |= task.evaluate(state.evaluated_model())
    state.history.append(row)
    return row


def how_chosen(config: TrainConfig, epoch: int, evaluated_on: str) -> dict[str, int | str]:
    """Description of a checkpoint for reports: its epoch, the number of evaluations, and how it was chosen, in words.

    evaluated_on: such as "200 videos". The best of several evaluations is optimistic: it is on the data that chose it.
    """
    evaluations = math.ceil(config.epochs / config.evaluate_every)  # the last epoch is always evaluated
    chosen = f"best of {evaluations} evaluations on these same {evaluated_on}"
    if evaluations == 1:
        chosen = f"the last, evaluated once on {evaluated_on} (nothing was chosen)"
    return {"epoch": epoch, "evaluations": evaluations, "chosen": chosen}


def train_one_epoch(
    task: Task, state: TrainingState, config: TrainConfig, epoch: int, device: torch.device
) -> dict[str, float]:
    """One pass over the batches. Returns the mean of each loss, the learning rate and the seconds it took."""
    model, optimizer, scaler = state.model.train(), state.optimizer, state.scaler
    network = InParts(state.network, config.accumulate, task.division) if config.accumulate > 1 else state.network
    network = distributed.divided(network, task.division, least=config.accumulate)
    batches = task.batches(epoch)
    totals: dict[str, Tensor] = {}
    began, steps, title = time.perf_counter(), len(batches), f"epoch {epoch + 1}/{config.epochs}"
    shown = tqdm(distributed.exchanged(batches), title, total=steps, leave=False, disable=None)
    for step, batch in enumerate(shown):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, epoch + step / steps) * group.get("lr_scale", 1.0)
        losses = task.losses(network, batch.to(device))
        total = sum(losses.values())
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(total).backward()
        distributed.average_gradients(model)
        if config.clip_grad:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), config.clip_grad)
        scaler.step(optimizer)
        scaler.update()
        if state.average is not None:
            state.average.update(model)
        for name, value in {**losses, "loss": total}.items():
            totals[name] = totals.get(name, 0) + value.detach()
        if (step + 1) % CHECKED_EVERY == 0 or step + 1 == steps:
            require_finite(model, totals["loss"], f"epoch {epoch + 1}, step {step + 1}")
    means = {name: float(value) / steps for name, value in totals.items()}
    return {**means, "lr": optimizer.param_groups[0]["lr"], "seconds": round(time.perf_counter() - began, 2)}


def require_finite(model: nn.Module, loss: Tensor, when: str) -> None:
    """Raise `Diverged` before weights that became NaN or infinite are saved over good ones."""
    if not (loss.isfinite().all() and all(value.isfinite().all() for value in model.parameters())):
        remedy = "epochs finished before are kept; lower train.lr and train into another output=DIR"
        raise Diverged(f"training: loss or weights became NaN or infinite by {when}; {remedy}")


# --- saving and continuing --------------------------------------------------------------------------------------


def epochs_done(task: Task, output: Path) -> int:
    """How many epochs of this training the folder holds. `InputError` where it holds another training."""
    content = _read_last(task, output)
    return len(_history(content, output)) if content else 0


def _save_best(task: Task, state: TrainingState, output: Path) -> None:
    epoch, model = len(state.history), state.evaluated_model()
    save_checkpoint(output / "best.pt", task.kind, to_dict(task.config), task.labels, model, epoch=epoch, **task.extra)


def _save_last(task: Task, state: TrainingState, output: Path) -> None:
    """last.pt, then metrics.jsonl; the history is part of last.pt, so that the two agree after an interruption."""
    content = {"optimizer": state.optimizer.state_dict(), "history": json.dumps(state.history), "data": task.data}
    if state.scaler.is_enabled():
        content["scaler"] = state.scaler.state_dict()
    if state.average is not None:
        content |= {"average": state.average.model.state_dict(), "average_updates": state.average.updates}
    config = to_dict(task.config)
    save_checkpoint(output / "last.pt", task.kind, config, task.labels, state.model, **content, **task.extra)
    write_text(output / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in state.history))


def _resume(task: Task, state: TrainingState, output: Path) -> None:
    """Load last.pt into the state, if there is one."""
    content, path = _read_last(task, output), output / "last.pt"
    if content is None:
        return
    if not isinstance(content.get("data"), dict):
        warn(f"{path} does not say on what data it was trained: whether that is still the same is not known")
    load_into(state.model, content["model"], path)
    state.history = _history(content, output)
    try:
        state.optimizer.load_state_dict(content["optimizer"])
        if state.scaler.is_enabled():
            state.scaler.load_state_dict(content["scaler"])
        if state.average is not None:
            load_into(state.average.model, content["average"], path)
            state.average.updates = content["average_updates"]
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, f"training cannot go on from it ({error!r})", NEW_OUTPUT) from None
    print(f"going on from {path} after epoch {len(state.history)}")


def _read_last(task: Task, output: Path) -> dict | None:
    """The content of last.pt, None where no training was begun. `InputError` where settings or data were different."""
    path = output / "last.pt"
    if not path.exists():
        if (output / "best.pt").exists():
            raise InputError(output / "best.pt", "exists, but last.pt beside it is missing", NEW_OUTPUT)
        return None
    content = read_checkpoint(path, task.kind)
    defaults, now = _flat(to_dict(type(task.config)())), _flat(to_dict(task.config))
    then = defaults | _flat(with_new_keys(content["config"]))  # settings that are newer than the run had their default
    changed = [key for key in now if then.get(key) != now[key] and key not in NOT_COMPARED]
    if changed:
        raise InputError(path, f"was trained with another {changed[0]}", NEW_OUTPUT)
    _refuse_other_data(task, content, path)
    return content


def _history(content: dict, output: Path) -> list[dict]:
    """The rows of the finished epochs, from the content of last.pt."""
    try:
        return list(json.loads(content["history"]))
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(output / "last.pt", f"training cannot go on from it ({error!r})", NEW_OUTPUT) from None


def data_digests(train_set, val_set, labels: LabelSet) -> dict[str, str]:
    """{"WHAT of SETTING": digest} of the data of a training. Each set has `digests()`, {what: digest}."""
    names = content_digest([*labels.actions, *labels.parts, *labels.part_of])
    sets = {"data.train": train_set, "data.val": val_set}
    found = {f"{what} of {key}": digest for key, data in sets.items() for what, digest in data.digests().items()}
    return {"names of data.labels": names, **found}


def _refuse_other_data(task: Task, content: dict, path: Path) -> None:
    """`InputError` where last.pt was trained on other data: the results of such a mixture would mean nothing."""
    then = content.get("data")
    changed = [what for what, digest in task.data.items() if isinstance(then, dict) and then.get(what) != digest]
    if changed:
        raise InputError(path, f"was trained with other {changed[0]}", NEW_OUTPUT)


def _flat(values: dict, prefix: str = "") -> dict:
    """Nested settings as {dotted name: value}."""
    flat = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
