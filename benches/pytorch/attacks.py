"""The attacks of `architectures.py` in PyTorch, written from the papers' equations: they share no code with tkmia.

All of a batch at once, each image until its first success. `min-norm` has no other writing; DDN (Rony et al., CVPR 2019) on the same
constraints stands beside it.
"""

import torch

LEARNING_RATE, MOMENTUM, ALPHA = 1e-3, 0.9, 1e-4


def largest(values, mask):
    return values.masked_fill(~mask, -torch.inf).amax(1, keepdim=True)


def tkmia(scores, relevant, specified, k):
    """Eq. 6 at its minimisers: means of order statistics."""
    others = relevant & ~specified
    above = torch.relu(largest(scores, specified) - scores)
    below = torch.relu(scores + largest(-scores, others))
    count = scores.shape[1] - k
    return above.topk(count).values.mean(1) + below.topk(k).values.mean(1)


def tkml_ap_u(scores, relevant, specified, k):
    return torch.relu(largest(scores, relevant) - scores).topk(scores.shape[1] - k).values.mean(1)


def ml_cw_u(scores, relevant, specified, k):
    return torch.relu(largest(scores, relevant) + largest(-scores, ~relevant))[:, 0]


def constraints(scores, relevant, specified, k, clean):
    """The most violated of min-norm's constraints, for specified labels that must all leave."""
    rest = scores.masked_fill(specified, -torch.inf).topk(k).values
    gaps = [largest(scores, specified)[:, 0] - rest[:, -1]]
    fill, irrelevant = (scores.masked_fill(~mask, -torch.inf).topk(k).values for mask in [relevant & ~specified, ~relevant])
    for row in range(len(scores)):
        hits = relevant[row, clean[row].topk(k).indices].cumsum(0).tolist()
        for m, n in enumerate(hits, 1):
            if 0 < n:
                gaps[0] = gaps[0].index_put((torch.tensor(row),), torch.maximum(gaps[0][row], irrelevant[row, m - n] - fill[row, n - 1]))
    return gaps[0]


LOSSES = {"TkMIA": tkmia, "TkML-AP-U": tkml_ap_u, "ML-CW-U": ml_cw_u}


def run(model, images, relevant, specified, k, attack, iterations):
    """Whether each image was attacked, and the L2 norm of its perturbation."""
    images, relevant, specified = torch.tensor(images), torch.tensor(relevant).bool(), torch.tensor(specified).bool()
    find = {"kFool": kfool, "min-norm": ddn}.get(attack, descend)
    found = find(model, images, relevant, specified, k, LOSSES.get(attack), iterations)
    norms = (found - images).flatten(1).norm(dim=1)
    with torch.no_grad():
        return out_of_top(model(found), specified, k).numpy(), norms.numpy()


def out_of_top(scores, specified, k):
    return ~specified.gather(1, scores.topk(k).indices).any(1)


def descend(model, images, relevant, specified, k, loss, iterations):
    moved = torch.zeros_like(images, requires_grad=True)
    optimiser = torch.optim.SGD([moved], lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=ALPHA)
    found, done = images.clone(), torch.zeros(len(images), dtype=bool)
    for _ in range(iterations):
        seen = (images + moved).clamp(0, 1)
        scores = model(seen)
        new = out_of_top(scores.detach(), specified, k) & ~done
        found[new], done = seen.detach()[new], done | new
        if done.all():
            break
        optimiser.zero_grad()
        loss(scores, relevant, specified, k).sum().backward()
        optimiser.step()
    return found


def kfool(model, images, relevant, specified, k, _, iterations):
    moved, found, done = torch.zeros_like(images), images.clone(), torch.zeros(len(images), dtype=bool)
    best = None
    for _ in range(iterations + 1):
        seen = (images + moved).clamp(0, 1).requires_grad_()
        scores = model(seen)
        if best is None:
            best = scores.detach().masked_fill(~relevant, -torch.inf).argmax(1)
        new = out_of_top(scores.detach(), specified, k) & ~done
        found[new], done = seen.detach()[new], done | new
        if done.all():
            break
        ahead = scores.detach().topk(k + 1).indices
        gap = lambda labels: (scores.gather(1, labels[:, None]) - scores.gather(1, best[:, None]))[:, 0]
        w, b = torch.zeros_like(images), torch.zeros(len(images))
        for labels in ahead.T:
            gaps = gap(labels)
            slope = torch.autograd.grad(gaps.sum(), seen, retain_graph=True)[0]
            size = slope.flatten(1).norm(dim=1)
            share = torch.where(labels == best, 0, 1 / size.clamp_min(1e-30))
            w, b = w + slope * share[:, None, None, None], b + gaps.detach() * share
        moved = moved + w * (b.abs() / w.flatten(1).norm(dim=1))[:, None, None, None]
    return found


def ddn(model, images, relevant, specified, k, _, iterations):
    norm = torch.ones(len(images))
    moved = torch.zeros_like(images)
    smallest, found = torch.full((len(images),), torch.inf), images.clone()
    clean = None
    for step in range(iterations):
        seen = (images + moved).clamp(0, 1).requires_grad_()
        scores = model(seen)
        clean = scores.detach() if clean is None else clean
        gap = constraints(scores, relevant, specified, k, clean)
        size = (seen.detach() - images).flatten(1).norm(dim=1)
        met = out_of_top(scores.detach(), specified, k) & (gap.detach() <= 0)
        new = met & (size < smallest)
        smallest[new], found[new] = size[new], seen.detach()[new]
        slope = torch.autograd.grad(gap.sum(), seen)[0]
        slope = slope / slope.flatten(1).norm(dim=1).clamp_min(1e-30)[:, None, None, None]
        rate = 0.5 * (1 + torch.cos(torch.tensor(step / iterations * torch.pi)))
        moved = moved - rate * slope
        norm = norm * torch.where(met, 0.95, 1.05)
        moved = moved * (norm / moved.flatten(1).norm(dim=1))[:, None, None, None]
        moved = (images + moved).clamp(0, 1) - images
    return found
