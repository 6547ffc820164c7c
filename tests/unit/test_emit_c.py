"""C text: whatever a model says, it compiles to what was meant."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from microwright import _paths, passes
from microwright.emit import aot, c
from microwright.errors import InputError
from microwright.graph import Graph, read
from microwright.plan import plan
from tests.support.tflite_maker import Maker

_HOSTILE = (
    "*/ int stolen; /*",
    "// \\",
    "end\\",
    "??/",
    "a\nint stolen;\n",
    '"; int stolen; "',
    "%s%n",
    "\x00\x1b[31m\u202e\u2028",
    "#include </etc/passwd>",
    "$(stolen) `stolen` ${stolen}",
    "é" * 500,
    "",
)
_FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")


@given(st.text())
@settings(max_examples=300, deadline=None, derandomize=True)
@example(_HOSTILE[0])
@example(_HOSTILE[3])
@example("x" * 200)
def test_a_comment_cannot_be_left(text: str) -> None:
    comment = c.comment(text)
    assert re.fullmatch(r"[A-Za-z0-9_/.:;+ -]*", comment)
    assert len(comment) <= 80


@given(st.text())
@settings(max_examples=300, deadline=None, derandomize=True)
@example(_HOSTILE[5])
@example("x" * 200)
def test_a_string_cannot_be_left(text: str) -> None:
    literal = c.string(text)
    assert literal[0] == literal[-1] == '"'
    assert re.fullmatch(r"[A-Za-z0-9_/.:;+ -]*", literal[1:-1])
    assert len(literal) <= 82


def test_plain_names_stay_as_they_are() -> None:
    name = "model/conv2d_1/BiasAdd;re-lu:0"
    assert c.comment(name) == name
    assert c.string(name) == f'"{name}"'


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@settings(max_examples=500, deadline=None, derandomize=True)
@example(0.0)
@example(-0.0)
def test_a_float_literal_reads_back(value: float) -> None:
    literal = c.real(value)
    assert re.fullmatch(r"-?\d\.\d+e[+-]\d\d+f", literal)
    assert np.float32(literal[:-1]).tobytes() == np.float32(value).tobytes()


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), 1e39])
def test_what_is_no_float32_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="no finite float32"):
        c.real(value)
    with pytest.raises(InputError):
        c.array(np.array([1.0, np.float64(value) if abs(value) < 1e38 else np.inf], np.float32))


def _run_c(source: str, directory: Path) -> str:
    (directory / "main.c").write_text(source, encoding="ascii")
    _gcc(["main.c", "-o", "main"], directory)
    return subprocess.run([directory / "main"], capture_output=True, text=True, check=True).stdout


def _gcc(arguments: Sequence[str], directory: Path) -> None:
    done = subprocess.run(
        ["gcc", *_FLAGS, *arguments], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


_FLOATS = np.array(
    [0.0, -0.0, 1.0, -0.1, 1e-45, -1.1754942e-38, 1.1754944e-38, 3.4028235e38, -3.4028235e38, 16777217.0],
    np.float32,
)


@pytest.mark.parametrize(
    "values",
    [
        np.array([-128, -1, 0, 127], np.int8),
        np.array([0, 255], np.uint8),
        np.array([-(2**15), 2**15 - 1], np.int16),
        np.array([0, 2**16 - 1], np.uint16),
        np.array([-(2**31), 1 - 2**31, -1, 0, 2**31 - 1], np.int32),
        np.array([0, 2**31, 2**32 - 1], np.uint32),
        np.array([-(2**63), 1 - 2**63, -(2**31), 0, 2**63 - 1], np.int64),
        np.array([True, False]),
        _FLOATS,
        np.random.default_rng(0).standard_normal(500).astype(np.float32),
        np.arange(500, dtype=np.int16).reshape(5, 100),
    ],
    ids=lambda values: f"{values.dtype}-{values.size}",
)
def test_an_array_compiles_to_its_values(values: np.ndarray, tmp_path: Path) -> None:
    text = c.array(values)
    assert max(len(line) for line in text.splitlines()) <= 100
    source = f"""
