"""One stage of training: epochs, early stopping, the best epoch kept."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from mri_tumor.errors import CheckpointError
from mri_tumor.progress import progress_bar, say
from mri_tumor.training.checkpoint import State
from mri_tumor.training.losses import MarginalCrossentropy, allowed_accuracy
from mri_tumor.training.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mri_tumor.training.checkpoint import Checkpoint

History = dict[str, list[Any]]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Settings of one stage.

    Parameters
    ----------
    name : str
        ``"head"`` or ``"finetune"``; written into the history.
    epochs : int
        Most epochs, at least 1.
    learning_rate : float
        Of Adam at the first step; falls along a half cosine to a twentieth of it.
    patience : int
        Epochs without a lower validation loss, after the best temperature, after which the
        stage ends.
    gamma : float, default=0.0
        Focusing exponent of the loss.
    weight_decay : float, default=0.0
        Decoupled weight decay.
    warmup_steps : int, default=0
        Steps in which the rate rises from a tenth of it.
    smoothing : float, default=0.0
        Label smoothing of the loss, in [0, 1).
    keep_best : bool, default=True
        End with the best epoch. False ends with the last one, for a stage whose gain does not
        show on the validation part: variants of other scanners, say.
    """

    name: str
    epochs: int
    learning_rate: float
    patience: int
    gamma: float = 0.0
    weight_decay: float = 0.0
    warmup_steps: int = 0
    smoothing: float = 0.0
    keep_best: bool = True


class Judge(keras.callbacks.Callback):
    """Put the figures of the validation part among those of the epoch; comes first."""

    def __init__(self, validation: Any, trainer: Trainer) -> None:
        super().__init__()
        self.validation, self.trainer = validation, trainer

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Add ``val_loss``, ``val_accuracy`` and ``val_calibrated_loss``."""
        assert logs is not None  # noqa: S101
        logs.update(self.trainer.judge(self.model, self.validation))


class BestEpoch(keras.callbacks.Callback):
    """Stop when the calibrated validation loss no longer falls, and end with the best weights.

    `judge_outputs` says why it is that loss.
    """

    def __init__(self, patience: int, *, best: float, last: bool = False) -> None:
        super().__init__()
        self.patience, self.last = patience, last
        self.best, self.best_epoch = best, -1
        self.weights: list[Any] = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Keep the weights that the stage starts from: no epoch may be better."""
        if not self.weights:
            self.weights = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keep the weights of a better epoch, or give up."""
        loss = (logs or {})["val_calibrated_loss"]
        if self.last or loss < self.best:
            self.best, self.best_epoch = loss, epoch
            self.weights = self.model.get_weights()
        elif self.gives_up_after(epoch):
            self.model.stop_training = True

    def gives_up_after(self, epoch: int) -> bool:
        """Say whether too many epochs have passed without a better one."""
        return epoch - self.best_epoch >= self.patience

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Put the best weights back."""
        self.model.set_weights(self.weights)


class Reporter(keras.callbacks.Callback):
    """Show epochs as they end, and write the history."""

    def __init__(self, stage: Stage, history: History, advance: Callable[..., None]) -> None:
        super().__init__()
        self.stage, self.history, self.advance = stage, history, advance
        self.started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Start the clock of an epoch."""
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Write one row of the history and show it."""
        row = {name: float(value) for name, value in (logs or {}).items()}
        row["seconds"] = time.perf_counter() - self.started
        self.history.setdefault("stage", []).append(self.stage.name)
        for name, value in row.items():
            self.history.setdefault(name, []).append(value)
        note = f"loss {row['loss']:.4f}  validation {row['val_loss']:.4f}, accuracy {row['val_accuracy']:.4f}"
        self.advance(1, note)


class _Keeper(keras.callbacks.Callback):
    """Keep the state of the training after each epoch; comes last."""

    def __init__(
        self, checkpoint: Checkpoint, index: int, best: BestEpoch, history: History
    ) -> None:
        super().__init__()
        self.checkpoint, self.index, self.best, self.history = checkpoint, index, best, history

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Write it; it is on the disk before the next epoch begins."""
        state = State(
            stage=self.index,
            epoch=epoch,
            best=float(self.best.best),
            best_epoch=self.best.best_epoch,
            history=self.history,
            variables=[np.asarray(one.numpy()) for one in self.model.variables],
            optimizer=[np.asarray(one.numpy()) for one in self.model.optimizer.variables],
            best_weights=self.best.weights,
        )
        self.checkpoint.keep(state)


def _restore(model: keras.Model, state: State, best: BestEpoch) -> None:
    """Put a model and what watches over it back to the end of an epoch."""
    pairs = ((model.variables, state.variables), (model.optimizer.variables, state.optimizer))
    for variables, values in pairs:
        if [tuple(one.shape) for one in variables] != [value.shape for value in values]:
            message = "checkpoint: does not fit this model. Remove its folder and train anew."
            raise CheckpointError(message)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    best.best, best.best_epoch = state.best, state.best_epoch
    best.weights = list(state.best_weights)


class _Shuffle(keras.callbacks.Callback):
    """Tell the batches which epoch begins, so that their order follows from it."""

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Draw the order of the epoch."""
        self.batches.start_epoch(epoch)


