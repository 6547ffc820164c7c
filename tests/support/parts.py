"""Models taken apart: to change them and write them again, or to run a node alone."""

from __future__ import annotations

from microwright import graph
from microwright.graph import Graph, Node
from tests.support.tflite_maker import MadeNode, MadeTensor, Maker


class Parts:
    """A model whose tensors and nodes may be changed; written again, its structure is sound."""

    def __init__(self, flatbuffer: bytes) -> None:
        model = graph.read(flatbuffer, "seed")
        self.maker = Maker()
        self.inputs, self.outputs = list(model.inputs), list(model.outputs)
        for tensor in model.tensors:
            q = tensor.quantization or graph.Quantization((), ())
            data = b"" if tensor.data is None else tensor.data.tobytes()
            made = MadeTensor(tensor.shape, tensor.dtype, tensor.name, q.scales, q.zero_points, q.axis, data)
            made.variable = tensor.state is not None
            self.maker.tensors.append(made)
        for node in model.nodes:
            self.maker.nodes.append(
                MadeNode(node.op, list(node.inputs), list(node.outputs), dict(node.options))
            )

    def build(self) -> bytes:
        return self.maker.build(self.inputs, self.outputs)


def alone(model: Graph, node: Node) -> tuple[bytes, list[int]]:
    """A node as a model of its own, and which tensors are its inputs."""
    parts = Parts(model.flatbuffer)
    parts.maker.nodes = [parts.maker.nodes[model.nodes.index(node)]]
    parts.inputs = [i for i in dict.fromkeys(node.inputs) if i >= 0 and model.tensors[i].data is None]
    parts.outputs = list(node.outputs)
    return parts.build(), parts.inputs
