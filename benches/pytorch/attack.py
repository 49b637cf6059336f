"""The published attack's loop in PyTorch, written afresh: an image at a time, weights' gradients computed.

Faster than the original in one respect: batch norms are folded, as in the file.
"""

import json
import sys
import time

import numpy
import torch
import torch.nn.functional as F

from network import Network


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


model, given, case = Network(sys.argv[1], trainable=True), numpy.load(sys.argv[2]), json.loads(sys.argv[3])
rows = [
    (torch.tensor(image[None]), torch.tensor(labels) == 1, torch.tensor(specified) == 1)
    for image, labels, specified in zip(given["images"], given["labels"], given["specified"])
]
attack(model, *rows[0], case | {"max_iterations": 1})
began = time.monotonic()
successes = sum(attack(model, *row, case) for row in rows)
print(json.dumps({"seconds": time.monotonic() - began, "successes": successes}))
