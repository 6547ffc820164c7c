"""Knowledge distillation: a model learns from what a larger one says, not from labels alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from microwright import _tensorflow, load
from microwright.compress import losses
from microwright.compress.inline import ends
from microwright.errors import InputError

_LEAST = 1e-7  # of a probability whose logarithm is taken


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained Keras 3 model to learn from.

    temperature     softens its probabilities, so that the wrong classes tell more
    weight          of the teacher's part of the loss, 0 to 1; the labels' is 1 - weight
    features        names of layers whose outputs should be alike, the model's -> the teacher's
    feature_weight  of the mean squared difference of these outputs, each divided by the teacher's mean square
    """

    model: Any
    temperature: float = 4.0
    weight: float = 0.5
    features: Mapping[str, str] = field(default_factory=dict)
    feature_weight: float = 1.0


def check(model: Any, teacher: Teacher) -> None:
    """Raise InputError where the model cannot learn from the teacher."""
    if not (0 <= teacher.weight <= 1 and teacher.temperature > 0 and teacher.feature_weight >= 0):
        raise InputError(
            f"a teacher of weight {teacher.weight:g}, temperature {teacher.temperature:g} and feature weight "
            f"{teacher.feature_weight:g}",
            "give a weight in [0, 1], a temperature above 0 and a feature weight of 0 or more",
        )
    if not isinstance(teacher.model, _tensorflow.keras().Model) or not getattr(
        teacher.model, "outputs", None
    ):
        raise InputError(
            f"the teacher is a {type(teacher.model).__name__}, no Keras 3 model that knows its input shape",
            "give a Sequential or functional model; load it with keras.models.load_model",
        )
    for what, own, others in (
        ("inputs", model.inputs, teacher.model.inputs),
        ("outputs", model.outputs, teacher.model.outputs),
    ):
        shapes, wanted = ([tuple(tensor.shape[1:]) for tensor in tensors] for tensors in (others, own))
        if shapes != wanted:
            raise InputError(
                f"the teacher {teacher.model.name!r} has {what} of shape {_shapes(shapes)}, the model "
                f"{model.name!r} {_shapes(wanted)}",
                "give a teacher that was trained for the same task",
            )
    for name, other in teacher.features.items():
        mine, theirs = _output(model, name), _output(teacher.model, other)
        if tuple(mine.shape[1:-1]) != tuple(theirs.shape[1:-1]):
            raise InputError(
                f"layer {name!r} has outputs of shape {tuple(mine.shape[1:])}, the teacher's {other!r} "
                f"{tuple(theirs.shape[1:])}",
                "match layers whose outputs differ in channels only",
            )


def digest(teacher: Teacher) -> str:
    """Of all that makes a difference to who learns from the teacher."""
    options = (teacher.temperature, teacher.weight, sorted(teacher.features.items()), teacher.feature_weight)
    return f"{load.from_keras(teacher.model, '').sha256} {options}"


def answers(teacher: Teacher, x: Any) -> list[Any]:
    """What the teacher says of all samples, an array an output: `student` can learn from that."""
    return list(_tensorflow.keras().tree.flatten(teacher.model.predict(x, batch_size=256, verbose=0)))


