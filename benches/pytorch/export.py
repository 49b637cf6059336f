"""Writes a network of timm's with made-up weights as ONNX, its state dict, and eight images to attack beside it."""

import sys
from pathlib import Path

import numpy
import timm
import torch

path, name, side = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
torch.manual_seed(0)
model = timm.create_model(name).train()
# Norms as after a training, so that values stay in range through the layers.
for module in model.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        module.momentum = None
with torch.no_grad():
    model(torch.rand(8, 3, side, side) * 2 - 1)
model.eval()
torch.save(model.state_dict(), path.with_suffix(".pth"))
# `attack.py` reads ResNets as the older exporter writes them.
newer = not name.startswith("resnet")
batch = {"dynamic_shapes": {"x": {0: torch.export.Dim("batch")}}, "opset_version": 20}
if not newer:
    batch = {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}, "opset_version": 17}
torch.onnx.export(model, (torch.zeros(2, 3, side, side),), path, dynamo=newer, external_data=False, **batch)

images = torch.rand(8, 3, side, side) * 2 - 1
with torch.no_grad():
    order = model(torch.tanh(images)).argsort(1, descending=True)
labels, specified = (torch.zeros(order.shape, dtype=torch.uint8).scatter(1, order[:, :first], 1) for first in (10, 1))
numpy.savez(path.with_suffix(".npz"), images=images.numpy(), labels=labels.numpy(), specified=specified.numpy())
