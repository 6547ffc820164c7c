"""Options that several commands share, and what they print with."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

if TYPE_CHECKING:
    from rich.console import Console

    from microwright.board import Board
    from microwright.coverage import Caution
    from microwright.link import Connect
    from microwright.load import Model, Shapes
    from microwright.progress import Progress
    from microwright.quantize import IOType, Scheme
    from microwright.report import Report
    from microwright.sources import Source

_F = TypeVar("_F", bound=Callable[..., Any])

_log = logging.getLogger("microwright")

_PIPE_COLUMNS = 200
_MAX_SCALE = 1e30

# What exists and is readable is judged by the stage that reads it, with one error for all callers.
PATH = click.Path(path_type=Path)


@dataclass(frozen=True)
class Given:
    """A model on the command line: its path, and what the user says of how to load it."""

    path: Path
    custom: tuple[str, ...]
    signature: str | None
    input_shapes: Shapes | None

    def load(self, other: Path | None = None) -> Model:
        """The model, or another one by the same options, as far as they are for its kind."""
        from microwright import load

        path = other or self.path
        objects: dict[str, Any] = {}
        if load.takes_custom_objects(path):
            for text in self.custom:
                objects.update(load.custom_object(text))
        elif self.custom and other is None and path.exists():
            _log.warning("%s: no Keras file, --custom is not needed and its code not run", path)
        return load.load(
            path,
            custom_objects=objects,
            signature=self.signature if other is None or path.is_dir() else None,
            input_shapes=self.input_shapes if other is None or path.suffix != ".tflite" else None,
        )


def _shapes(
    context: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> tuple[int, ...] | Mapping[str, tuple[int, ...]] | None:
    """Shapes as 96x96x3, or by the inputs' names."""
    named: dict[str, tuple[int, ...]] = {}
    for text in given:
        name, _, sizes = text.rpartition("=")
        shape = tuple(int(size) for size in sizes.split("x") if size.isdecimal() and len(size) < 10)
        if len(shape) != len(sizes.split("x")) or 0 in shape:
            raise click.BadParameter(f"{text!r} is no shape, as in 96x96x3 or NAME=96x96x3")
        if name in named or (named and "" in (name, *named)):
            raise click.BadParameter("several shapes need the name of an input each: NAME=96x96x3")
        named[name] = shape
    return named.get("", named) or None


def model(function: _F) -> _F:
    """MODEL, and the options of loading it, as `Given`."""

    @functools.wraps(function)
    def with_model(
        *,
        model: Path,
        custom: tuple[str, ...],
        signature: str | None,
        input_shape: Shapes | None,
        **others: Any,
    ) -> None:
        function(model=Given(model, custom, signature, input_shape), **others)

    decorated = with_model
    for option in (
        click.option(
            "--input-shape",
            multiple=True,
            callback=_shapes,
            metavar="SHAPE",
            help="Sizes that the model leaves open: 96x96x3, or NAME=96x96x3 for each of several inputs.",
        ),
        click.option("--signature", metavar="NAME", help="Signature of a SavedModel with several."),
        click.option(
            "--custom",
            multiple=True,
            metavar="MODULE:OBJECT",
            help="A layer or function of your own that a Keras model needs; more than once for several.",
        ),
        click.argument("model", type=PATH),
    ):
        decorated = option(decorated)
    return cast(_F, decorated)


def board(function: _F) -> _F:
    """--board ID, required."""
    return click.option(
        "--board",
        "board_id",
        required=True,
        metavar="ID",
        help="Board id (`microwright boards`) or a .toml file.",
    )(function)


SAMPLES = "a .npz or .npy, a .csv, a folder of images, or module:function"


def _scale(context: click.Context, option: click.Parameter, given: str | None) -> tuple[float, float] | None:
    """LOW..HIGH, two numbers."""
    if given is None:
        return None
    low, dots, high = given.partition("..")
    with contextlib.suppress(ValueError):
        scale = float(low), float(high) if dots else math.nan
        # What is in between has to fit float32; NaN is beyond any limit.
        if scale[0] != scale[1] and all(abs(end) <= _MAX_SCALE for end in scale):
            return scale
    raise click.BadParameter(f"{given!r} is no LOW..HIGH, as in 0..1, -1..1 or 0..255")