def student(model: Any, teacher: Teacher, loss: Any, *, answered: bool = False) -> tuple[Any, list[Any]]:
    """A model to compile and train in a model's place, and all weights that its optimizer trains.

    It has the model's layers, and a loss that the teacher is part of; `loss` is the labels' loss. Validation
    reports that alone. Channels of matched features that differ in number are mapped by a linear layer that
    is trained and thrown away. With `answered` and no features, it is trained on (x, (y, answers)) and the
    teacher does not run.
    """
    keras, tf = _tensorflow.keras(), _tensorflow.tensorflow()
    check(model, teacher)
    pairs = [(_output(model, a), _output(teacher.model, b)) for a, b in teacher.features.items()]
    projections = [
        None if mine.shape[-1] == theirs.shape[-1] else keras.layers.Dense(theirs.shape[-1], use_bias=False)
        for mine, theirs in pairs
    ]
    for projection, (mine, _) in zip(projections, pairs, strict=True):
        if projection is not None:
            projection.build(mine.shape)
    extra = [weight for layer in projections if layer is not None for weight in layer.trainable_weights]
    count, structure = len(model.outputs), ends(model)[1]
    everything = keras.Model(ends(model)[0], [*model.outputs, *(mine for mine, _ in pairs)])
    taught = keras.Model(ends(teacher.model)[0], [*teacher.model.outputs, *(theirs for _, theirs in pairs)])
    each = losses.by_output(model, loss)
    kinds, teacher_kinds = (
        [losses.output_kind(tensor, one) for tensor, one in zip(network.outputs, each, strict=True)]
        for network in (model, teacher.model)
    )

    class Student(keras.Model):  # type: ignore[misc, name-defined]  # keras is not typed
        def train_step(self, data: Any) -> Any:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
            if answered:
                y, wanted = y
            else:
                wanted = keras.tree.flatten(taught(x, training=False))
            with tf.GradientTape() as tape:
                made = keras.tree.flatten(everything(x, training=True))
                outputs = keras.tree.pack_sequence_as(structure, made[:count])
                labels = self.compute_loss(x, y, outputs, sample_weight)
                told = sum(
                    _difference(keras, own, kind, other, other_kind, teacher.temperature)
                    for own, kind, other, other_kind in zip(
                        made[:count], kinds, wanted[:count], teacher_kinds, strict=True
                    )
                )
                value = (1 - teacher.weight) * labels + teacher.weight * told
                for own, other, projection in zip(made[count:], wanted[count:], projections, strict=True):
                    mapped = own if projection is None else projection(own)
                    power = tf.reduce_mean(tf.square(other)) + _LEAST
                    value += teacher.feature_weight * tf.reduce_mean(tf.square(mapped - other)) / power
            weights = [*self.trainable_weights, *extra]
            self.optimizer.apply(tape.gradient(value, weights), weights)
            self._loss_tracker.update_state(value)
            return self.compute_metrics(x, y, outputs, sample_weight=sample_weight)

    made = Student(*ends(model), name=model.name)
    return made, [*made.trainable_weights, *extra]


def _difference(keras: Any, own: Any, kind: str, other: Any, other_kind: str, temperature: float) -> Any:
    """Cross entropy to the teacher's softened probabilities, less their entropy, times temperature squared;
    mean squared error of values that are no probabilities.
    """
    ops = keras.ops
    if kind == "values":
        return ops.mean(ops.square(own - other))
    mine, theirs = (
        ops.log_softmax(_logits(ops, output, how) / temperature)
        for output, how in ((own, kind), (other, other_kind))
    )
    return temperature**2 * ops.mean(ops.sum(ops.exp(theirs) * (theirs - mine), axis=-1))


def _logits(ops: Any, output: Any, kind: str) -> Any:
    if kind == "logits":
        return output
    if kind == "softmax":
        return ops.log(ops.clip(output, _LEAST, 1.0))
    if kind == "sigmoid":
        clipped = ops.clip(output, _LEAST, 1 - _LEAST)
        output = ops.log(clipped) - ops.log(1 - clipped)
    # Of one value a class: this one or none.
    return ops.stack([ops.zeros_like(output), output], axis=-1)


def _output(model: Any, name: str) -> Any:
    try:
        return model.get_layer(name).output
    except (ValueError, AttributeError):
        raise InputError(
            f"model {model.name!r} has no layer {name!r}, or it is called more than once",
            "name a layer that is called once: " + ", ".join(layer.name for layer in model.layers)[:200],
        ) from None


def _shapes(shapes: list[tuple[Any, ...]]) -> str:
    return " and ".join("x".join(str(size) for size in shape) or "scalar" for shape in shapes)
