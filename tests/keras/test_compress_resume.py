"""Ctrl-C keeps the best model so far; resuming ends as if nothing had happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microwright import _tensorflow, board, cli, load
from microwright.compress import Interrupted, Teacher, compress_model, distil
from microwright.errors import InputError, OutputError
from tests.support.keras_models import accuracy, images, same_weights, trained_cnn

keras = _tensorflow.keras()
L = keras.layers
M4 = board.load("mps2-an386")


class Stop:
    """Progress that presses Ctrl-C at an epoch of a step."""

    def __init__(self, what: str, epoch: int) -> None:
        self.at = what, epoch

    def __call__(self, what: str, done: int, total: int) -> None:
        if (what, done) == self.at:
            raise KeyboardInterrupt


def run(checkpoint: Path | None, **options: Any) -> Any:
    given = {"sparsity": 0.5, "board": M4, "rounds": 2, "epochs": 4, **options}
    return compress_model(trained_cnn(), images(), checkpoint=checkpoint, **given)


def test_it_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    checkpoint = tmp_path / "part"
    with pytest.raises(Interrupted) as stop:
        run(checkpoint, progress=Stop("prune 2/2", 2))
    best = stop.value.model
    assert best.count_params() < trained_cnn().count_params()
    assert accuracy(best, images()) > 0.8
    seen: list[str] = []
    resumed = run(checkpoint, resume=True, progress=lambda what, done, total: seen.append(what))
    assert "prune 1/2" not in seen, "what was done is not done again"
    whole = run(None)
    assert same_weights(resumed.model, whole.model)
    assert resumed.steps == whole.steps
    resumed.remove_checkpoint()
    assert not list(tmp_path.iterdir()), "nothing is left behind"


class Doubled(L.Layer):
    def call(self, x: Any) -> Any:
        return 2 * x


def test_layers_of_ones_own_are_kept_too(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 1)), L.Flatten(), Doubled(), L.Dense(4, "softmax")])
    options: dict[str, Any] = {"method": "unstructured", "sparsity": 0.5, "rounds": 2, "epochs": 2}
    with pytest.raises(Interrupted):
        compress_model(
            model, images(), checkpoint=tmp_path / "part", progress=Stop("prune 2/2", 1), **options
        )
    resumed = compress_model(model, images(), checkpoint=tmp_path / "part", resume=True, **options)
    assert same_weights(resumed.model, compress_model(model, images(), **options).model)


def test_before_the_first_epoch_there_is_nothing_to_keep() -> None:
    with pytest.raises(Interrupted) as stop:
        run(None, progress=Stop("rank channels", 1))
    assert stop.value.model is None


def test_a_checkpoint_of_another_job_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "part"
    with pytest.raises(Interrupted):
        run(checkpoint, progress=Stop("prune 2/2", 1))
    with pytest.raises(InputError, match="begun with other arguments: options"):
        run(checkpoint, resume=True, sparsity=0.6)
    with pytest.raises(InputError, match="begun with other arguments: teacher"):
        run(checkpoint, resume=True, teacher=trained_cnn())
    with pytest.raises(InputError, match="begun with other arguments: training"):
        run(checkpoint, resume=True, optimizer=keras.optimizers.SGD(0.1))
    state, model = tmp_path / "part.json", next(tmp_path.glob("part.*.keras"))
    content, weights = state.read_bytes(), model.read_bytes()
    model.write_bytes(weights[:-1])
    with pytest.raises(InputError, match="not the model that"):
        run(checkpoint, resume=True)
    for damage in (content[: len(content) // 2], b"[]", b'{"steps": [{"what": 1}]}', b"\xff"):
        state.write_bytes(damage)
        with pytest.raises(InputError, match="damaged") as error:
            run(checkpoint, resume=True)
        assert "remove" in error.value.hint


def test_the_command_says_where_the_best_model_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, train, out = tmp_path / "model.keras", tmp_path / "train.npz", tmp_path / "small.keras"
    load.save(trained_cnn(), model)
    np.savez(train, x=images().inputs[0], y=images().labels)
    arguments = ["compress", str(model), "--data", str(train), "--sparsity", "0.5", "--rounds", "2"]
    arguments += ["--board", "mps2-an386", "--epochs", "2", "-o", str(out)]
    fit = keras.Sequential.fit
    fitted: list[int] = []

    def interrupted(self: Any, *given: Any, **options: Any) -> Any:
        fitted.append(1)
        if len(fitted) == 2:
            raise KeyboardInterrupt
        return fit(self, *given, **options)

    monkeypatch.setattr(keras.Sequential, "fit", interrupted)
    assert cli.execute(arguments) == 130
    error = capsys.readouterr().err
    assert f"interrupted: the best model so far is in {out}; --resume goes on" in error
    assert accuracy(load.load(out).keras, images()) > 0.5
    assert cli.execute([*arguments, "--resume"]) == 0
    assert len(fitted) == 3, "the first step was not done again"
    output = capsys.readouterr().out
    assert "prune 2/2" in output
    assert f"{out}: " in output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.keras", "small.keras", "train.npz"]


def test_a_result_that_cannot_be_written_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, train, out = tmp_path / "model.keras", tmp_path / "train.npz", tmp_path / "small.keras"
    load.save(trained_cnn(), model)
    np.savez(train, x=images().inputs[0], y=images().labels)
    arguments = ["compress", str(model), "--data", str(train), "--sparsity", "0.5", "--rounds", "1"]
    arguments += ["--board", "mps2-an386", "--epochs", "1", "-o", str(out)]
    save = load.save

    def full(given: Any, path: Path) -> None:
        if path == out:
            raise OutputError(f"{path}: no space left on device", "make some")
        save(given, path)

    with monkeypatch.context() as patch:
        patch.setattr(load, "save", full)
        assert cli.execute(arguments) == 7
    assert not out.exists()
    monkeypatch.setattr(keras.Sequential, "fit", None)  # it is not trained again
    assert cli.execute([*arguments, "--resume"]) == 0, capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.keras", "small.keras", "train.npz"]


def test_the_command_line_says_what_does_not_go_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, says in (
        (["--sparsity", "0.5", "--target-latency", "0.5"], "only one of"),
        (["--method", "block"], "--method needs"),
        (["--match", "conv1"], "--match needs"),
    ):
        code = cli.execute(["compress", "none.keras", "--data", "none.npz", "-o", "out.keras", *arguments])
        assert code == 2
        assert says in capsys.readouterr().err
    (tmp_path / "file").write_bytes(b"")
    for out, says in (
        ("out.h5", "is saved as .keras"),
        ("none.keras", "would replace the model that it is made from"),
        (str(tmp_path / "file" / "out.keras"), "is no folder that files can be made in"),
    ):
        assert cli.execute(["compress", "none.keras", "--data", "none.npz", "-o", out]) == 7
        assert says in capsys.readouterr().err, "before any work begins"


def test_what_is_told_of_a_teacher_tells_its_options() -> None:
    """A job is not gone on with by another temperature."""
    told = {distil.digest(Teacher(trained_cnn(), temperature=t, weight=w)) for t in (1, 4) for w in (0.5, 1)}
    assert len(told) == 4
