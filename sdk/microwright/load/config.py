"""The configuration in a Keras file: checked before Keras acts on it, and written as Keras 3 reads it."""

from __future__ import annotations

import builtins
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from microwright.errors import InputError
from microwright.load import pruned, trained_ranges

# Layers that are code, run code, or read files that their configuration names.
_CODE = frozenset(
    (
        *("Lambda", "__lambda__", "ClassMethod", "InstanceMethod", "InstanceProperty"),
        *("TensorFlowOpLayer", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
    )
)
_OWN_MODULES = frozenset(("builtins", "keras", "tf_keras"))
# Where Keras has functions that compute; others, such as keras.utils.get_file, do other things.
_FUNCTIONS = re.compile(
    r"(tf_)?keras\.((src|api|_v2|keras)\.)*"
    r"(activations|constraints|initializers|losses|metrics|ops|regularizers)(\.|$)"
)
# Functions of TensorFlow that Keras 2 makes layers of (TFOpLambda), without those that touch files.
_TENSORFLOW = re.compile(
    r"(compat\.v1\.)?((__operators__|bitwise|linalg|math|nn|quantization|signal)\.\w+|reduce_\w+|"
    r"image\.(adjust_contrast|crop_to_bounding_box|pad_to_bounding_box|resize|rgb_to_grayscale)|"
    r"keras\.activations\.\w+|abs|add|add_n|arg(max|min|sort)|broadcast_to|cast|clip_by_\w+|concat|cosh?|"
    r"cum(sum|prod)|divide|einsum|ensure_shape|equal|exp|expand_dims|eye|fill|floor|gather|gather_nd|"
    r"greater|greater_equal|identity|less|less_equal|logical_\w+|matmul|maximum|meshgrid|minimum|multiply|"
    r"negative|norm|not_equal|one_hot|ones|ones_like|pad|pow|range|rank|realdiv|repeat|reshape|reverse|roll|"
    r"round|shape|sigmoid|sign|sinh?|size|slice|sort|space_to_\w+|batch_to_space|split|sqrt|square|squeeze|"
    r"stack|stop_gradient|strided_slice|subtract|tanh?|tensordot|tile|transpose|truediv|unstack|where|zeros|"
    r"zeros_like)"
)
_STANDARD = "replace it by standard layers, or export the model as a SavedModel (model.export)"


def check(path: Path, config: Any, custom: Collection[str]) -> None:
    """Refuse a configuration that would run code from the file, read files, or import what was not given.

    `custom` are the names of the user's own objects. Raises InputError that names the layer.
    """
    for node, layer in _nodes(config):
        kind, module, inner = node["class_name"], node.get("module"), node.get("config")
        where = f"{path}: layer {layer[:80]!r}"
        if kind in _CODE:
            raise InputError(
                f"{where} is a {kind}: code from a model file is never run",
                "replace it by standard layers (Rescaling, Reshape, ...) or by a layer class of your own,"
                " given with --custom module:object, and save the model again",
            )
        function = inner.get("function") if isinstance(inner, dict) else None
        if kind in ("TFOpLambda", "SlicingOpLambda") and not _TENSORFLOW.fullmatch(str(function)):
            raise InputError(f"{where} calls tf.{str(function)[:80]}, which does not only compute", _STANDARD)
        if isinstance(inner, dict) and any(
            isinstance(inner.get(k), str) for k in ("vocabulary", "idf_weights")
        ):
            raise InputError(
                f"{where} would read the file of a vocabulary", "look words up outside the model"
            )
        name = inner if kind == "function" else kind
        known = {str(name), str(node.get("registered_name") or name)} - {"function"}
        if known <= set(custom) or (known <= {*trained_ranges.NAMES, pruned.WRAPPER}):
            continue
        if isinstance(module, str) and not _keras_own(module, str(name), kind == "function"):
            raise InputError(
                f"{where} is of the custom class {str(name)[:80]!r}",
                f"give your code of it, --custom {module[:80]}:{str(name)[:80]}, or use standard layers",
            )


def uses(config: Any, names: Collection[str]) -> bool:
    """Whether a layer is of one of these classes."""
    return any(node["class_name"] in names for node, _ in _nodes(config))


def modernise(config: Any) -> None:
    """Write options as Keras 3 reads them that only Keras 2 wrote otherwise."""
    for node, _ in _nodes(config):
        options = node.get("config")
        if not isinstance(options, dict):
            continue
        if node["class_name"] == "DepthwiseConv2D" and options.get("groups") == 1:
            del options["groups"]
        axis = options.get("axis")
        if node["class_name"] == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
            options["axis"] = axis[0]


def relocate(config: Any, keras: str) -> None:
    """Name modules of Keras 2 as the package `keras` has them: it was `keras`, and is `tf_keras` now."""
    for node, _ in _nodes(config):
        if isinstance(node.get("module"), str):
            node["module"] = re.sub(r"^(tf_)?keras\.(src\.|(?=engine\.))", f"{keras}.src.", node["module"])


def _keras_own(module: str, name: str, function: bool) -> bool:
    """Whether Keras has a class, or a function that computes, of this name in this module."""
    if module.split(".")[0] not in _OWN_MODULES:
        return False
    if module == "builtins":
        return not hasattr(builtins, name)
    return not (function or name[:1].islower()) or bool(_FUNCTIONS.match(module))


def _nodes(config: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Every dictionary with a class name, and the name of the layer that it is or is in."""
    pending = [(config, "")]
    while pending:
        value, layer = pending.pop()
        if isinstance(value, list):
            pending += [(item, layer) for item in value]
        if not isinstance(value, dict):
            continue
        inner = value.get("config")
        name = str(inner.get("name", layer)) if isinstance(inner, dict) else layer
        if isinstance(value.get("class_name"), str):
            yield value, name
        pending += [(item, name) for item in value.values()]
