"""Write the ONNX standard's own test cases of operators to a folder: node_tests.py FOLDER. Needs the package onnx."""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases

for case in collect_testcases(None):
    inputs, outputs = case.data_sets[0]
    data = Path(sys.argv[1]) / case.name / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    onnx.save(case.model, data.parent / "model.onnx")
    for kind, values in (("input", inputs), ("output", outputs)):
        for at, value in enumerate(values):
            # Sequences and optional values have no form of their own here.
            if not isinstance(value, (TensorProto, np.ndarray, np.generic)):
                continue
            tensor = value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value))
            (data / f"{kind}_{at}.pb").write_bytes(tensor.SerializeToString())