#include <stdint.h>
#include <stdio.h>
static const {c.C_TYPES[values.dtype.name]} values[{values.size}] = {text};
int main(void)
{{
    const unsigned char *bytes = (const unsigned char *)values;
    for (unsigned i = 0; i < sizeof values; ++i) {{
        printf("%02x", bytes[i]);
    }}
    return 0;
}}
"""
    assert _run_c(source, tmp_path) == values.tobytes().hex()


def test_a_string_compiles_to_its_text(tmp_path: Path) -> None:
    strings = ", ".join(c.string(text) for text in _HOSTILE)
    comments = "\n".join(f"// {c.comment(text)}\n/* {c.comment(text)} */" for text in _HOSTILE)
    source = (
        f"#include <stdio.h>\n{comments}\nstatic const char *const names[] = {{{strings}}};\n"
        "int main(void)\n{\n"
        "    for (unsigned i = 0; i < sizeof names / sizeof *names; ++i) { puts(names[i]); }\n"
        "    return 0;\n}\n"
    )
    lines = _run_c(source, tmp_path).splitlines()
    assert lines == [c.string(text)[1:-1] for text in _HOSTILE]


def _model(name: str, tensor_name: str) -> Graph:
    m = Maker()
    x = m.tensor((1, 4), scale=0.5, zero_point=-128, name=tensor_name)
    w = m.const(np.arange(8, dtype=np.int8).reshape(2, 4), scale=0.25, name=tensor_name)
    b = m.const(np.array([-(2**31), 7], np.int32), scale=0.125, name=tensor_name)
    y = m.tensor((1, 2), scale=0.5, name=tensor_name)
    m.node("FULLY_CONNECTED", [x, w, b], [y])
    return passes.run(read(m.build([x], [y]), name))


@pytest.mark.parametrize("name", _HOSTILE)
def test_a_model_with_hostile_names_compiles_to_the_same_program(name: str, tmp_path: Path) -> None:
    sources = aot.emit(plan(_model(name, name)))
    assert set(sources) == {"mw_model.h", "mw_model.c"}
    for path, text in sources.items():
        (tmp_path / path).write_text(text, encoding="ascii")
        assert "stolen;\n" not in text
    _gcc([f"-I{_paths.runtime() / 'include'}", "-I.", "-c", "mw_model.c"], tmp_path)
    # Without its comments, and its name and hashes, it is the program of a model with harmless names.
    plain = aot.emit(plan(_model("plain", "plain")))
    for path, text in sources.items():
        assert _bare(text) == _bare(plain[path])


def _bare(text: str) -> str:
    return re.sub(r"//[^\n]*|#define MW_MODEL_(NAME|SHA256|ID) [^\n]*", "", text)


def test_the_same_model_gives_the_same_bytes() -> None:
    assert aot.emit(plan(_model("m", "x"))) == aot.emit(plan(_model("m", "x")))


def test_the_entry_points_answer_for_what_the_model_has(tmp_path: Path) -> None:
    for path, text in aot.emit(plan(_model("m", "x"))).items():
        (tmp_path / path).write_text(text, encoding="ascii")
    (tmp_path / "main.c").write_text(
        """
#include <stdio.h>
#include "mw_model.h"
static _Alignas(MW_ARENA_ALIGN) uint8_t arena[MW_ARENA_BYTES];
int main(void)
{
    printf("%d %d %d %d\\n", MW_LAYERS, mw_model_layer(arena, -1), mw_model_layer(arena, MW_LAYERS),
           mw_model_init(arena));
    printf("%d %d\\n", mw_model_input(arena, 1) == NULL, mw_model_output(arena, -1) == NULL);
    printf("%d %d %d\\n", (int)mw_model_input_bytes(0), (int)mw_model_output_bytes(0),
           (int)mw_model_input_bytes(1));
    printf("%s %d %g\\n", MW_MODEL_NAME, MW_INPUT_0_ZERO_POINT, (double)MW_OUTPUT_0_SCALE);
    return 0;
}
""",
        encoding="ascii",
    )
    kernels = [
        str(_paths.runtime() / "src" / f"{kernel}.c") for kernel in aot.kernels(plan(_model("m", "x")))
    ]
    arguments = [f"-I{_paths.runtime() / 'include'}", "-I.", "main.c", "mw_model.c", *kernels, "-o", "main"]
    _gcc(["-std=c11", *arguments], tmp_path)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["1 -1 -1 0", "1 1", "4 2 0", "m -128 0.5"]


def test_equal_constants_of_layers_are_one() -> None:
    m = Maker()
    weights = m.const(np.full((7, 7), 3, np.int8), scale=0.5)
    x, y, z = (m.tensor((1, 7), scale=1.0) for _ in range(3))
    m.node("FULLY_CONNECTED", [x, weights], [y])
    m.node("FULLY_CONNECTED", [y, weights], [z])
    planned = plan(read(m.build([x], [z]), "m"))
    source = aot.emit(planned)["mw_model.c"]
    assert source.count("_weights[49]") == 1
    assert source.count(".weights = call_0_weights,") == 2
    assert planned.constant_bytes == planned.calls[0].step.constant_bytes
