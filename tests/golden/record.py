"""Record QuadAttacK, CMLU, CLASS, GMLA, JMA and Square, written from their equations: `pip install torch numpy`, then `python3 record.py`, with names
of cases to record those alone.

Each image by itself, in f32 where the library is, on the images of `tkmia-corrected-k3`.
"""
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

HERE = Path(__file__).parent
INPUT = "tkmia-corrected-k3"
WEIGHTS = torch.load(HERE / "../../assets/victims/resnet14-tiny.pth")
torch.set_num_threads(1)


def scores(image):
    def norm(values, name):
        kept = [WEIGHTS[f"{name}.{of}"] for of in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(values, *kept)

    def conv(values, name, bn, stride=1, padding=0):
        return norm(F.conv2d(values, WEIGHTS[f"{name}.weight"], stride=stride, padding=padding), bn)

    values = F.relu(conv(image[None], "conv1", "bn1", 2, 3))
    values = F.max_pool2d(values, 3, 2, 1)
    for stage in range(1, 5):
        block, stride = f"layer{stage}.0", 1 if stage == 1 else 2
        inner = F.relu(conv(values, f"{block}.conv1", f"{block}.bn1"))
        inner = F.relu(conv(inner, f"{block}.conv2", f"{block}.bn2", stride, 1))
        inner = conv(inner, f"{block}.conv3", f"{block}.bn3")
        values = F.relu(inner + conv(values, f"{block}.downsample.0", f"{block}.downsample.1", stride))
    return F.linear(values.mean((2, 3)), WEIGHTS["fc.weight"], WEIGHTS["fc.bias"])[0]


def gradient(image, of):
    image = image.clone().requires_grad_()
    return torch.autograd.grad(of(scores(image)), image)[0]


def top(values, k):
    return torch.sort(values, descending=True, stable=True).indices[:k].tolist()


class Sample:
    def __init__(self, image, labels, specified, k):
        self.image, self.k = image, k
        self.relevant = torch.tensor(labels, dtype=torch.bool)
        self.specified = torch.tensor(specified, dtype=torch.bool)
        self.clean = scores(image)
        self.inside = [label for label in top(self.clean, k) if self.specified[label]]
        enough = int(self.relevant.sum()) >= k + int(self.specified.sum())
        self.takes_part = enough and bool(self.inside)

        self.target, self.delta = None, len(self.inside)

    def aim(self):
        self.target = [label for label in top(self.clean, len(self.clean)) if not self.relevant[label]][:self.k]

    def margin(self, values):
        """The best specified label minus the k-th of the others."""
        return float(values[self.specified].max()) - float(values[~self.specified].sort(descending=True).values[self.k - 1])

    def is_met(self, values):
        if self.target is not None:
            return self.takes_part and top(values, self.k) == self.target
        inside = sum(bool(self.specified[label]) for label in top(values, self.k))
        return self.takes_part and len(self.inside) - inside >= self.delta


def multipliers(rows, bound):
    """Non-negative least squares, one multiplier at a time."""
    gram, dual = rows @ rows.T, np.zeros(len(rows))
    for _ in range(20000):
        before = dual.copy()
        for q in range(len(rows)):
            dual[q] = max(0.0, dual[q] - (gram[q] @ dual + bound[q]) / gram[q, q])
        if np.abs(dual - before).max() < 1e-13:
            break
    return dual


def quadattack(sample, weight, max_iterations):
    sample.aim()
    ahead, others = sample.target, [label for label in range(len(sample.clean)) if label not in sample.target]
    pairs = list(zip(ahead, ahead[1:])) + [(ahead[-1], other) for other in others]
    order = np.zeros((len(pairs), len(sample.clean)))
    for row, (high, low) in zip(order, pairs):
        row[high], row[low] = 1, -1
    by = torch.zeros_like(sample.image).requires_grad_()
    optimiser = torch.optim.AdamW([by], lr=2 * 0.0022)
    least, best, losses = np.inf, None, []
    while True:
        image = sample.image + by
        now = scores(image)
        at = now.detach().double().numpy()
        nearest = at + order.T @ multipliers(order, order @ at - 0.2)
        loss = ((now - torch.from_numpy(nearest).float()) ** 2).sum()
        losses.append(float(loss.detach()))
        met, norm = sample.is_met(now), float(by.detach().norm())
        if met and norm < least:
            best = image.detach()
        if not sample.takes_part or len(losses) == max_iterations:
            return image.detach() if best is None else best, len(losses), losses
        optimiser.zero_grad()
        # Of images in [0, 1].
        (weight * loss + (by / 2).square().sum()).backward()
        optimiser.step()
        if met and norm <= least:
            weight *= 0.75
            least = norm
        with torch.no_grad():
            by.copy_((sample.image + by).clamp(-1, 1) - sample.image)


def chosen(sample, delta):
    labels = sorted(sample.inside)
    if len(labels) <= delta:
        return labels
    rows = torch.stack([gradient(sample.image, lambda f: f[label]).flatten() for label in labels]).double()
    p = torch.sigmoid(sample.clean[labels].double())
    ease = (1 - p) / (1 - p).max()
    # How far a step of length 1 down the score of one label lowers the probability of another.
    lowered = (rows / rows.norm(dim=1, keepdim=True)) @ rows.T * (p * (1 - p))
    helps = (lowered - lowered.min()) / (lowered.max() - lowered.min())
    subset = [int(ease.argmax())]
    while len(subset) < delta:
        gains = ease + sum(helps[:, at] + helps[at, :] for at in subset)
        gains[subset] = -torch.inf
        subset.append(int(gains.argmax()))
    return [labels[at] for at in subset]


def class_(sample, lr, alpha, momentum, max_iterations, delta):
    sample.delta = delta
    subset = chosen(sample, delta)
    modifier, velocity, losses = torch.zeros_like(sample.image), None, []
    while True:
        image = (sample.image + modifier).clamp(-1, 1)
        now = scores(image)
        losses.append(float(F.softplus(now[subset]).sum() + alpha / 2 * (modifier ** 2).sum()))
        if sample.is_met(now) or not sample.takes_part or len(losses) == max_iterations:
            return image, len(losses), losses
        step = gradient(image, lambda f: F.softplus(f[subset]).sum())
        step = torch.where(image.abs() >= 1, 0.0, step) + alpha * modifier
        velocity = step if velocity is None else momentum * velocity + step
        modifier = modifier - lr * velocity


def gmla(sample, lr, alpha, momentum, max_iterations):
    def entropy(among):
        wanted = sample.relevant & ~sample.specified
        return lambda values: F.binary_cross_entropy_with_logits(
            values[among], wanted[among].float(), reduction="sum")

    attacked, kept = entropy(sample.specified), entropy(~sample.specified)
    modifier, velocity, losses = torch.zeros_like(sample.image), None, []
    while True:
        image = (sample.image + modifier).clamp(-1, 1)
        now = scores(image)
        losses.append(float(attacked(now) + kept(now) + alpha / 2 * (modifier ** 2).sum()))
        if sample.is_met(now) or not sample.takes_part or len(losses) == max_iterations:
            return image, len(losses), losses
        g, v = gradient(image, attacked), gradient(image, kept)
        length = g.norm()
        u, v = g / length, v / v.norm()
        cosine = (u * v).sum()
        step = length * (u - cosine * v if cosine <= -0.85 else u + v)
        step = torch.where(image.abs() >= 1, 0.0, step) + alpha * modifier
        velocity = step if velocity is None else momentum * velocity + step
        modifier = modifier - lr * velocity


def jma(sample, max_iterations):
    others = [label for label in top(sample.clean, 20) if not sample.specified[label]][:sample.k]
    pairs = [(s, t) for s in torch.nonzero(sample.specified)[:, 0].tolist() for t in others]
    confidence = 1e-3 * float(sample.clean.max() - sample.clean.min())
    box = lambda image: image.clamp(-1, 1)
    image, now = sample.image, sample.clean
    for step in range(max_iterations + 1):
        if sample.is_met(now) or not sample.takes_part:
            break
        if step == max_iterations:
            return image, step, []
        rows = torch.stack([gradient(image, lambda f: f[s] - f[t]).flatten() for s, t in pairs]).double()
        bound = np.array([float(now[t] - now[s]) - confidence for s, t in pairs])
        by = (-torch.from_numpy(multipliers(rows.numpy(), bound)) @ rows).reshape(image.shape)
        by = by * min(1.0, 1.0 / float(by.norm()))
        before, image = image, box(image + by.float())
        now = scores(image)
    if step == 0:
        return image, 0, []
    fails, holds = 0.0, 1.0
    for _ in range(6):
        if step == max_iterations:
            break
        step += 1
        middle = (fails + holds) / 2
        there = box(before + middle * by.float())
        if sample.is_met(scores(there)):
            holds, image = middle, there
        else:
            fails = middle
    return image, step, []


def label_wise(fit, radius, rounds):
    """CMLU's perturbations of labels, in L∞, and how they are added."""
    n = len(fit[0].clean)
    members = [(row, one) for row, one in enumerate(fit) if one.takes_part]
    judged, members = members[-(len(members) // 4):], members[:-(len(members) // 4)]

    def drawn(round, number):
        digest = hashlib.sha256(round.to_bytes(8, "little") + number.to_bytes(8, "little") + b"compose").digest()
        return max(2 * (int.from_bytes(digest[:8], "big") >> 11) / 2 ** 53 - 1, 0)

    def added(u, weights):
        v = torch.tensordot(torch.tensor(weights, dtype=torch.float32), u, 1)
        return v * min(1.0, radius / float(v.abs().max())) if v.any() else v

    def applied(u, one):
        return (one.image + added(u, [float(s) for s in one.specified])).clamp(-1, 1)

    def dependence(u):
        length = u.flatten(1).norm(dim=1)
        free = u.clone().requires_grad_()
        directions = free.flatten(1)[length > 0]
        directions = directions / directions.norm(dim=1, keepdim=True)
        squares = (directions @ directions.T - torch.eye(len(directions))) ** 2
        return torch.autograd.grad(squares.sum() / n ** 2, free)[0]

    u = torch.zeros(n, *fit[0].image.shape)
    velocities, best, result = torch.zeros_like(u), (len(fit) + 1, np.inf), u
    for round in range(1, rounds + 1):
        gradients = []
        for row, one in members:
            weights = [1.0 if s else drawn(round, row * n + label) for label, s in enumerate(one.specified)]
            image = (one.image + added(u, weights)).clamp(-1, 1)
            kept = torch.tensor(weights) == 0

            def loss(f):
                turned = F.relu(-torch.tanh(f * one.clean))[kept]
                return F.softplus(f[one.specified]).mean() + 20 * turned.mean()

            gradients.append((one.specified, torch.where(image.abs() >= 1, 0.0, gradient(image, loss)), one.is_met(scores(image))))
        if not all(met for *_, met in gradients):
            gradients = [one for one in gradients if not one[2]]
        penalty, moved = dependence(u), u.clone()
        for label in range(n):
            own = [g for specified, g, _ in gradients if specified[label]]
            if own:
                g = torch.stack(own).mean(0) + penalty[label]
                velocities[label] = 0.9 * velocities[label] + g / g.abs().sum()
                moved[label] = (u[label] - 0.1 * radius * velocities[label].sign()).clamp(-radius, radius)
        u = moved
        found = [(one, scores(applied(u, one))) for _, one in judged]
        score = (sum(not one.is_met(f) for one, f in found), float(np.mean([one.margin(f) for one, f in found])))
        if score < best:
            best, result = score, u
        if best[0] == 0:
            break
    return lambda sample: applied(result, sample)


def cmlu(sample, norm, radius, max_iterations, added):
    return added(sample) if sample.takes_part else sample.image, 1, []


class Draws:
    def __init__(self, image):
        self.key = hashlib.sha256(image.numpy().astype("<f4").tobytes()).digest()
        self.bytes = self.stream()

    def stream(self):
        block = 0
        while True:
            yield from hashlib.sha256(self.key + block.to_bytes(8, "little")).digest()
            block += 1

    def below(self, end):
        return int.from_bytes(bytes(next(self.bytes) for _ in range(8)), "little") % end

    def sign(self):
        return 1.0 if next(self.bytes) % 2 == 0 else -1.0


def bump(side, transposed):
    """Squares of growing size around the middle of each half, each worth 1/j²."""
    whole = np.zeros((side, side))
    for sign, half in ((1, whole[:side // 2]), (-1, whole[side // 2:])):
        rows, columns = half.shape[0] // 2, half.shape[1] // 2
        for j in range(max(rows, columns) + 1):
            half[max(rows - j, 0):rows + j + 1, max(columns - j, 0):columns + j + 1] += sign / (j + 1) ** 2
    whole /= np.sqrt((whole ** 2).sum())
    return whole.T if transposed else whole


def square(sample, norm, radius, max_iterations):
    draws, origin = Draws(sample.image), sample.image.numpy()
    channels, height, width = origin.shape

    def place(side):
        top = draws.below(height - side + 1)
        left = draws.below(width - side + 1)
        return slice(top, top + side), slice(left, left + side)

    def attempt(by):
        return np.clip(origin + by.astype(np.float32), -1, 1, dtype=np.float32) - origin

    def first():
        by = np.zeros(origin.shape)
        if norm == "linf":
            for channel in range(channels):
                for column in range(width):
                    by[channel, :, column] = draws.sign() * radius
            return by
        side = height // 5
        edge = (height - side * (height // side)) // 2
        for row in range(height // side):
            for column in range(width // side):
                added = bump(side, draws.sign() < 0)
                top, left = edge + row * side, edge + column * side
                for channel in range(channels):
                    by[channel, top:top + side, left:left + side] = draws.sign() * added
        return by * radius / np.sqrt((by ** 2).sum())

    def following(best, query):
        halvings = sum(10000 * query // max_iterations > at for at in (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000))
        share = (0.05 if norm == "linf" else 0.1) / 2 ** halvings
        side = round(np.sqrt(share * height * width))
        by = best.astype(np.float64)
        if norm == "linf":
            window = place(min(max(side, 1), height - 1))
            signs = [draws.sign() for _ in range(channels)]
            for turned in (1, -1):
                for channel in range(channels):
                    by[channel][window] = turned * signs[channel] * radius
                if not np.array_equal(attempt(by), best):
                    break
            return by
        side = max(side, 3) | 1
        to, away = place(side), place(side)
        added = bump(side, draws.sign() < 0)
        unused = max(radius ** 2 - (by ** 2).sum(), 0) / channels
        for channel in by:
            sign = draws.sign()
            both = np.zeros(channel.shape, bool)
            both[to] = both[away] = True
            available = np.sqrt((channel[both] ** 2).sum() + unused)
            length = np.sqrt((channel[to] ** 2).sum())
            new = sign * added + (channel[to] / length if length > 0 else 0)
            channel[away] = 0
            whole = np.sqrt((new ** 2).sum())
            channel[to] = new * available / whole if whole > 0 else 0
        return by

    image, now, least, best, tried = sample.image, sample.clean, np.inf, None, None
    for query in range(1, max_iterations + 1):
        if sample.is_met(now) or not sample.takes_part or query == max_iterations:
            return image, query, []
        if query == 1:
            tried = attempt(first())
        else:
            if sample.margin(now) < least:
                least, best = sample.margin(now), tried
            tried = attempt(following(best, query - 2))
        image = torch.from_numpy(np.clip(origin + tried, -1, 1))
        now = scores(image)


CASES = {
    "cmlu-k3": (cmlu, dict(norm="linf", radius=0.25), 5),
    "quadattack-k3": (quadattack, dict(weight=10.0), 60),
    "class-k3-delta1": (class_, dict(lr=0.002, alpha=1e-4, momentum=0.9, delta=1), 150),
    "gmla-corrected-k3": (gmla, dict(lr=0.002, alpha=1e-4, momentum=0.9), 150),
    "jma-corrected-k3": (jma, {}, 30),
    "square-linf-k3": (square, dict(norm="linf", radius=0.25), 150),
    "square-l2-k3": (square, dict(norm="l2", radius=8.0), 150),
}


def record(name, attack, knobs, max_iterations):
    given = np.load(HERE / INPUT / "input.npz")
    case = dict(method=attack.__name__.rstrip("_"), variant="corrected", k=3, **knobs, max_iterations=max_iterations)
    case.setdefault("delta", None)
    case.update(stop="excluded", input=INPUT)
    if attack is quadattack:
        case.update(stop="target-in-order", target="best")
    samples = lambda images: [Sample(torch.from_numpy(image.copy()), labels, specified, case["k"])
                              for image, labels, specified in zip(images, given["labels"], given["specified"])]
    own = dict(knobs)
    if attack is cmlu:
        own["added"] = label_wise(samples(given["images"][..., ::-1]), knobs["radius"], max_iterations)
    out = {of: [] for of in ("clean_scores", "scores", "topk", "success", "iterations", "norm", "norm_input", "excluded", "loss")}
    for sample in samples(given["images"]):
        attacked, iterations, losses = attack(sample, **own, max_iterations=max_iterations)
        now = scores(attacked)
        norm = float((attacked - sample.image).double().norm())
        left = sum(bool(sample.specified[label]) for label in top(now, case["k"]))
        row = (sample.clean, now, top(now, case["k"]), sample.is_met(now), iterations, norm, norm,
               len(sample.inside) - left, losses + [np.nan] * (max_iterations - len(losses)))
        for values, value in zip(out.values(), row):
            values.append(np.asarray(value))
    kinds = dict(topk=np.int64, success=np.uint8, iterations=np.int64, excluded=np.int64)
    arrays = {of: np.stack(values).astype(kinds.get(of, np.float32)) for of, values in out.items()}
    (HERE / name).mkdir(exist_ok=True)
    (HERE / name / "case.json").write_text(json.dumps(case, indent=1) + "\n")
    np.savez_compressed(HERE / name / "expected.npz", **arrays)
    print(name, arrays["success"], arrays["iterations"], arrays["norm"].round(3))


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        record(name, *CASES[name])
