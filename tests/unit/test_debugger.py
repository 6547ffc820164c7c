"""What VS Code gets of a board: JSON that its extensions know, from the tools of the board file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from microwright import board, debugger, project, runners
from tests.support.firmware import dense

# Attributes and GDB servers that the extensions document.
CORTEX_DEBUG = {
    "name", "type", "request", "cwd", "executable", "servertype", "runToEntryPoint", "preLaunchTask",
    "targetId", "configFiles", "machine", "cpu",
}  # fmt: skip
CPPDBG = {"name", "type", "request", "cwd", "program", "MIMode", "preLaunchTask"}
SERVERS = {"pyocd", "openocd", "stutil", "qemu"}


@pytest.mark.parametrize("board_id", board.all_ids())
def test_every_board_has_the_launches_of_its_tools(board_id: str) -> None:
    on = board.load(board_id)
    made = debugger.launches(on)
    assert len({launch["name"] for launch in made}) == len(made)
    for launch in made:
        if on.cpu.core == "native":
            assert set(launch) == CPPDBG
            continue
        assert set(launch) <= CORTEX_DEBUG and launch["servertype"] in SERVERS
        assert str(launch["name"]).removeprefix("Debug (").removesuffix(")") in on.runners
    tools = [str(launch.get("servertype", "")) for launch in made]
    assert ("pyocd" in tools, "openocd" in tools) == ("pyocd" in on.runners, "openocd" in on.runners)


def test_tools_have_the_names_of_runners() -> None:
    assert set(debugger._SERVERS) <= set(runners.RUNNERS)


def test_settings_are_those_of_the_board_file() -> None:
    by_tool = {launch["servertype"]: launch for launch in debugger.launches(board.load("blackpill-f411ce"))}
    assert by_tool["pyocd"]["targetId"] == "stm32f411ceux"
    assert by_tool["openocd"]["configFiles"] == ["interface/stlink.cfg", "target/stm32f4x.cfg"]
    assert by_tool["qemu"]["machine"] == "netduinoplus2" and by_tool["qemu"]["cpu"] == "cortex-m4"


@pytest.mark.parametrize("board_id", ["host", "nucleo-f446re", "mps3-an547", "rpi4"])
def test_a_project_opens_in_vs_code(tmp_path: Path, board_id: str) -> None:
    on = board.load(board_id)
    project.create(tmp_path / "p", dense(), on)
    made: dict[str, Any] = {
        path.stem: json.loads(path.read_text()) for path in (tmp_path / "p" / ".vscode").iterdir()
    }
    assert set(made) == {"c_cpp_properties", "extensions", "launch", "settings", "tasks"}
    assert made["launch"]["configurations"] == list(debugger.launches(on))
    tasks = {task["label"]: task for task in made["tasks"]["tasks"]}
    presets = json.loads((tmp_path / "p" / "CMakePresets.json").read_text())
    assert tasks["Build"]["args"][-1] in {preset["name"] for preset in presets["buildPresets"]}
    assert {launch["preLaunchTask"] for launch in made["launch"]["configurations"]} <= set(tasks)
    (settings,) = made["c_cpp_properties"]["configurations"]
    assert settings["compilerArgs"] == list(on.compile_flags)
    assert ("marus25.cortex-debug" in made["extensions"]["recommendations"]) == (on.flash is not None)
