"""Train on several devices and machines: the same steps as one of them alone would make.

`model.fit` of Keras 3 knows nothing of `MultiWorkerMirroredStrategy` [1]_, so the steps are taken
here. What learns is copied into the strategy's scope for the length of a stage; before and
after, the model is one like any other.

References
----------
.. [1] keras-team/keras, issue 20585.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from mri_tumor.training.judging import judge_outputs
from mri_tumor.training.trainer import Trainer

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from mri_tumor.training.workers import Workers

# Graphics processors of NVIDIA's compute capability 8.0 and later multiply in bfloat16, whose
# range is that of float32, so that no loss needs scaling.
_BFLOAT16_SINCE = (8, 0)


class SharedDropout(keras.layers.Dropout):
    """Dropout that draws for the whole batch, and takes the part of this device.

    What is dropped follows from the seed and the place in the batch alone, as it does where one
    device has the whole batch.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drop some of the inputs, and scale up the rest."""
        if not training or self.rate == 0:
            return inputs
        replicas = tf.distribute.get_replica_context()
        rows = tf.shape(inputs)[0]
        seed = tf.cast(self.seed_generator.state.value, tf.int32)
        shape = tf.concat([[rows * replicas.num_replicas_in_sync], tf.shape(inputs)[1:]], axis=0)
        if self.noise_shape is not None:
            message = f"{self.name}: a dropout with a noise_shape cannot be shared."
            raise NotImplementedError(message)
        every = tf.nn.experimental.stateless_dropout(
            tf.ones(shape, inputs.dtype), rate=self.rate, seed=seed
        )
        first = rows * replicas.replica_id_in_sync_group
        return inputs * every[first : first + rows]

    def advance(self) -> None:
        """Go on to the next draw, as Keras' own does after each; devices may only read it."""
        if self.rate == 0:
            return
        self.seed_generator.state.assign(tf.add(self.seed_generator.state.value, [0, 1]))


def device_precision() -> str | None:
    """Return the policy of mixed precision that all devices here are quick at, if there is one."""
    devices = tf.config.list_physical_devices("GPU")
    found = [
        tf.config.experimental.get_device_details(one).get("compute_capability", (0, 0))
        for one in devices
    ]
    return "mixed_bfloat16" if found and min(found) >= _BFLOAT16_SINCE else None


class SharedTrainer(Trainer):
    """Runs the epochs of a stage on the devices of a strategy.

    Parameters
    ----------
    workers : Workers
        The devices and processes.
    targets : ndarray of float32, shape (n_validation, n_outputs)
        Of the whole validation part.
    positions : ndarray of int
        Which of its images this process judges.
    precision : str or None
        Policy of mixed precision, such as ``"mixed_bfloat16"``.
    """

    def __init__(
        self,
        workers: Workers,
        targets: NDArray[np.float32],
        positions: NDArray[np.intp],
        *,
        precision: str | None = None,
    ) -> None:
        self.workers, self.strategy = workers, workers.strategy
        self.targets, self.positions, self.precision = targets, positions, precision

    def adopt(self, model: keras.Model) -> keras.Model:
        """Return a copy of a model whose variables are on all devices."""

        def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
            config = layer.get_config()
            kind = type(layer)
            if kind is keras.layers.Dropout:
                kind = SharedDropout
            # Probabilities near 1 need all digits of a float32.
            if self.precision and layer is not model.layers[-1]:
                config["dtype"] = self.precision
            return kind.from_config(config)

        with self.strategy.scope():
            copy = keras.models.clone_model(model, clone_function=clone, recursive=True)
        for mine, its in zip(copy._flatten_layers(), model._flatten_layers(), strict=True):
            mine.trainable = its.trainable
        _copy(model, copy)
        self._answer = tf.function(
            lambda inputs: copy(inputs, training=False), reduce_retracing=True
        )
        return copy

    def give_back(self, copy: keras.Model, model: keras.Model) -> None:
        """Put what a copy has learnt into the model that it was made of."""
        _copy(copy, model)

    def scope(self) -> AbstractContextManager[Any]:
        """Return what optimizers are made in."""
        return self.strategy.scope()  # type: ignore[no-any-return]

    def judge(self, model: keras.Model, validation: Any) -> dict[str, float]:  # noqa: ARG002
        """Measure a model on the validation part, each process on its own images."""
        own = [np.asarray(self._answer(validation[i][0])) for i in range(len(validation))]
        outputs = np.zeros((len(self.targets), *own[0].shape[1:]))
        outputs[self.positions] = np.concatenate(own)
        # Each row is of one process; the others add nothing to it.
        return judge_outputs(self.workers.sum(outputs), self.targets)

    def fit(
        self,
        model: keras.Model,
        training: Any,
        *,
        first: int,
        epochs: int,
        callbacks: list[keras.callbacks.Callback],
    ) -> None:
        """Train for some epochs; all processes take each step together."""
        every = keras.callbacks.CallbackList(callbacks, model=model)
        step = self._step(model)
        dropouts = [one for one in model._flatten_layers() if isinstance(one, SharedDropout)]
        model.stop_training = False
        every.on_train_begin()
        for epoch in range(first, epochs):
            every.on_epoch_begin(epoch)
            sums = np.zeros(3)
            for index in range(len(training)):
                *arrays, count = training[index]
                sums += step(*tf.nest.map_structure(self.workers.spread, arrays), count).numpy()
                for dropout in dropouts:
                    dropout.advance()
            loss, accuracy, rows = sums
            every.on_epoch_end(epoch, {"loss": loss / rows, "accuracy": accuracy / rows})
            if model.stop_training:
                break
        every.on_train_end()

    def _step(self, model: keras.Model) -> Any:
        """Compile a step; gives the sums of losses, right answers and rows over all devices."""
        from mri_tumor.training.losses import allowed_accuracy

        criterion, optimizer = model.loss, model.optimizer

        def replica(inputs: Any, targets: Any, weights: Any, there: Any, count: Any) -> Any:
            with tf.GradientTape() as tape:
                outputs = model(inputs, training=True)
                losses = criterion.call(targets, outputs) * weights * there
                # Gradients of all devices are added up, so each counts by its share of the rows.
                loss = tf.reduce_sum(losses) / count
                if model.losses:
                    loss += tf.add_n(model.losses) / self.workers.n_replicas
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            right = allowed_accuracy(targets, outputs) * there
            return tf.stack([tf.reduce_sum(one) for one in (losses, right, there)])

        def step(inputs: Any, targets: Any, weights: Any, there: Any, count: Any) -> Any:
            arguments = (inputs, targets, weights, there, count)
            return self.strategy.reduce(
                "SUM", self.strategy.run(replica, args=arguments), axis=None
            )

        compiled = tf.function(step, reduce_retracing=True)

        def call(inputs: Any, targets: Any, weights: Any, there: Any, count: int) -> Any:
            return compiled(inputs, targets, weights, there, tf.constant(count, tf.float32))

        return call


def _copy(source: keras.Model, target: keras.Model) -> None:
    for one, other in zip(source.variables, target.variables, strict=True):
        other.assign(np.asarray(one.numpy()))