def run_stage(
    model: keras.Model,
    stage: Stage,
    training: Any,
    validation: Any,
    *,
    history: History,
    show_progress: bool = False,
    checkpoint: Checkpoint | None = None,
    index: int = 0,
    kept: State | None = None,
    trainer: Trainer | None = None,
) -> int:
    """Train a model for one stage.

    Parameters
    ----------
    model : keras.Model
        What learns; ends with the weights of the epoch whose validation loss is lowest after
        the best temperature.
    stage : Stage
        Settings.
    training, validation : keras.utils.PyDataset
        Batches of (inputs, targets, weights); `training` may have ``start_epoch(epoch)``.
    history : dict
        Rows are appended to its lists: ``stage``, ``loss``, ``accuracy``, ``val_loss``,
        ``val_accuracy``, ``val_calibrated_loss`` and ``seconds``.
    show_progress : bool, default=False
        Show a bar and a line at the end.
    checkpoint : Checkpoint, optional
        Keeps the state after each epoch.
    index : int, default=0
        Which stage it is.
    kept : State, optional
        Goes on from the end of this epoch of the stage.
    trainer : Trainer, optional
        Shares the epochs with other devices or machines; by default Keras runs them here.

    Returns
    -------
    int
        Index of the best epoch of the stage, from 0; -1 if none was better than the start.
    """
    import tensorflow as tf

    trainer = trainer or Trainer()
    whole, model = model, trainer.adopt(model)
    schedule = _schedule(stage, stage.epochs * len(training))
    with trainer.scope():
        model.compile(
            optimizer=keras.optimizers.AdamW(schedule, weight_decay=stage.weight_decay)
            if stage.weight_decay
            else keras.optimizers.Adam(schedule),
            loss=MarginalCrossentropy(stage.gamma, smoothing=stage.smoothing),
            metrics=[keras.metrics.MeanMetricWrapper(allowed_accuracy, name="accuracy")],
            # XLA is several times slower on processors; on a GPU let Keras decide.
            jit_compile="auto" if tf.config.list_physical_devices("GPU") else False,
        )
        model.optimizer.build(model.trainable_variables)
    if kept is None:
        best = BestEpoch(
            stage.patience,
            best=trainer.judge(model, validation)["val_calibrated_loss"],
            last=not stage.keep_best,
        )
    else:
        best = BestEpoch(stage.patience, best=kept.best, last=not stage.keep_best)
        _restore(model, kept, best)
    done = 0 if kept is None else kept.epoch + 1
    first = len(history.get("loss", [])) - done
    label = {"head": "Training the head", "finetune": "Fine-tuning"}.get(stage.name, stage.name)
    with progress_bar(label, stage.epochs, show=show_progress, unit="epochs") as advance:
        advance(done)
        callbacks = [Judge(validation, trainer), best, Reporter(stage, history, advance)]
        if checkpoint is not None:
            callbacks.append(_Keeper(checkpoint, index, best, history))
        if hasattr(training, "start_epoch"):
            callbacks.append(_Shuffle(training))
        if done and (done >= stage.epochs or best.gives_up_after(done - 1)):
            # It was stopped between the end of this stage and the next epoch.
            model.set_weights(best.weights)
        else:
            trainer.fit(model, training, first=done, epochs=stage.epochs, callbacks=callbacks)
    trainer.give_back(model, whole)
    chosen = f"epoch {best.best_epoch + 1}" if best.best_epoch >= 0 else "the model as it was"
    epochs = len(history["loss"]) - first
    say(
        f"{label}: {epochs} epochs, kept {chosen}, calibrated validation loss {best.best:.4f}",
        show=show_progress,
    )
    return best.best_epoch


def _schedule(stage: Stage, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return the rate of each step: up for the warm-up, then down half a cosine."""
    warm = min(stage.warmup_steps, steps // 2)
    if not warm:
        return keras.optimizers.schedules.CosineDecay(stage.learning_rate, steps, alpha=0.05)
    return keras.optimizers.schedules.CosineDecay(
        stage.learning_rate / 10,
        steps - warm,
        alpha=0.05,
        warmup_target=stage.learning_rate,
        warmup_steps=warm,
    )
