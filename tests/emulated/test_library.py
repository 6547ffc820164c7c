"""A compiled model in somebody else's CMake project: the folder of `microwright compile`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from microwright import board, cli, library
from microwright.errors import OutputError
from tests.support.firmware import convolutional, dense
from tests.support.native import reference

_MAIN = """
#include <stdio.h>
#include <string.h>

#include "mw_model.h"

static _Alignas(MW_ARENA_ALIGN) unsigned char arena[MW_ARENA_BYTES];

int main(void)
{
    mw_model_init(arena);
    for (int i = 0; i < MW_INPUTS; i++) {
        if (fread(mw_model_input(arena, i), 1, mw_model_input_bytes(i), stdin) != mw_model_input_bytes(i)) {
            return 1;
        }
    }
    if (mw_model_invoke(arena) != MW_OK) {
        return 2;
    }
    for (int i = 0; i < MW_OUTPUTS; i++) {
        fwrite(mw_model_output(arena, i), 1, mw_model_output_bytes(i), stdout);
    }
    return 0;
}
"""
_CMAKE = """
cmake_minimum_required(VERSION 3.16)
project(theirs LANGUAGES C)
add_subdirectory(net)
add_executable(theirs main.c)
target_compile_options(theirs PRIVATE -Wall -Wextra -Werror -pedantic)
target_link_libraries(theirs PRIVATE mw_model)
"""


def test_their_program_computes_what_the_reference_computes(tmp_path: Path) -> None:
    model = convolutional()
    (tmp_path / "net.tflite").write_bytes(model.flatbuffer)
    command = ["compile", str(tmp_path / "net.tflite"), "--board", "host", "-o", str(tmp_path / "net")]
    assert cli.execute(command) == 0
    (tmp_path / "main.c").write_text(_MAIN)
    (tmp_path / "CMakeLists.txt").write_text(_CMAKE)
    for step in (["-S", ".", "-B", "build"], ["--build", "build"]):
        subprocess.run(["cmake", *step], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    rng = np.random.default_rng(0)
    inputs = [rng.integers(-128, 128, model.tensors[i].shape, np.int8) for i in model.inputs]
    program = subprocess.run(
        [tmp_path / "build" / "theirs"],
        input=b"".join(array.tobytes() for array in inputs),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert program.stdout == b"".join(array.tobytes() for array in reference(model.flatbuffer, inputs))


def test_the_library_is_made_for_its_core(tmp_path: Path) -> None:
    mcu = board.load("mps2-an386")
    library.create(tmp_path / "net", library.compile_model(convolutional(), mcu))
    flags = " ".join(mcu.compile_flags)
    assert flags in (tmp_path / "net/README.md").read_text()
    configure = [
        "cmake",
        *("-S", str(tmp_path / "net"), "-B", str(tmp_path / "build")),
        *("-DCMAKE_SYSTEM_NAME=Generic", "-DCMAKE_C_COMPILER=arm-none-eabi-gcc"),
        f"-DCMAKE_C_FLAGS={flags} -Wall -Wextra -Werror -pedantic",
        "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY",
    ]
    for command in (configure, ["cmake", "--build", str(tmp_path / "build")]):
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    archive = tmp_path / "build" / "libmw_model.a"
    listed = subprocess.run(["arm-none-eabi-nm", archive], check=True, capture_output=True, text=True)
    assert " T mw_model_invoke" in listed.stdout
    assert " U malloc" not in listed.stdout


def test_written_again_it_keeps_what_was_added_and_asks_about_what_was_edited(tmp_path: Path) -> None:
    compiled = library.compile_model(dense(), board.load("host"))
    library.create(tmp_path / "net", compiled)
    first = {path: path.read_bytes() for path in sorted((tmp_path / "net").rglob("*")) if path.is_file()}
    (tmp_path / "net/mine.txt").write_text("mine")
    library.create(tmp_path / "net", compiled)
    assert {path: path.read_bytes() for path in first} == first
    (tmp_path / "net/model/mw_model.c").write_text("// mine")
    with pytest.raises(OutputError, match=r"'model/mw_model\.c' was edited"):
        library.create(tmp_path / "net", compiled)
    library.create(tmp_path / "net", compiled, force=True)
    assert {path: path.read_bytes() for path in first} == first
    assert (tmp_path / "net/mine.txt").read_text() == "mine"
