"""What runs the epochs of a stage: Keras in this process, or something that shares them."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from mri_tumor.training.judging import judge

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import keras


class Trainer:
    """Runs the epochs of a stage by Keras, in this process; what shares them with others differs."""

    def adopt(self, model: keras.Model) -> keras.Model:
        """Return what is to be trained instead of a model."""
        return model

    def give_back(self, copy: keras.Model, model: keras.Model) -> None:
        """Put what `adopt` gave, trained, into the model that it was given."""

    def scope(self) -> AbstractContextManager[Any]:
        """Return what optimizers are made in."""
        return nullcontext()

    def judge(self, model: keras.Model, validation: Any) -> dict[str, float]:
        """Measure a model on the validation part, as `judge` does."""
        return judge(model, validation)

    def fit(
        self,
        model: keras.Model,
        training: Any,
        *,
        first: int,
        epochs: int,
        callbacks: list[keras.callbacks.Callback],
    ) -> None:
        """Train from an epoch on, until the last or until a callback stops it."""
        model.fit(
            training,
            initial_epoch=first,
            epochs=epochs,
            shuffle=False,
            callbacks=callbacks,
            verbose=0,
        )
