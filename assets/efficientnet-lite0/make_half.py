"""Makes `efficientnet-lite0.onnx`: an ONNX export with its weights as float16.

    pip install onnx numpy
    python make_half.py EXPORT.onnx efficientnet-lite0.onnx

The export is `torch.onnx.export` of the network of the PyPI packages named in README.md.
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

source, target = sys.argv[1:]
model = onnx.load(source)
graph = model.graph
for tensor in graph.initializer:
    if tensor.data_type == TensorProto.FLOAT:
        half = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))
for value in [*graph.input, *graph.output]:
    value.type.tensor_type.elem_type = TensorProto.FLOAT16
    del value.metadata_props[:]
for node in graph.node:
    del node.metadata_props[:]
    for attribute in node.attribute:
        assert attribute.type != onnx.AttributeProto.TENSOR, node.name
del graph.value_info[:], graph.metadata_props[:], model.metadata_props[:]
onnx.checker.check_model(model, full_check=True)
onnx.save(model, target)
