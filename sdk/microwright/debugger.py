"""How an editor debugs a board: launch configurations of VS Code, from the tools in its board file.

A tool that flashes often brings a GDB server, which the extension Cortex-Debug (marus25.cortex-debug) starts
by its `servertype`; the attributes are those of its documentation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from microwright.board import Board

Launch: TypeAlias = dict[str, object]

_EXECUTABLE = "${workspaceFolder}/build/firmware.elf"
_COMMON: Launch = {"request": "launch", "cwd": "${workspaceFolder}", "preLaunchTask": "Build"}
# Scripts of OpenOCD's own by the keys of its settings, by names without "..": a script may run anything.
SCRIPTS: Mapping[str, re.Pattern[str]] = {
    key: re.compile(rf"{folder}/[A-Za-z0-9_]([A-Za-z0-9_+-]|[./](?=[A-Za-z0-9_]))*\.cfg")
    for key, folder in (("config", "board"), ("interface", "interface"), ("target", "target"))
}
# Cores that QEMU has, by its names for them.
_EMULATED = frozenset({"cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"})


def launches(board: Board) -> tuple[Launch, ...]:
    """A configuration for each tool of a board that debugs, in the order of its board file."""
    if board.cpu.core == "native":
        return ({"name": "Debug", "type": "cppdbg", "MIMode": "gdb", "program": _EXECUTABLE, **_COMMON},)
    return tuple(
        {
            "name": f"Debug ({tool})",
            "type": "cortex-debug",
            "executable": _EXECUTABLE,
            "runToEntryPoint": "main",
            **_COMMON,
            **server,
        }
        for tool, settings in board.runners.items()
        if (server := _SERVERS.get(tool, _none)(settings, board)) is not None
    )


def _none(settings: Mapping[str, str | int], board: Board) -> Launch | None:
    return None


def _pyocd(settings: Mapping[str, str | int], board: Board) -> Launch | None:
    return {"servertype": "pyocd", "targetId": settings["target"]} if "target" in settings else None


def _openocd(settings: Mapping[str, str | int], board: Board) -> Launch | None:
    scripts = {key: str(settings[key]) for key in SCRIPTS if key in settings}
    if not all(SCRIPTS[key].fullmatch(script) for key, script in scripts.items()):
        return None
    return {"servertype": "openocd", "configFiles": list(scripts.values())}


def _st_util(settings: Mapping[str, str | int], board: Board) -> Launch | None:
    return {"servertype": "stutil"}


def _qemu(settings: Mapping[str, str | int], board: Board) -> Launch | None:
    if board.cpu.core not in _EMULATED or "machine" not in settings:
        return None
    return {"servertype": "qemu", "machine": settings["machine"], "cpu": board.cpu.core}


_SERVERS: Mapping[str, Callable[[Mapping[str, str | int], Board], Launch | None]] = {
    "pyocd": _pyocd,
    "openocd": _openocd,
    "st-flash": _st_util,
    "qemu": _qemu,
}
