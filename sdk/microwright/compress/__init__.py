"""Make a float Keras model smaller before it is quantised: prune channels, fine-tune."""

from microwright.compress.channels import Importance, channels, prune_channels
from microwright.compress.finetune import fine_tune

__all__ = ["Importance", "channels", "fine_tune", "prune_channels"]
