"""The shape that docs/design.md states: stages import earlier ones, and registries are whole."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import microwright
from microwright import ops, passes, runners

_PACKAGE = Path(microwright.__file__).parent
_DESIGN = Path(__file__).resolve().parents[2] / "docs" / "design.md"
_FILES = sorted(_PACKAGE.rglob("*.py"))


def _stages() -> list[set[str]]:
    """Modules of each row of the table in docs/design.md, in its order."""
    rows = re.findall(r"^\| (`[^|]*`) \|", _DESIGN.read_text(), re.MULTILINE)
    return [{name.strip("/") for name in re.findall(r"`([^`]+)`", row)} for row in rows]


def _stage_of(path: Path) -> str:
    """Name of the stage that a file belongs to: a module, or a package of the first level."""
    return path.relative_to(_PACKAGE).with_suffix("").parts[0]


def _imports(path: Path) -> Iterator[str]:
    """Full names of all that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{path}: relative import"
            if node.module == "microwright":
                yield from (f"microwright.{alias.name}" for alias in node.names)
            else:
                yield node.module


def test_the_table_has_every_module_once() -> None:
    listed = [name for row in _stages() for name in row]
    assert len(listed) == len(set(listed))
    modules = {_stage_of(path) for path in _FILES} - {"__init__"}
    assert set(listed) == modules


@pytest.mark.parametrize("path", [p for p in _FILES if p != _PACKAGE / "__init__.py"], ids=str)
def test_a_stage_imports_only_earlier_ones(path: Path) -> None:
    rank = {name: position for position, row in enumerate(_stages()) for name in row}
    own = _stage_of(path)
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] != "microwright" or parts == ["microwright", "__version__"] or len(parts) == 1:
            continue
        assert parts[1] == own or rank[parts[1]] <= rank[own], f"{own} imports {name}, which comes later"


def test_only_run_starts_programs() -> None:
    users = {path.name for path in _FILES if "subprocess" in set(_imports(path))}
    assert users == {"_run.py"}
    for path in _FILES:
        assert "os.system" not in path.read_text()
        assert "shell=True" not in path.read_text()


def test_tensorflow_is_imported_inside_functions_only() -> None:
    heavy = {"tensorflow", "keras", "tf_keras", "h5py", "tflite_micro", "ai_edge_litert"}
    for path in _FILES:
        for node in ast.parse(path.read_text()).body:
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not heavy & {name.split(".")[0] for name in names}, path


def _files_with(package: str, attribute: str) -> set[str]:
    folder = _PACKAGE / package
    stems = (path.stem for path in folder.glob("*.py") if path.stem not in ("__init__", "base"))
    return {
        stem for stem in stems if hasattr(importlib.import_module(f"microwright.{package}.{stem}"), attribute)
    }


def test_every_operator_file_is_in_the_registry() -> None:
    made = {stem: importlib.import_module(f"microwright.ops.{stem}").OP for stem in _files_with("ops", "OP")}
    for stem, op in made.items():
        assert ops.OPS[stem.upper()] is op
    # Some are another one under a second name.
    assert all(op in made.values() for op in ops.OPS.values())


def test_every_pass_file_is_in_the_registry() -> None:
    assert set(passes.PASSES) == _files_with("passes", "run")


def test_every_runner_file_is_in_the_registry() -> None:
    assert {name.replace("-", "_") for name in runners.RUNNERS} == _files_with("runners", "RUNNER")
    for name, runner in runners.RUNNERS.items():
        assert runner.name == name


def test_no_module_is_called_utils() -> None:
    assert not {"utils", "util", "helpers", "misc", "common"} & {path.stem for path in _FILES}
