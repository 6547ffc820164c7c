"""MLPerf Tiny without its runner: the same commands, accuracy and performance mode."""

from microwright.mlperf.benchmark import Mode, evaluate, profile_of, run
from microwright.mlperf.report import Accuracy, Performance, Report, render, to_json, write
from microwright.mlperf.session import Session
from microwright.mlperf.stimuli import TRUTH, Stimulus, of_data, random, read

__all__ = [
    "TRUTH",
    "Accuracy",
    "Mode",
    "Performance",
    "Report",
    "Session",
    "Stimulus",
    "evaluate",
    "of_data",
    "profile_of",
    "random",
    "read",
    "render",
    "run",
    "to_json",
    "write",
]
