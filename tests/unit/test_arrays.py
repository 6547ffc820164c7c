"""C arrays for TensorFlow Lite Micro: the bytes, the alignment, the names."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from microwright import graph
from microwright.emit import arrays
from microwright.graph import Graph
from tests.support.small_model import small_model

# Prints the array's bytes; fails where it is not aligned.
_PRINT = """
#include <stdint.h>
#include <stdio.h>
#include "model_data.h"
int main(void)
{
    fwrite(g_small_model_data, 1, g_small_model_data_size, stdout);
    return (uintptr_t)g_small_model_data % 16 != 0;
}
"""
_HOSTILE = (
    "",
    "9 lives",
    "a;b",
    '"; system("x"); //',
    "*/ int x; /*",
    "модель",
    "a\\\nb",
    "__x__",
    "n" * 300,
)
_STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic")


@pytest.fixture(scope="module")
def model() -> Graph:
    return graph.read(small_model(), "small")


def _compile_and_run(folder: Path, *command: str) -> bytes:
    suffix = "cc" if command[0] == "g++" else "c"
    main = folder / f"main.{suffix}"
    main.write_text(_PRINT)
    # A C compiler judges by the suffix.
    source = (folder / "model_data.cc").rename(folder / f"model_data.{suffix}")
    binary = folder / "print"
    subprocess.run([*command, *_STRICT, "-o", binary, source, main], check=True, timeout=300)
    return subprocess.run([binary], check=True, capture_output=True, timeout=60).stdout


@pytest.mark.parametrize("command", [("g++", "-std=c++11"), ("gcc", "-std=c11")])
def test_the_array_holds_the_model_aligned(model: Graph, tmp_path: Path, command: tuple[str, ...]) -> None:
    for path, text in arrays.emit(model).items():
        (tmp_path / path).write_text(text)
    assert _compile_and_run(tmp_path, *command) == model.flatbuffer


def test_any_name_gives_c_that_compiles(model: Graph, tmp_path: Path) -> None:
    sources = []
    for number, name in enumerate(_HOSTILE):
        folder = tmp_path / str(number)
        folder.mkdir()
        for path, text in arrays.emit(replace(model, name=name)).items():
            (folder / path).write_text(text)
        sources.append(folder / "model_data.cc")
    subprocess.run(["g++", "-std=c++11", *_STRICT, "-fsyntax-only", *sources], check=True, timeout=300)


def test_identifiers_are_ascii_and_never_reserved() -> None:
    for name in _HOSTILE:
        assert re.fullmatch(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*", arrays.identifier(name)), name
        assert len(arrays.identifier(name)) <= 48
    assert arrays.identifier("person detect (v2)") == "person_detect_v2"


def test_the_same_model_gives_the_same_text(model: Graph) -> None:
    assert arrays.emit(model) == arrays.emit(graph.read(small_model(), "small"))
    assert model.sha256 in arrays.emit(model)["model_data.h"]


def test_a_name_of_the_users_own_replaces_the_models(model: Graph) -> None:
    emitted = arrays.emit(model, "keyword spotter")
    assert "g_keyword_spotter_model_data[]" in emitted["model_data.h"]
    assert "small" not in emitted["model_data.h"]