def sources(*names: str) -> Callable[[_F], _F]:
    """--image-scale and --label, and the options `names`, which are paths, as `Source`s that know them."""

    def decorate(function: _F) -> _F:
        @functools.wraps(function)
        def with_sources(
            *, image_scale: tuple[float, float] | None, label: str | None, **others: Any
        ) -> None:
            from microwright import sources

            given = {name: str(others[name]) for name in names if others[name] is not None}
            if image_scale is not None and not any(map(sources.may_be_images, given.values())):
                raise click.UsageError("--image-scale is for a folder of images, and none is given")
            if label is not None and not any(map(sources.may_be_table, given.values())):
                raise click.UsageError("--label is for a .csv, and none is given")
            for name, where in given.items():
                others[name] = sources.Source(
                    where,
                    image_scale if sources.may_be_images(where) else None,
                    label if sources.may_be_table(where) else None,
                )
            function(**others)

        scaled = click.option(
            "--image-scale",
            callback=_scale,
            metavar="LOW..HIGH",
            help="What black and white of images are for the model: 0..1, -1..1, 0..255.",
        )(with_sources)
        return cast(
            _F,
            click.option(
                "--label",
                metavar="COLUMN",
                help="Column of a .csv that has the labels: its name, or its number from 0 without a header.",
            )(scaled),
        )

    return decorate


def recipe(function: _F) -> _F:
    """The options of quantisation as a `Recipe`, for commands that take a Keras model too."""

    @functools.wraps(function)
    def with_recipe(
        *,
        calibration: Source | None,
        calibrate_randomly: bool,
        scheme: Scheme,
        input_type: IOType | None,
        output_type: IOType | None,
        **others: Any,
    ) -> None:
        from microwright.quantize import Recipe

        made = Recipe(calibration, calibrate_randomly, input_type, output_type, scheme)
        function(recipe=made, **others)

    options = [
        click.option(
            "--calibration",
            type=PATH,
            metavar="SAMPLES",
            help=f"Samples that a Keras model is quantised with, a few hundred: {SAMPLES}.",
        ),
        click.option(
            "--calibrate-randomly",
            is_flag=True,
            help="Quantise without samples. The model and all its reports are marked: not representative.",
        ),
        click.option(
            "--scheme",
            type=click.Choice(("int8", "int16x8", "float32")),
            default="int8",
            show_default=True,
            help="How a Keras model is quantised; int16x8: int16 activations, int8 weights; float32: not.",
        ),
    ]
    for end in ("input", "output"):
        options.append(
            click.option(
                f"--{end}-type",
                type=click.Choice(("int8", "uint8", "int16", "float32")),
                help=f"Type of the quantised model's {end}s; default: that of the scheme.",
            )
        )
    decorated = with_recipe
    for option in reversed(options):
        decorated = option(decorated)
    return cast(_F, decorated)


def engine(function: _F) -> _F:
    """--engine NAME."""
    return click.option(
        "--engine", default="aot", show_default=True, metavar="NAME", help="aot: compiled ahead of time to C."
    )(function)


def arena_section(function: _F) -> _F:
    """--arena-section REGION."""
    return click.option(
        "--arena-section",
        multiple=True,
        metavar="REGION",
        help="Memory region of the board for the arena; given twice, the first that holds it, else both. "
        "[default: as the board file says]",
    )(function)


def arch(function: _F) -> _F:
    """--arch NAME."""
    return click.option(
        "--arch",
        metavar="NAME",
        help="Architecture of the board's Linux, as `uname -m` has it. [default: the board file's first]",
    )(function)


def board_of(board_id: str, arena_section: tuple[str, ...], arch: str | None) -> Board:
    """The board of an id, with the arena where the user wants it and the operating system that is there."""
    from microwright import board as boards
    from microwright import runners

    board = boards.load(board_id)
    runners.check_all(board)
    if arch is not None:
        board = board.with_arch(arch)
    return board.with_arena(*arena_section) if arena_section else board


def boards() -> list[Board]:
    """All boards. Of files that are none, it is said what is wrong."""
    from microwright import board as boards
    from microwright.coverage import Caution

    found, wrong = boards.load_all()
    for error in wrong:
        caution(Caution("board-file", error.message, error.hint))
    return found


def optimize(function: _F) -> _F:
    """--optimize speed, balanced or size."""
    return click.option(
        "--optimize",
        type=click.Choice(("speed", "balanced", "size")),
        default="balanced",
        show_default=True,
        metavar="GOAL",
        help="speed, balanced, or size: without kernels that save little time for their code.",
    )(function)


def toolchain(function: _F) -> _F:
    """--toolchain gcc or clang."""
    return click.option(
        "--toolchain",
        type=click.Choice(("gcc", "clang")),
        help="The compiler. [default: of the build before; gcc at first, or cc for this computer]",
    )(function)


