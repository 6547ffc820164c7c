"""Microwright: from a Keras model to measured inference on a microcontroller.

The whole job:

    report = microwright.deploy("model.tflite", "mps2-an386", out="project")

and its stages, each callable alone:

    model   = microwright.load_model(Path("model.keras"))
    data    = microwright.load_data(Path("samples.npz"))
    graph   = microwright.quantize_model(model, data)
    project = microwright.create_project(Path("project"), graph, microwright.load_board("mps2-an386"))
    image   = microwright.build_project(project)
    with microwright.start_firmware(image) as device: ...

Importing this package imports none of the stages; TensorFlow is imported by what works on Keras models only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from microwright.board import load as load_board
    from microwright.build import build as build_project
    from microwright.compress import Teacher, compress_model, fine_tune, prune_channels
    from microwright.diverge import locate as locate_divergence
    from microwright.emit.arrays import emit as emit_arrays
    from microwright.errors import MicrowrightError
    from microwright.graph import read as read_graph
    from microwright.library import compile_model
    from microwright.library import create as create_library
    from microwright.load import load as load_model
    from microwright.measure import measure as measure_firmware
    from microwright.mlperf import evaluate as run_mlperf
    from microwright.pipeline import deploy, load_graph
    from microwright.plan import plan as plan_arena
    from microwright.profile import MlperfTiny
    from microwright.project import create as create_project
    from microwright.project import open_project
    from microwright.quantize import Recipe
    from microwright.quantize import quantize as quantize_model
    from microwright.runners import flash as flash_firmware
    from microwright.runners import start as start_firmware
    from microwright.sources import Source
    from microwright.sources import load as load_data
    from microwright.terminal import render as render_report
    from microwright.verdict import judge as judge_zeros
    from microwright.verify import agreement, reference

__all__ = [
    "MicrowrightError",
    "MlperfTiny",
    "Recipe",
    "Source",
    "Teacher",
    "__version__",
    "agreement",
    "build_project",
    "compile_model",
    "compress_model",
    "create_library",
    "create_project",
    "deploy",
    "emit_arrays",
    "fine_tune",
    "flash_firmware",
    "judge_zeros",
    "load_board",
    "load_data",
    "load_graph",
    "load_model",
    "locate_divergence",
    "measure_firmware",
    "open_project",
    "plan_arena",
    "prune_channels",
    "quantize_model",
    "read_graph",
    "reference",
    "render_report",
    "run_mlperf",
    "start_firmware",
]

# Public name: module and name in it. No public name is a module's, so that `microwright.quantize` stays the
# module.
_HOME = {
    "MicrowrightError": ("errors", "MicrowrightError"),
    "MlperfTiny": ("profile", "MlperfTiny"),
    "Recipe": ("quantize", "Recipe"),
    "Source": ("sources", "Source"),
    "Teacher": ("compress", "Teacher"),
    "agreement": ("verify", "agreement"),
    "build_project": ("build", "build"),
    "compile_model": ("library", "compile_model"),
    "compress_model": ("compress", "compress_model"),
    "create_library": ("library", "create"),
    "create_project": ("project", "create"),
    "deploy": ("pipeline", "deploy"),
    "emit_arrays": ("emit.arrays", "emit"),
    "fine_tune": ("compress", "fine_tune"),
    "flash_firmware": ("runners", "flash"),
    "judge_zeros": ("verdict", "judge"),
    "load_board": ("board", "load"),
    "load_data": ("sources", "load"),
    "load_graph": ("pipeline", "load_graph"),
    "load_model": ("load", "load"),
    "locate_divergence": ("diverge", "locate"),
    "measure_firmware": ("measure", "measure"),
    "open_project": ("project", "open_project"),
    "plan_arena": ("plan", "plan"),
    "prune_channels": ("compress", "prune_channels"),
    "quantize_model": ("quantize", "quantize"),
    "read_graph": ("graph", "read"),
    "reference": ("verify", "reference"),
    "render_report": ("terminal", "render"),
    "run_mlperf": ("mlperf", "evaluate"),
    "start_firmware": ("runners", "start"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'microwright' has no attribute {name!r}")
    module, attribute = _HOME[name]
    return getattr(importlib.import_module(f"microwright.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
