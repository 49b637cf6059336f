"""Seconds that PyTorch takes for each image: forward, and forward and back to the images."""

import json
import statistics
import sys
import time

import timm
import torch

weights, name, side, batch, threads, mode = sys.argv[1:]
side, batch = int(side), int(batch)
torch.set_num_threads(int(threads))
model = timm.create_model(name)
model.load_state_dict(torch.load(weights))
model.eval()
if mode == "frozen":
    model.requires_grad_(False)
images = torch.rand(batch, 3, side, side) * 2 - 1


def forward():
    with torch.no_grad():
        model(images)


def both():
    # As the published code does it, gradients of weights add up and nobody reads them.
    x = images.clone().requires_grad_()
    model(x).sum().backward()


def seconds(work):
    times = []
    for _ in range(6):
        began = time.monotonic()
        work()
        times.append((time.monotonic() - began) / batch)
    return statistics.median(times[1:])


print(json.dumps([seconds(forward), seconds(both)]))