def given(name: str) -> bool:
    """Whether the user gave an option of the command that runs."""
    source = click.get_current_context().get_parameter_source(name)
    return source is not click.core.ParameterSource.DEFAULT


def inputs(function: _F) -> _F:
    """--data SAMPLES and --random-inputs N."""

    @functools.wraps(function)
    def with_inputs(*, data: Source | None, **others: Any) -> None:
        if data is not None and given("random_inputs"):
            raise click.UsageError("--random-inputs takes the place of --data: give one of them")
        function(data=data, **others)

    decorated = click.option(
        "--random-inputs",
        type=click.IntRange(1, 100_000),
        default=20,
        show_default=True,
        metavar="N",
        help="Number of random inputs where no data is given; the same ones each time.",
    )(with_inputs)
    return cast(
        _F,
        click.option(
            "--data",
            type=PATH,
            metavar="SAMPLES",
            help=f"Samples to run, and their labels: {SAMPLES}.",
        )(decorated),
    )


def timing(function: _F) -> _F:
    """--warmup N, --runs N and --per-layer."""
    for option in (
        click.option(
            "--per-layer", is_flag=True, help="Time each layer apart, in one run more: what takes how long."
        ),
        click.option(
            "--runs",
            type=click.IntRange(1, 1_000_000),
            metavar="N",
            help="Timed runs, of the samples in turn; default: one a sample.",
        ),
        click.option(
            "--warmup",
            type=click.IntRange(0, 1000),
            default=1,
            show_default=True,
            metavar="N",
            help="Runs before the timed ones.",
        ),
    ):
        function = option(function)
    return function


def runner(function: _F) -> _F:
    """--runner NAME."""
    return click.option(
        "--runner", metavar="NAME", help="Flash tool or emulator; default: the first of the board file."
    )(function)


def port(function: _F) -> _F:
    """--port URL."""
    return click.option(
        "--port",
        metavar="URL",
        help="A device that runs already: a port, a URL of pyserial, or auto: by the board's USB ids.",
    )(function)


def probe(function: _F) -> _F:
    """--probe SERIAL."""
    return click.option(
        "--probe",
        metavar="SERIAL",
        help="Which board a flash tool takes: its debug probe's serial number, or its drive's folder.",
    )(function)


def record(function: _F) -> _F:
    """--record FILE."""
    return click.option(
        "--record", type=PATH, metavar="FILE", help="Keep all that goes over the serial line in a file."
    )(function)


def replay(function: _F) -> _F:
    """--replay FILE."""
    return click.option("--replay", type=PATH, metavar="FILE", help="Play a recording in place of a device.")(
        function
    )


@contextlib.contextmanager
def line(
    port: str | None, record: Path | None, replay: Path | None = None
) -> Iterator[tuple[str | None, Connect]]:
    """Where the device is, and what opens the line to it: a port, kept in a file or not, or a recording."""
    from microwright.link import Link, Recorder, Replay

    if replay is not None:
        if port is not None or record is not None:
            raise click.UsageError("--replay needs no device: it takes neither --port nor --record")
        with Replay(replay) as played:
            yield played.url, played.connect
    elif record is not None:
        with Recorder(record) as recorder:
            yield port, recorder.connect
    else:
        yield port, Link


def console() -> Console:
    """Where results go: standard output. Text from files is never read as markup."""
    from rich.console import Console

    # A pipe has no width; lines that are cut at a terminal's 80 columns would be of no use there.
    width = None if sys.stdout.isatty() else _PIPE_COLUMNS
    return Console(markup=False, highlight=False, emoji=False, width=width)


def caution(found: Caution) -> None:
    """Print a caution, on standard error."""
    text = f"warning: {found.name}: {found.message}; {found.hint}"
    click.echo("".join(c if c.isprintable() else "?" for c in text), err=True)


def partial(path: Path) -> Callable[[Report], None]:
    """Say where the report of what was measured until Ctrl-C or an error is."""

    def said(report: Report) -> None:
        click.echo(f"note: not complete: {report.latency.runs} runs are in {path}", err=True)

    return said


def device_log(line: str) -> None:
    """Print a line that a device logged, on standard error."""
    click.echo(f"device: {''.join(c if c.isprintable() else '?' for c in line)}", err=True)


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """Progress of long stages on standard error: bars in a terminal, else a plain line each."""
    from microwright.cli._progress import Bars

    logger = logging.getLogger("microwright")
    with Bars(quiet=logger.isEnabledFor(logging.DEBUG)) as bars:
        yield bars
