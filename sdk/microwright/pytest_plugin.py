"""A pytest plugin: models on devices in a user's own tests (`docs/testing.md`).

    def test_it_knows_a_three(microwright_device):
        device = microwright_device("digits.tflite", board="mps2-an386")
        assert device.run(picture).argmax() == 3

pytest imports this module in every run, so it imports the rest only where a test uses it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import pytest

if TYPE_CHECKING:
    from microwright.build import Image
    from microwright.device import Reached
    from microwright.graph import Array
    from microwright.quantize import Recipe
    from microwright.report import Report
    from microwright.sources import Source
    from microwright.target import Optimize

_P = ParamSpec("_P")
_T = TypeVar("_T")


def pytest_addoption(parser: pytest.Parser) -> None:
    """--microwright-board, -port and -runner, on the command line and in the configuration file."""
    group = parser.getgroup("microwright")
    for name, text in (
        ("board", "board of microwright_device where a test names none: an id, or a .toml file"),
        ("port", "port of a device, for microwright_device: a port, a URL, or auto"),
        ("runner", "flash tool or emulator that microwright_device runs the firmware by"),
    ):
        group.addoption(f"--microwright-{name}", metavar=name.upper(), help=text)
        parser.addini(f"microwright_{name}", text)


def _short(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Errors of Microwright fail the test in two lines, at the test's own line."""

    @functools.wraps(function)
    def calling(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        __tracebackhide__ = True
        from microwright.errors import MicrowrightError

        try:
            return function(*args, **kwargs)
        except MicrowrightError as error:
            said = f"{type(error).__name__}: {error.message}\nhint: {error.hint}"
        pytest.fail(said)

    return calling


class DeviceUnderTest:
    """A device that runs a model; `image` is its firmware."""

    def __init__(self, image: Image, reached: Reached) -> None:
        self.image = image
        self._reached = reached

    @_short
    def run(self, *inputs: object, raw: bool = False) -> Array | tuple[Array, ...]:
        """The model's output for one sample: an array, or a tuple of them where it has several.

        `inputs` are arrays, one a model input, with or without the batch axis of 1. Real values are quantised
        as the input is, values of the input's own type pass as they are. Outputs are real values, float32;
        with `raw`, values of the output's own type.
        """
        import numpy as np

        from microwright import accuracy, data
        from microwright.errors import InputError
        from microwright.measure import measure

        graph = self.image.project.graph
        if len(inputs) != len(graph.inputs):
            raise InputError(
                f"{graph.name}: run got {len(inputs)} arrays, the model has {len(graph.inputs)} inputs",
                "give one array a model input",
            )
        sample = tuple(
            data.to_input(graph, position, np.asarray(array)[np.newaxis])[0]
            for position, array in enumerate(inputs)
        )
        measured = measure(
            self.image,
            self._reached.url,
            [sample],
            emulation=self._reached.emulation,
            warmup=0,
            compare_clock=False,
        )
        outputs = measured.outputs[0]
        if not raw:
            pairs = zip(outputs, graph.outputs, strict=True)
            outputs = tuple(accuracy.real(values, graph.tensors[index]) for values, index in pairs)
        return outputs[0] if len(outputs) == 1 else outputs

    @_short
    def measure(
        self, data: Source | str | Path | None = None, *, random_inputs: int = 20, per_layer: bool = False
    ) -> Report:
        """What `microwright measure` reports: latency, memory, agreement, accuracy where there are labels."""
        from microwright import pipeline

        wanted = pipeline.take_samples(self.image.project.graph, data, random_inputs)
        return pipeline.evaluate(self.image, wanted, url=self._reached.url, per_layer=per_layer)


MakeDevice = Callable[..., DeviceUnderTest]


@pytest.fixture(scope="session")
def microwright_device(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeDevice]:
    """Makes devices that run a model; each model is built once a session for each board.

    microwright_device(model, board=None, port=None, runner=None, optimize="balanced", calibration=None):
    `model` is a .tflite, a Keras file with its calibration samples, or the folder of a built project. The
    device is emulated; or flashed, where `runner` names a flash tool; or one that runs the project's firmware
    already: at `port`, or, of a board that nothing emulates, at that of its USB ids. `board`,
    `port` and `runner` default to the options --microwright-board, -port and -runner.
    """
    made: dict[tuple[object, ...], DeviceUnderTest] = {}
    with contextlib.ExitStack() as devices:

        @_short
        def make(
            model: str | Path,
            board: str | None = None,
            port: str | None = None,
            runner: str | None = None,
            *,
            optimize: Optimize = "balanced",
            calibration: Recipe | Source | str | Path | None = None,
        ) -> DeviceUnderTest:
            from microwright import runners
            from microwright.device import reach

            path = Path(model).absolute()
            board = board or _option(request.config, "board")
            port = port or _option(request.config, "port")
            runner = runner or _option(request.config, "runner")
            key = (path, _digest(path), board, port, runner, optimize, calibration)
            if key not in made:
                if path.is_dir():
                    image = _opened(path)
                else:
                    folder = tmp_path_factory.mktemp("microwright") / "project"
                    image = _built(path, board, folder, optimize, calibration)
                if port is None and runner is None:
                    emulator = runners.emulator(image.project.board)
                    runner = None if emulator is None else emulator.name
                made[key] = DeviceUnderTest(image, devices.enter_context(reach(image, port, runner)))
            return made[key]

        yield make


def _option(config: pytest.Config, name: str) -> str | None:
    return config.getoption(f"microwright_{name}") or config.getini(f"microwright_{name}") or None


def _digest(path: Path) -> str | None:
    """A file that changed is another model."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # a folder; or nothing, which the loader says
        return None


def _opened(path: Path) -> Image:
    from microwright import build, project

    return build.open_image(project.open_project(path))


def _built(
    path: Path,
    board_id: str | None,
    folder: Path,
    optimize: Optimize,
    calibration: Recipe | Source | str | Path | None,
) -> Image:
    from microwright import board, build, pipeline, project
    from microwright.errors import InputError

    if board_id is None:
        raise InputError(
            f"no board is given for {path.name}",
            'microwright_device(model, board="mps2-an386"), or pytest --microwright-board=mps2-an386',
        )
    graph = pipeline.load_graph(path, calibration)
    made = project.create(folder, graph, board.load(board_id), optimize=optimize)
    return build.build(made)
