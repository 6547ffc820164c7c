"""Make a float Keras model smaller before it is quantised: prune, distil, fine-tune, train for int8."""

from microwright.compress.channels import channels, prune_channels
from microwright.compress.checkpoint import Step
from microwright.compress.compression import Compressed, compress_model
from microwright.compress.distil import Teacher
from microwright.compress.finetune import Interrupted, fine_tune
from microwright.compress.importance import Importance

__all__ = [
    "Compressed",
    "Importance",
    "Interrupted",
    "Step",
    "Teacher",
    "channels",
    "compress_model",
    "fine_tune",
    "prune_channels",
]
