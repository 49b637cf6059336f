"""The published attack's loop in PyTorch, written afresh: an image at a time, weights' gradients computed.

Faster than the original in one respect: batch norms are folded, as in the file.
"""

import json
import sys
import time

import numpy
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


class Network(torch.nn.Module):
    """A ResNet's graph, node by node."""

    def __init__(self, path):
        super().__init__()
        self.graph = onnx.load(path).graph
        self.weights = {
            each.name: torch.nn.Parameter(torch.tensor(numpy_helper.to_array(each)))
            for each in self.graph.initializer
            if each.data_type == onnx.TensorProto.FLOAT
        }

    def forward(self, images):
        values = {self.graph.input[0].name: images, **self.weights}
        for node in self.graph.node:
            x = [values[name] for name in node.input]
            options = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
            values[node.output[0]] = self.compute(node.op_type, x, options)
        return values[self.graph.output[0].name]

    @staticmethod
    def compute(kind, x, options):
        match kind:
            case "Conv":
                return F.conv2d(*x, options["strides"], options["pads"][:2])
            case "Relu":
                return F.relu(x[0])
            case "Add":
                return x[0] + x[1]
            case "MaxPool":
                return F.max_pool2d(x[0], options["kernel_shape"], options["strides"], options["pads"][:2])
            case "GlobalAveragePool":
                return x[0].mean((2, 3), keepdim=True)
            case "Flatten":
                return x[0].flatten(1)
            case "Gemm":
                return F.linear(*x)
        raise ValueError(kind)


def attack(model, image, relevant, specified, case):
    """Whether the specified labels left the top-k."""
    k, classes = case["k"], len(relevant)
    others = relevant & ~specified
    modifier = torch.zeros_like(image, requires_grad=True)
    optimiser = torch.optim.SGD(
        [modifier], lr=case["lr"], momentum=case["momentum"], weight_decay=case["alpha"])
    wanted = None
    for _ in range(case["max_iterations"]):
        scores = model(torch.tanh(image + modifier))[0]
        inside = specified[scores.topk(k).indices].sum().item()
        if wanted is None:
            wanted = inside
        elif inside == 0:
            return True
        above = scores[specified].max() - scores
        below = scores - scores[others].min() if others.any() else torch.zeros_like(scores)
        first = above.sort(descending=True).values[classes - k - 1]
        second = below.sort(descending=True).values[k - 1]
        loss = (first + F.relu(above - first).sum() / (classes - k)
                + second + F.relu(below - second).sum() / k)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return False


model, given, case = Network(sys.argv[1]), numpy.load(sys.argv[2]), json.loads(sys.argv[3])
rows = [
    (torch.tensor(image[None]), torch.tensor(labels) == 1, torch.tensor(specified) == 1)
    for image, labels, specified in zip(given["images"], given["labels"], given["specified"])
]
attack(model, *rows[0], case | {"max_iterations": 1})
began = time.monotonic()
successes = sum(attack(model, *row, case) for row in rows)
print(json.dumps({"seconds": time.monotonic() - began, "successes": successes}))
