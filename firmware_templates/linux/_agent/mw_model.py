"""A model in LiteRT, or in TensorFlow Lite, as it was called."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mw_machine import Machine, status_bytes


class Failed(Exception):
    """What the user has to do something about."""


class Model:
    """A model in LiteRT: `inputs` and `outputs` are sizes in bytes, `facts` what is known of it."""

    def __init__(self, path: Path, threads: int, xnnpack: bool, machine: Machine) -> None:
        numpy = _module("numpy")
        package, module = _runtime()
        # The peak so far is that of loading the runtime; from here on it is the model's.
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        baseline = status_bytes(machine, "VmHWM")
        try:
            self.data = path.read_bytes()
        except OSError as error:
            raise Failed(f"cannot read the model {path}: {error.strerror}") from error
        resolvers = module.OpResolverType

        def load() -> Any:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made = module.Interpreter(
                    model_content=self.data,
                    num_threads=threads,
                    experimental_op_resolver_type=resolvers.AUTO
                    if xnnpack
                    else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                )
            made.allocate_tensors()
            return made

        start = time.perf_counter_ns()
        try:
            self._interpreter = load()
        except (ValueError, RuntimeError) as error:
            hint = "; it may without XNNPACK: --xnnpack off" if xnnpack else ""
            raise Failed(
                f"{package} does not take the model {path}: {' '.join(str(error).split())[:300]}{hint}"
            ) from error
        init_ns = time.perf_counter_ns() - start
        # Resetting the interpreter leaves the values of variables that are resources.
        operators: list[dict[str, Any]] = getattr(self._interpreter, "_get_ops_details", list)()
        self._load = load if any(each["op_name"] == "VAR_HANDLE" for each in operators) else None
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()
        for each in (*self._inputs, *self._outputs):
            if not numpy.issubdtype(each["dtype"], numpy.number) and each["dtype"] is not numpy.bool_:
                raise Failed(
                    f"tensor {each['name']!r} of the model is of {each['dtype']}, which is no number"
                )
        self._numpy = numpy
        self.inputs = [self._bytes(each) for each in self._inputs]
        self.outputs = [self._bytes(each) for each in self._outputs]
        self.facts = {
            "runtime": package.replace("_", "-"),
            "runtime_version": importlib.metadata.version(package.replace("_", "-")),
            "threads": threads,
            "xnnpack": xnnpack,
            "init_ns": init_ns,
            "model_bytes": len(self.data),
            "baseline_hwm_bytes": baseline,
        }

    def _bytes(self, details: Mapping[str, Any]) -> int:
        size = self._numpy.dtype(details["dtype"]).itemsize
        for dimension in details["shape"]:
            size *= int(dimension)
        return int(size)

    def reset(self) -> None:
        """Forget what inferences keep for the next one."""
        if self._load:
            self._interpreter = self._load()
        else:
            self._interpreter.reset_all_variables()

    def run(self, inputs: Sequence[bytes]) -> int:
        """One inference; the nanoseconds that it took, without writing the inputs."""
        for index, data in enumerate(inputs):
            details = self._inputs[index]
            array = self._numpy.frombuffer(data, details["dtype"]).reshape(details["shape"])
            self._interpreter.set_tensor(details["index"], array)
        start = time.perf_counter_ns()
        self._interpreter.invoke()
        return time.perf_counter_ns() - start

    def output(self, index: int) -> bytes:
        """An output of the last inference."""
        return bytes(self._interpreter.get_tensor(self._outputs[index]["index"]).tobytes())


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        why = " ".join(str(error).split())[-300:]  # numpy writes a page, and the cause at its end
        raise Failed(f"cannot import {name} in {sys.executable}: {why}") from error


def _runtime() -> tuple[str, Any]:
    """The interpreter's package, by its new or its old name, and its module."""
    try:
        return "ai_edge_litert", importlib.import_module("ai_edge_litert.interpreter")
    except ModuleNotFoundError:
        return "tflite_runtime", _module("tflite_runtime.interpreter")
