"""See through a Keras classifier: its layers in order, nested models opened, its logits found.

Asking a nested model's inner layer for its output fails in Keras 3, and calling its layers on new
symbolic tensors would change the user's model. So the recorded graph is only read, and its layers
are called one by one on real tensors, which gives every intermediate value, in every kind of model.
"""

from __future__ import annotations

import difflib
import inspect
from dataclasses import dataclass, field
from typing import Any

from mri_tumor.errors import ParameterError

FEATURE_MAP = "feature_map"
_SPATIAL_RANK = 4
_INPUT = 0


@dataclass(frozen=True, eq=False)
class Step:
    """One call of a layer or operation: reads some values by number, writes others."""

    operation: Any
    path: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    node: Any = None

    def __call__(self, values: dict[int, Any]) -> None:
        """Run the layer in inference mode on values, and store what it gives among them."""
        import keras

        given = [values[number] for number in self.inputs]
        if self.node is None:
            args, kwargs = (given[0],), {}
        else:
            table = {id(k): v for k, v in zip(self.node.input_tensors, given, strict=True)}
            args, kwargs = self.node.arguments.fill_in(table)
            kwargs = dict(kwargs)
        if isinstance(self.operation, keras.layers.Layer) and _takes_training(self.operation):
            # As predict does: it overrides what a layer was called with while building.
            kwargs["training"] = False
        results = keras.tree.flatten(self.operation(*args, **kwargs))
        values.update(zip(self.outputs, results, strict=False))


def _takes_training(layer: Any) -> bool:
    return "training" in inspect.signature(layer.call).parameters


@dataclass
class Graph:
    """A classifier as a list of steps from its images (number 0) to its output.

    Built by :func:`read_graph`; not changed afterwards.
    """

    name: str
    steps: list[Step] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    owners: list[tuple[Any, int]] = field(default_factory=list)
    output: int = _INPUT
    count: int = 1

    def producer(self, number: int) -> Step | None:
        """Return the step that writes a value, or None for the images."""
        return next((step for step in self.steps if number in step.outputs), None)

    def ancestors(self, number: int) -> set[int]:
        """Return the numbers of all values that a value depends on, itself included."""
        needed = {number}
        for step in reversed(self.steps):
            if needed.intersection(step.outputs):
                needed.update(step.inputs)
        return needed

    def run(self, images: Any, *, tape: Any = None, watch: tuple[int, ...] = ()) -> dict[int, Any]:
        """Compute every value that the output depends on.

        Parameters
        ----------
        images : tensor of float32, shape (n, h, w, c)
            The model's input.
        tape : tf.GradientTape, optional
            Made with ``watch_accessed_variables=False``, it records nothing before the first value
            that is watched, so the gradient runs through what comes after it only.
        watch : tuple of int
            Numbers of the values to watch.

        Returns
        -------
        dict of int to tensor
            The values by number.
        """
        values = {_INPUT: images}
        if tape is not None and _INPUT in watch:
            tape.watch(images)
        for step in self.steps:
            step(values)
            if tape is not None:
                for number in set(step.outputs).intersection(watch):
                    tape.watch(values[number])
        return values

    def find(self, layer: Any) -> int:
        """Return the number of a layer's output.

        Parameters
        ----------
        layer : str or keras.layers.Layer
            A layer or a nested model of this classifier: the object, its name, or its path, such as
            ``"mobilenetv2_1.00_224/Conv_1"``.

        Returns
        -------
        int
            Number of its (first) output.

        Raises
        ------
        ParameterError
            If there is no such layer, or several have that name.
        """
        if not isinstance(layer, str):
            found: list[int] = [number for owner, number in self.owners if owner is layer]
            if not found:
                raise ParameterError(f"layer: {layer!r} is no layer of the model {self.name!r}")
            return found[-1]
        if layer in self.places:
            return self.places[layer]
        same = [path for path in self.places if path.rsplit("/", 1)[-1] == layer]
        if len(same) > 1:
            raise ParameterError(
                f"layer: {layer!r} is the name of several layers; use a path: {', '.join(same)}"
            )
        if same:
            return self.places[same[0]]
        known = {path.rsplit("/", 1)[-1]: path for path in self.places}
        close = difflib.get_close_matches(layer, list(known) + list(self.places), n=3)
        hint = f"; close to it: {', '.join(close)}" if close else ""
        raise ParameterError(f"layer: the model {self.name!r} has no layer {layer!r}{hint}")

    def add(self, operation: Any, path: str, inputs: tuple[int, ...], node: Any = None) -> int:
        """Append a step, and return the number of its first output."""
        outputs = 1 if node is None else len(node.outputs)
        first = self.count
        self.count += outputs
        self.steps.append(Step(operation, path, inputs, tuple(range(first, self.count)), node))
        self.register(operation, path, first)
        return first

    def register(self, operation: Any, path: str, number: int) -> None:
        """Let a layer or nested model be found by its path and by itself."""
        self.places[path] = number
        self.owners.append((operation, number))


