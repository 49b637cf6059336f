"""Hides a label from a PyTorch module: any module with scores [n, c], on any device."""

import numpy as np
import tkmia
import torch
from torch import nn


def victim(module, device):
    """The module as `tkmia.attack` calls it: scores of images, and the way back from them."""
    module = module.to(device).eval().requires_grad_(False)

    def scored(images):
        images = torch.from_numpy(images).to(device).requires_grad_()
        with torch.enable_grad():
            scores = module(images)

        def back(weights):
            weights = torch.from_numpy(weights).to(device)
            return torch.autograd.grad(scores, images, weights)[0].cpu().numpy()

        return scores.detach().cpu().numpy(), back

    return scored


def network():
    """A small one, untrained: put your own in its place."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(512, 20),
    )


def main():
    model = victim(network(), "cuda" if torch.cuda.is_available() else "cpu")
    images = np.random.default_rng(0).random((4, 3, 32, 32), dtype=np.float32)

    # What it shows now counts as true, and what it is surest of is to vanish from its first three.
    ranks = np.argsort(np.argsort(-model(images)[0], axis=1), axis=1)
    labels, specified = ranks < 6, ranks == 0
    result = tkmia.attack(
        model, images, labels, specified, k=3, variant="min-norm", max_iterations=50
    )

    print(f"hidden in {result['success'].sum()} of {len(images)} images")
    print(f"mean L2 norm {result['norm_input'].mean():.4f}, in pixels of [0, 1]")
    change = tkmia.change(result["clean_scores"], result["scores"], labels, k=3, specified=specified)
    print(", ".join(f"{name} {drop:.3f}" for name, drop in change.items()))
    return result


if __name__ == "__main__":
    main()
