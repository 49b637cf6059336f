"""Writes small graphs that are no ResNet, for devices. Needs onnx and numpy."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE, LABELS = 8, 6


def gather():
    """Labels in another order, by indices that the file holds, and times a shape that the graph computes."""
    random = np.random.default_rng(0)
    values = {
        "weight": random.normal(size=(3 * SIDE * SIDE, LABELS)).astype(np.float32),
        "order": np.array([3, 1, 5, 0, 2, 4], dtype=np.int64),
        "axis": np.array(1, dtype=np.int64),
    }
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["plain"]),
        helper.make_node("Gather", ["plain", "order"], ["ordered"], axis=1),
        helper.make_node("Shape", ["ordered"], ["shape"]),
        helper.make_node("Gather", ["shape", "axis"], ["labels"]),
        helper.make_node("Cast", ["labels"], ["count"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["ordered", "count"], ["scores"]),
    ]
    return helper.make_graph(
        nodes,
        "gather",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", LABELS])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )


for graph in [gather()]:
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, f"{graph.name}.onnx")
