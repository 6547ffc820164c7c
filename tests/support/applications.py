"""The architectures of keras.applications, at their smallest, with random weights that keep values alive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from microwright import _tensorflow, data, load, quantize
from microwright.graph import Graph


class Application(NamedTuple):
    """A constructor of keras.applications, the image's size, and more options.

    `thinner`: layers get so many times fewer filters, where the constructor has no option for it, so that a
    compiler of C can read the weights in seconds.
    """

    constructor: str
    size: int = 32
    options: Mapping[str, Any] = {}
    thinner: int = 1


APPLICATIONS: Mapping[str, Application] = {
    "DenseNet121": Application("DenseNet121", thinner=4),
    "EfficientNetB0": Application("EfficientNetB0"),
    "EfficientNetV2B0": Application("EfficientNetV2B0"),
    "InceptionV3": Application("InceptionV3", 75, thinner=8),
    "MobileNet": Application("MobileNet", options={"alpha": 0.25}),
    "MobileNetV2": Application("MobileNetV2", options={"alpha": 0.35}),
    "MobileNetV3Large": Application("MobileNetV3Large", options={"alpha": 0.75}),
    "MobileNetV3Small": Application("MobileNetV3Small", options={"alpha": 0.75}),
    "NASNetMobile": Application("NASNetMobile"),
    "ResNet50": Application("ResNet50", thinner=8),
    "ResNet50V2": Application("ResNet50V2", thinner=8),
    "Xception": Application("Xception", 71, thinner=8),
}


def quantized(name: str) -> Graph:
    """An application in int8, calibrated with random images."""
    application = APPLICATIONS[name]
    keras = _tensorflow.keras()
    keras.utils.set_random_seed(0)
    shape = (application.size, application.size, 3)
    constructor = getattr(keras.applications, application.constructor)
    network = constructor(weights=None, input_shape=shape, classes=10, **application.options)
    if application.thinner > 1:
        network = _thinner(network, application.thinner)
    images = np.random.default_rng(0).uniform(0, 255, (10, *shape)).astype(np.float32)
    _normalise(network, images)
    return quantize.quantize(load.from_keras(network, name), data.make((images,)))


def _thinner(network: Any, factor: int) -> Any:
    config = network.get_config()
    for layer in config["layers"]:
        # Shapes of the layers as they were built, which are others now.
        layer.pop("build_config", None)
        if "filters" in layer["config"]:
            layer["config"]["filters"] = max(layer["config"]["filters"] // factor, 4)
    return type(network).from_config(config)


def _normalise(network: Any, images: Any) -> None:
    """Statistics of these images, without which random weights let all values vanish."""
    for layer in network.layers:
        if hasattr(layer, "momentum"):
            layer.momentum = 0.0
    network(images, training=True)
