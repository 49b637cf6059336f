"""Seconds that PyTorch takes for each image: forward, and forward and back to the images; onnxruntime's forward alone.

    passes.py WEIGHTS.pth NAME SIDE BATCH THREADS MODE

`tracked` computes the weights' gradients too, as the published code does; all other modes don't. `folded` has batch norms in the
convolutions, and so has what follows: `channels_last`, `compiled` (by torch.compile, channels last) and `bfloat16` (by autocast, channels last).
"""

import contextlib
import json
import statistics
import sys
import time
import warnings
from pathlib import Path

FOLDED = ("folded", "channels_last", "compiled", "bfloat16")
weights, name, side, batch, threads, mode = sys.argv[1:]
side, batch, threads = int(side), int(batch), int(threads)


def seconds(work):
    times = []
    for _ in range(6):
        began = time.monotonic()
        work()
        times.append((time.monotonic() - began) / batch)
    return statistics.median(times[1:])


def onnxruntime():
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(Path(weights).with_suffix(".onnx"), options, ["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: numpy.random.rand(batch, 3, side, side).astype("f4") * 2 - 1}
    return [seconds(lambda: session.run(None, given)), float("nan")]


def pytorch():
    import timm
    import torch
    from torch.fx.experimental.optimization import fuse

    torch.set_num_threads(threads)
    model = timm.create_model(name)
    model.load_state_dict(torch.load(weights))
    model.eval().requires_grad_(mode == "tracked")
    images = torch.rand(batch, 3, side, side) * 2 - 1
    if mode in FOLDED:
        model = fuse(model)
    if mode in FOLDED[1:]:
        model, images = (each.to(memory_format=torch.channels_last) for each in (model, images))
    if mode == "compiled":
        model = torch.compile(model)
    narrow = torch.autocast("cpu", torch.bfloat16) if mode == "bfloat16" else contextlib.nullcontext()

    def forward():
        with torch.no_grad(), narrow:
            model(images)

    def both():
        # As the published code does it, gradients of weights add up and nobody reads them.
        x = images.clone().requires_grad_()
        with narrow:
            scores = model(x)
        scores.float().sum().backward()

    return [seconds(forward), seconds(both)]


warnings.simplefilter("ignore")
print(json.dumps(onnxruntime() if mode == "onnxruntime" else pytorch()))
