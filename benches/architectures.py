"""Attacks networks of several architectures on the photographs in `assets`, and prints a table.

    pip install numpy pillow
    python benches/architectures.py TKMIA NETWORKS NAME... [--pytorch] [--max-iterations N]

With `--pytorch` the same attacks run in PyTorch too (`pip install onnx torch`); min-norm's place is taken by DDN on the same constraints.

`NETWORKS/NAME/model.onnx` takes square images in [0, 1] of the side that `NETWORKS/NAME/case.json` says. The labels that a network
ranks first are taken for true: the experiment asks how attacks get on with an architecture, not what it recognises.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

K, RELEVANT = 3, 6
ATTACKS = {
    "TkMIA": ["--method", "tkmia"],
    "min-norm": ["--variant", "min-norm"],
    "TkML-AP-U": ["--method", "tkml-ap-u"],
    "ML-CW-U": ["--method", "ml-cw-u"],
    "kFool": ["--method", "kfool"],
}

parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument("tkmia")
parser.add_argument("networks", type=pathlib.Path)
parser.add_argument("names", nargs="+")
parser.add_argument("--pytorch", action="store_true")
parser.add_argument("--max-iterations", type=int, default=100)
args = parser.parse_args()
if args.pytorch:
    sys.path.insert(0, str(pathlib.Path(__file__).parent / "pytorch"))
    import torch

    import attacks
    from network import Network


def in_pytorch(path, case):
    """The network with the normalisation that is done before it."""
    network = Network(path)
    if "mean" not in case:
        return network
    mean, std = (torch.tensor(case[name])[:, None, None] for name in ["mean", "std"])
    return lambda images: network((images - mean) / std)


def summary(success, norm):
    success = success.astype(bool)
    mean = norm[success].mean() if success.any() else float("nan")
    return f"{success.sum()} of {len(success)} | {mean:.3f}"


photographs = pathlib.Path(__file__).parent.parent / "assets/photographs"
more = " in PyTorch | mean norm |" if args.pytorch else ""
print("| network | attack | success | mean norm, [0, 1] | kept in 8 bits | passes |" + more)
print("|---|---|---|---|---|---|" + more.count("|") * "---|")
for name in args.names:
    folder = args.networks / name
    model, case = folder / "model.onnx", json.loads((folder / "case.json").read_text())
    side = case["image_size"]
    seen = [Image.open(path).convert("RGB").resize((side, side)) for path in sorted(photographs.glob("*.jpg"))]
    images = np.stack([np.asarray(image, "f4").transpose(2, 0, 1) / 255 for image in seen])
    flags = ["--model", model]
    if "mean" in case:
        for option in ["mean", "std"]:
            flags += [f"--{option}", ",".join(map(str, case[option]))]
    with tempfile.TemporaryDirectory() as place:
        given, found = f"{place}/in.npz", f"{place}/out.npz"
        np.savez(given, images=images)
        subprocess.run([args.tkmia, "scores", *flags, "--input", given, "--output", found], check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        order = np.argsort(-np.load(found)["scores"], axis=1)
        labels, specified = (np.zeros(order.shape, "u1") for _ in range(2))
        np.put_along_axis(labels, order[:, :RELEVANT], 1, 1)
        np.put_along_axis(specified, order[:, :1], 1, 1)
        np.savez(given, images=images, labels=labels, specified=specified)
        for attack, options in ATTACKS.items():
            command = [args.tkmia, "attack", *flags, "--input", given, "--k", str(K), "--output", found, *options]
            command += ["--max-iterations", str(args.max_iterations)]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            result = np.load(found)
            success = result["success"].astype(bool)
            row = [name, attack, summary(success, result["norm_unit"])]
            row.append(f"{int(result['success_rounded'][success].sum())} of {success.sum()}")
            row.append(f"{(result['forward'] + result['backward']).mean():.0f}")
            if args.pytorch:
                row.append(summary(*attacks.run(in_pytorch(model, case), images, labels, specified, K, attack, args.max_iterations)))
            print("| " + " | ".join(row) + " |", flush=True)
