"""What all steps of a compression share: data, how models are trained and judged, and the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from microwright import comparison, load, quantize
from microwright.compress import cost, feed, finetune, losses
from microwright.compress.checkpoint import Step
from microwright.compress.finetune import fine_tune
from microwright.compress.importance import Importance, Scores, norms, taylor
from microwright.compress.trace import Trace
from microwright.data import Data
from microwright.graph import Graph
from microwright.progress import Progress
from microwright.target import Target

# Of the samples, for what does not need all of them.
_CALIBRATION_SAMPLES = 500
_IMPORTANCE_SAMPLES = 512
_IMPORTANCE_BATCH = 16


@dataclass(frozen=True, eq=False)
class Job:
    """What all steps of a compression share. `options` go to `fine_tune`."""

    data: Data | Any
    validation: Data | Any | None
    target: Target
    loss: Any
    options: Mapping[str, Any]
    progress: Progress

    def train(self, model: Any, what: str, epochs: int, seed: int, **options: Any) -> Any:
        """The model, trained; progress names the step."""

        step = what

        def named(what: str, done: int, total: int) -> None:
            self.progress(step, done, total)

        return fine_tune(
            model,
            self.data,
            validation=self.validation,
            validation_split=0,
            epochs=epochs,
            loss=self.loss,
            seed=seed,
            progress=named,
            **{**self.options, **options},
        )

    def step(self, what: str, model: Any) -> Step:
        """How the model does."""
        result = None if self.validation is None else finetune.score(model, self.validation, self.loss)
        return Step(
            what,
            model.count_params(),
            cost.total(model, self.target),
            None if result is None else result.loss,
            None if result is None else result.accuracy,
        )

    def scores(self, model: Any, traced: Trace, how: Importance, seed: int) -> Scores:
        """Importance of the model's channels."""
        if how != "taylor":
            return norms(traced, how)
        batches = feed.sampled(model, self.data, self.loss, _IMPORTANCE_SAMPLES, _IMPORTANCE_BATCH, seed)
        return taylor(model, traced, batches, losses.function(model, self.loss))

    def int8(self, model: Any, count: int = _CALIBRATION_SAMPLES) -> Graph:
        """The model's int8 form, calibrated with `count` training samples."""
        calibration = feed.some(model, self.data, count)
        return quantize.quantize(load.from_keras(model, model.name), calibration)

    def limit_drop(
        self, model: Any, done: list[Step], max_drop: float, epochs: int, seed: int
    ) -> tuple[Any, float, list[Step]]:
        """The model, trained with int8's rounding where int8 costs too much; the better of the two."""
        float_accuracy, int8_accuracy = self._accuracies(model)
        if 100 * (float_accuracy - int8_accuracy) <= max_drop + 1e-9:
            return model, int8_accuracy, done
        what = "train for int8"
        tuned = self.train(model, what, epochs, seed, quantization_aware=True)
        _, tuned_accuracy = self._accuracies(tuned)
        if tuned_accuracy <= int8_accuracy:
            return model, int8_accuracy, done
        return tuned, tuned_accuracy, [*done, self.step(what, tuned)]

    def _accuracies(self, model: Any) -> tuple[float, float]:
        """Of the model and of its int8 form."""
        graph = self.int8(model)
        result = comparison.compare(
            load.from_keras(model, model.name),
            comparison.model_of(graph),
            self.validation,
            progress=self.progress,
        )
        assert result.accuracy is not None  # the validation data has classes
        assert result.other_accuracy is not None
        return result.accuracy, result.other_accuracy
