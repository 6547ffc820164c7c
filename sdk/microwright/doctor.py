"""What is installed, what is missing, and the command that installs it."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from microwright import _run
from microwright.errors import ToolFailed, ToolMissing

_PYTHON = ((3, 10), (3, 13))


@dataclass(frozen=True)
class Finding:
    """One thing that is needed for something.

    `version` is None where it is missing or does not work, and `problem` then says which. `required`: the
    default job, a .tflite onto an emulated board, does not work without it. `install` is the command that
    installs it.
    """

    name: str
    purpose: str
    required: bool
    version: str | None
    problem: str | None
    install: str

    @property
    def found(self) -> bool:
        """It is there and works."""
        return self.version is not None


# Older ones do not know all cores and options that boards need.
_LEAST = {"arm-none-eabi-gcc": (10,)}

# Program, purpose, required.
_COMPILER = ("arm-none-eabi-gcc", "compiles firmware for Arm Cortex-M", True)

_TOOLS: tuple[tuple[str, str, bool], ...] = (
    ("cmake", "builds projects", True),
    ("ninja", "builds projects", True),
    ("qemu-system-arm", "emulates the mps2 and mps3 boards", True),
    ("cc", "compiles firmware for the board `host`", False),
    ("node", "runs rp2040js, which emulates the Raspberry Pi Pico", False),
    ("clang", "compiles firmware with --toolchain clang", False),
)

# Distribution, purpose, required, the extra that brings it (None: the package itself).
_PACKAGES: tuple[tuple[str, str, bool, str | None], ...] = (
    ("click", "the command line", True, None),
    ("flatbuffers", "reads .tflite files", True, None),
    ("Jinja2", "renders firmware projects", True, None),
    ("numpy", "arrays", True, None),
    ("pyelftools", "reads sizes from the ELF", True, None),
    ("pyserial", "talks to devices", True, None),
    ("rich", "tables and progress bars", True, None),
    ("tflite", "reads .tflite files", True, None),
    ("tensorflow", "loads, prunes and quantises Keras models", False, "keras"),
    ("tflite_micro", "the reference that outputs are compared with", False, "verify"),
    ("ai-edge-litert", "the reference where tflite_micro has no wheel", False, "litert"),
    ("unicorn", "emulates boards that QEMU has no machine for", False, "unicorn"),
    ("Pillow", "reads folders of images", False, "images"),
    ("scikit-learn", "the data of ./tools/demo", False, "demo"),
)


def examine() -> tuple[Finding, ...]:
    """Look at everything; starts each program once to ask for its version."""
    findings = [_python()]
    findings.append(program(*_COMPILER))
    findings.append(_newlib())
    findings += [program(*tool) for tool in _TOOLS]
    findings += [_package(*package) for package in _PACKAGES]
    return tuple(findings)


def complete(findings: tuple[Finding, ...]) -> bool:
    """All that the default job needs is there."""
    return all(finding.found for finding in findings if finding.required)


def to_json(findings: tuple[Finding, ...]) -> Mapping[str, object]:
    """For other programs to read."""
    return {
        "complete": complete(findings),
        "findings": [
            {
                "name": finding.name,
                "purpose": finding.purpose,
                "required": finding.required,
                "found": finding.found,
                "version": finding.version,
                "problem": finding.problem,
                "install": finding.install,
            }
            for finding in findings
        ],
    }


def _python() -> Finding:
    low, high = _PYTHON
    right = low <= sys.version_info[:2] <= high
    wanted = f"{low[0]}.{low[1]} to {high[0]}.{high[1]}"
    return Finding(
        "python",
        "runs Microwright",
        True,
        platform.python_version() if right else None,
        None if right else f"{platform.python_version()} runs this; {wanted} is supported",
        "sudo apt-get install python3 python3-venv",
    )


def program(name: str, purpose: str, required: bool) -> Finding:
    """A program that says its version when it is asked with `--version`."""
    package = _run.PACKAGES.get(name)
    install = f"sudo apt-get install {package}" if package else f"install {name} and put it on PATH"
    finding = _finding(name, purpose, required, install, lambda: _version([name, "--version"]))
    least, version = _LEAST.get(name), finding.version or ""
    if least is None or not version[:1].isdecimal() or tuple(map(int, version.split("."))) >= least:
        return finding
    needed = ".".join(map(str, least))
    return replace(finding, version=None, problem=f"{name} {version} is too old: {needed} or later is needed")


def _newlib() -> Finding:
    return _finding(
        "newlib",
        "the C library of firmware",
        True,
        f"sudo apt-get install {_run.PACKAGES['arm-none-eabi-gcc']}",
        _newlib_version,
    )


def _newlib_version() -> str | None:
    argv = ["arm-none-eabi-gcc", "-E", "-dM", "-x", "c", "-include", "_newlib_version.h", "/dev/null"]
    found = re.search(r'#define _NEWLIB_VERSION "([^"]+)"', _run.run(argv, timeout_s=20).out)
    return found.group(1) if found else None


def _finding(
    name: str, purpose: str, required: bool, install: str, version: Callable[[], str | None]
) -> Finding:
    try:
        return Finding(name, purpose, required, version() or "unknown version", None, install)
    except ToolMissing as error:
        return Finding(name, purpose, required, None, error.message, install)
    except ToolFailed as error:
        return Finding(name, purpose, required, None, f"does not run: {error.message}", install)


def _version(argv: list[str]) -> str | None:
    printed = _run.run(argv, timeout_s=20).out
    found = re.search(r"\d+\.\d+(\.\d+)*", re.sub(r"\([^)]*\)", "", printed.partition("\n")[0]))
    return found.group(0) if found else None


def _package(distribution: str, purpose: str, required: bool, extra: str | None) -> Finding:
    package = f"microwright[{extra}]" if extra else "microwright"
    install = f"{sys.executable} -m pip install '{package}'"
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return Finding(distribution, purpose, required, None, f"{distribution} is not installed", install)
    return Finding(distribution, purpose, required, version, None, install)
