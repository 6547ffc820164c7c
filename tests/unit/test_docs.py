"""The documentation says what is: the command reference, the errors, the commands that it shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import microwright
from microwright import _paths, cli, errors, ops

_CHECKOUT = Path(__file__).resolve().parents[2]
_PAGES = sorted([_CHECKOUT / "README.md", _CHECKOUT / "CHANGELOG.md", *(_CHECKOUT / "docs").glob("*.md")])


def _blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of the fenced blocks."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def _commands() -> list[tuple[str, list[str]]]:
    """(page, arguments) of each `microwright` command line that a page shows."""
    found = []
    for page in _PAGES:
        if page.name == "cli.md":
            continue
        for _, block in _blocks(page):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] == ["microwright"]:
                    found.append((page.name, words[1:]))
    return found


@pytest.mark.parametrize("tool", ["cli_reference.py", "operators_page.py", "runners_page.py"])
def test_generated_pages_are_current(tool: str) -> None:
    command = [sys.executable, str(_CHECKOUT / "tools" / tool), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_every_operator_says_what_it_takes_and_by_which_kernels() -> None:
    sources = {path.stem for path in _paths.runtime().glob("src/*.c")}
    for name, op in ops.OPS.items():
        assert op.types, name
        assert bool(op.kernels) != op.alias, name
        assert sources >= set(op.kernels), name


def test_the_errors_page_has_every_class_with_its_exit_code() -> None:
    rows = re.findall(
        r"^\| (\d+) \| `(\w+)` \|", (_CHECKOUT / "docs" / "errors.md").read_text(), re.MULTILINE
    )
    classes = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.MicrowrightError) and name != "MicrowrightError"
    }
    assert {name: int(code) for code, name in rows} == classes


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(("page", "arguments"), _commands(), ids=lambda value: str(value)[:60])
def test_commands_that_are_shown_parse(page: str, arguments: list[str]) -> None:
    root = cli.root.make_context("microwright", [], resilient_parsing=True)
    command = cli.root.get_command(root, arguments[0])
    assert command is not None
    command.make_context(arguments[0], [word for word in arguments[1:] if word != "..."], parent=root)


def test_the_readme_shows_the_main_job_in_five_lines() -> None:
    first = _blocks(_CHECKOUT / "README.md")[0][1].splitlines()
    assert len(first) == 5
    assert any(line.startswith("microwright deploy") for line in first)


def test_names_of_the_package_that_are_shown_exist() -> None:
    for page in _PAGES:
        for _, block in _blocks(page):
            for name in re.findall(r"\bmicrowright\.(\w+)\(", block):
                assert name in microwright.__all__, f"{page.name}: microwright.{name}"


@pytest.mark.thorough
def test_the_tutorial_works_as_it_is_written(tmp_path: Path) -> None:
    wrapper = tmp_path / "bin" / "microwright"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f"#!{sys.executable}\nfrom microwright.cli import main\nmain()\n"  # wherever the package comes from
    )
    wrapper.chmod(0o755)
    path = f"{wrapper.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(Path(microwright.__file__).parents[1])}
    scripts = iter(["train.py", "stages.py"])
    ran = 0
    for language, block in _blocks(_CHECKOUT / "docs" / "tutorial.md"):
        if language == "python":
            script = next(scripts)
            (tmp_path / script).write_text(block)
            block = f"python {script}" if script == "stages.py" else ""
        if "pip install" in block:
            continue
        subprocess.run(["bash", "-euc", block], cwd=tmp_path, env=environment, check=True, timeout=600)
        ran += 1
    assert ran > 8
    assert (tmp_path / "digits-m55" / "report.json").is_file()