def read_graph(model: Any) -> Graph:
    """Read a Keras classifier into steps, with every nested model opened.

    Parameters
    ----------
    model : keras.Model
        Functional, Sequential, or nested in any way; one input, one output. A model that defines
        its own `call` stays closed: one step.

    Returns
    -------
    Graph
        The steps that the output depends on. The model itself is not changed.

    Raises
    ------
    ParameterError
        If it has several inputs or outputs.
    """
    graph = Graph(model.name)
    if _opens(model):
        ends = _open(graph, model, (_INPUT,), "")
        if len(ends) != 1:
            raise ParameterError(
                f"model: {model.name!r} has {len(ends)} outputs; make one with a single output, "
                "keras.Model(model.input, model.outputs[0])"
            )
        graph.output = ends[0]
    else:
        graph.output = graph.add(model, model.name, (_INPUT,))
    needed = graph.ancestors(graph.output)
    graph.steps = [step for step in graph.steps if needed.intersection(step.outputs)]
    graph.places = {path: number for path, number in graph.places.items() if number in needed}
    graph.owners = [(owner, number) for owner, number in graph.owners if number in needed]
    return graph


def _opens(operation: Any) -> bool:
    """Tell whether this is a model whose graph is all there is to it."""
    import keras

    if not isinstance(operation, keras.Model):
        return False
    definer = next(kind for kind in type(operation).__mro__ if "call" in vars(kind))
    if not definer.__module__.startswith("keras."):
        return False
    return isinstance(operation, keras.Sequential | keras.Function)


def _open(graph: Graph, model: Any, inputs: tuple[int, ...], prefix: str) -> list[int]:
    """Append the steps of a model that reads the given values; return its outputs' numbers."""
    import keras

    if isinstance(model, keras.Sequential):
        number = inputs[0]
        for layer in model.layers:
            number = _append(graph, layer, (number,), prefix)[0]
        return [number]
    if len(model.inputs) != len(inputs):
        raise ParameterError(
            f"model: {model.name!r} has {len(model.inputs)} inputs; an explanation needs one, the "
            "images"
        )
    table = {id(tensor): number for tensor, number in zip(model.inputs, inputs, strict=True)}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            # An input's own node, or a branch that does not start at this model's inputs.
            if node.is_input or any(id(k) not in table for k in node.input_tensors):
                continue
            sources = tuple(table[id(tensor)] for tensor in node.input_tensors)
            ends = _append(graph, node.operation, sources, prefix, node)
            table.update({id(k): number for k, number in zip(node.outputs, ends, strict=True)})
    return [table[id(tensor)] for tensor in model.outputs]


def _append(
    graph: Graph, operation: Any, inputs: tuple[int, ...], prefix: str, node: Any = None
) -> list[int]:
    path = f"{prefix}{operation.name}"
    if _opens(operation):
        ends = _open(graph, operation, inputs, f"{path}/")
        graph.register(operation, path, ends[0])
        return ends
    first = graph.add(operation, path, inputs, node)
    return list(range(first, graph.count))
