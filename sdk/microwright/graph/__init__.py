"""Read and check a `.tflite` file without TensorFlow: bytes -> Graph (Tensor, Node)."""

from microwright.graph.mark import TRAINED
from microwright.graph.model import ITEM_BYTES, Array, DType, Graph, Node, Option, Quantization, Tensor
from microwright.graph.reader import read

__all__ = [
    "ITEM_BYTES",
    "TRAINED",
    "Array",
    "DType",
    "Graph",
    "Node",
    "Option",
    "Quantization",
    "Tensor",
    "read",
]
