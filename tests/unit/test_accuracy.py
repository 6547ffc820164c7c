"""Scores of outputs: known cases, and scikit-learn's figures where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from microwright import graph as graphs
from microwright import pipeline
from microwright.accuracy import MAX_CONFUSION, Scorer, Scores, roc_auc, task
from microwright.coverage import Caution
from microwright.errors import InputError
from microwright.graph import Array, Graph
from tests.support.tflite_maker import Maker


def net(
    inputs: int, outputs: int, *, softmax: bool = False, scale: float = 1.0, zero_point: int = 0
) -> Graph:
    made = Maker()
    x = made.tensor((1, inputs), scale=1.0)
    y = made.tensor((1, outputs), scale=scale, zero_point=zero_point)
    weights = made.const(np.ones((outputs, inputs), np.int8), scale=1.0)
    made.node("FULLY_CONNECTED", [x, weights, made.const(np.zeros(outputs, np.int32), scale=1.0)], [y])
    if softmax:
        logits, y = y, made.tensor((1, outputs), scale=1 / 256, zero_point=-128)
        made.node("SOFTMAX", [logits], [y], beta=1.0)
    return graphs.read(made.build([x], [y]), "net")


def scored(graph: Graph, outputs: Array, labels: list[int], inputs: Array | None = None) -> Scores:
    scorer = Scorer(graph, np.array(labels), ("cat", "dog"))
    for number, output in enumerate(outputs):
        given = np.zeros((1, 1), np.int8) if inputs is None else inputs[number]
        scorer.add((given[None],), (output[None],))
    scores = scorer.scores
    assert scores is not None
    return scores


def test_classes_are_counted_by_label_and_by_name() -> None:
    outputs = np.array([[-128, 5, 0], [9, 5, 0], [3, 3, 0], [0, 1, 2]], np.int8)
    scores = scored(net(5, 3), outputs, [1, 0, 1, 2])
    assert scores.accuracy == 0.75  # of equal ones the first
    assert scores.confusion == ((1, 0, 0), (1, 1, 0), (0, 0, 1))
    assert [each.name for each in scores.classes] == ["cat", "dog", ""]
    assert [(each.samples, each.named, each.correct) for each in scores.classes] == [
        (1, 2, 1),
        (2, 1, 1),
        (1, 1, 1),
    ]
    assert [each.precision for each in scores.classes] == [0.5, 1.0, 1.0]
    assert [each.recall for each in scores.classes] == [1.0, 0.5, 1.0]


def test_a_class_that_nothing_has_has_no_figures_and_the_mean_leaves_it_out() -> None:
    scores = scored(net(5, 3), np.array([[9, 0, 0], [0, 9, 0]], np.int8), [0, 1])
    last = scores.classes[2]
    assert (last.samples, last.named, last.precision, last.recall, last.auc) == (0, 0, None, None, None)
    assert scores.auc == 1.0
    assert scored(net(5, 3), np.array([[9, 0, 0]], np.int8), [0]).auc is None


@pytest.mark.parametrize(
    ("scale", "zero_point", "outputs"),
    [(1 / 256, -128, [-128, -1, 0, 127]), (0.05, 10, [-128, 9, 10, 12])],
    ids=["probability", "logit"],
)
def test_one_output_splits_at_a_half_or_as_a_logit_at_zero(
    scale: float, zero_point: int, outputs: list[int]
) -> None:
    graph = net(5, 1, scale=scale, zero_point=zero_point)
    scores = scored(graph, np.array(outputs, np.int8)[:, None], [0, 0, 1, 1])
    assert (scores.accuracy, scores.auc, scores.confusion) == (1.0, 1.0, ((2, 0), (0, 2)))
    reversed_ = scored(graph, np.array(outputs, np.int8)[:, None], [1, 1, 0, 0])
    assert (reversed_.accuracy, reversed_.auc) == (0.0, 0.0)


def test_logits_of_several_classes_are_ranked_by_their_softmax() -> None:
    # By the logit of class 1 alone, the second sample would rank above the first.
    scores = scored(net(5, 2), np.array([[0, 3], [9, 5]], np.int8), [1, 0])
    assert scores.auc == 1.0


def test_equal_scores_count_half() -> None:
    assert roc_auc(np.array([1, 1, 2]), np.array([False, True, True])) == 0.75
    assert roc_auc(np.array([7, 7]), np.array([False, True])) == 0.5
    assert roc_auc(np.array([1, 2]), np.array([True, True])) is None


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.int8, st.integers(2, 60), elements=st.integers(-4, 4)),
    st.integers(0, 2**32 - 1),
)
def test_the_area_is_scikit_learns(values: npt.NDArray[np.int8], seed: int) -> None:
    from sklearn import metrics

    positive = np.random.default_rng(seed).integers(0, 2, len(values)).astype(bool)
    positive[:2] = [False, True]
    assert roc_auc(values, positive) == pytest.approx(metrics.roc_auc_score(positive, values), abs=1e-12)


def test_figures_of_five_classes_are_scikit_learns() -> None:
    from sklearn import metrics

    rng = np.random.default_rng(3)
    labels = rng.integers(0, 5, 200)
    logits = (rng.normal(size=(200, 5)) * 20 + 30 * np.eye(5)[labels]).round().clip(-128, 127).astype(np.int8)
    scores = scored(net(7, 5, scale=0.1), logits, labels.tolist())
    powers = np.exp(logits * 0.1)
    chances = powers / powers.sum(axis=1, keepdims=True)
    named = logits.argmax(axis=1)
    area = metrics.roc_auc_score(labels, chances, multi_class="ovr", average="macro")
    assert scores.auc == pytest.approx(area, abs=1e-9)
    assert scores.confusion == tuple(map(tuple, metrics.confusion_matrix(labels, named).tolist()))
    precision, recall, _, _ = metrics.precision_recall_fscore_support(labels, named)
    assert [each.precision for each in scores.classes] == pytest.approx(precision)
    assert [each.recall for each in scores.classes] == pytest.approx(recall)
    assert scores.accuracy == metrics.accuracy_score(labels, named)


def test_a_model_that_gives_its_input_again_looks_for_anomalies() -> None:
    graph = net(4, 4)
    inputs = np.array([[1, 2, 3, 4]] * 4, np.int8)
    errors = np.array([0, 1, 5, 9], np.int8)
    scores = scored(graph, inputs + errors[:, None], [0, 0, 1, 1], inputs)
    assert (scores.task, scores.accuracy, scores.auc, scores.confusion) == ("anomalies", None, 1.0, ())
    assert scored(graph, inputs + errors[:, None], [0, 1, 0, 1], inputs).auc == 0.75


def test_what_labels_are_for() -> None:
    two = np.array([0, 1])
    assert task(net(4, 4), two) == "anomalies"
    assert task(net(4, 4, softmax=True), two) == "classes"
    assert task(net(4, 4), np.array([0, 3])) == "classes"
    assert task(net(2, 2), two) == "classes"
    assert task(net(4, 3), two) == "classes"
    assert task(net(4, 3), None) is None
    assert task(net(4, 1), np.array([0.5, 2.0], np.float32)) is None


def test_an_image_names_no_class() -> None:
    made = Maker()
    x = made.tensor((1, 4, 4, 2), scale=1.0)
    y = made.tensor((1, 2, 2, 2), scale=1.0)
    made.node(
        "AVERAGE_POOL_2D", [x], [y], padding="VALID", stride_w=2, stride_h=2, filter_width=2, filter_height=2
    )
    graph = graphs.read(made.build([x], [y]), "image")
    assert task(graph, np.array([0, 1])) is None
    scorer = Scorer(graph, np.array([0]))
    scorer.add((np.zeros((1, 4, 4, 2), np.int8),), (np.zeros((1, 2, 2, 2), np.int8),))
    assert scorer.scores is None


def test_scores_of_a_part_of_the_samples() -> None:
    scorer = Scorer(net(5, 3), np.array([0, 1, 2]))
    assert scorer.scores is None
    scorer.add((np.zeros((1, 5), np.int8),), (np.array([[9, 0, 0]], np.int8),))
    assert scorer.scores is not None and (scorer.scores.samples, scorer.scores.accuracy) == (1, 1.0)


def test_many_classes_have_no_matrix() -> None:
    count = MAX_CONFUSION + 1
    scores = scored(net(3, count), np.eye(count, dtype=np.int8)[:4], [0, 1, 2, 3])
    assert scores.accuracy == 1.0 and scores.confusion == () and len(scores.classes) == count


def test_labels_that_the_model_does_not_have_are_refused() -> None:
    for labels in ([1, 0, 3], [0, -1]):
        with pytest.raises(InputError, match="the model's classes 0 to 2"):
            Scorer(net(5, 3), np.array(labels))


@pytest.mark.parametrize(
    ("labels", "said"),
    [([0, 1, 2], ""), ([0.5, 1.5, 2.5], "targets of shape scalar")],
    ids=["classes", "targets"],
)
def test_a_warning_says_where_labels_score_nothing(tmp_path: Path, labels: list[float], said: str) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.zeros((3, 5), np.float32), y=np.array(labels))
    cautions: list[Caution] = []
    taken = pipeline.take_samples(net(5, 3), path, 1, on_caution=cautions.append)
    assert len(taken.inputs) == 3
    assert [caution.name for caution in cautions] == (["unscored-labels"] if said else [])
    assert all(said in caution.message for caution in cautions)
