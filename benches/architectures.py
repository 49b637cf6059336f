"""Attacks networks of several architectures on the photographs in `assets`, and prints a table.

    pip install numpy pillow
    python benches/architectures.py TKMIA NETWORKS NAME...

`NETWORKS/NAME/model.onnx` takes square images in [0, 1] of the side that `NETWORKS/NAME/case.json` says. The labels that a network
ranks first are taken for true: the experiment asks how attacks get on with an architecture, not what it recognises.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

K, RELEVANT = 3, 6
ATTACKS = {
    "TkMIA": [],
    "min-norm": ["--variant", "min-norm", "--max-iterations", "100"],
    "TkML-AP-U": ["--method", "tkml-ap-u"],
    "ML-CW-U": ["--method", "ml-cw-u"],
    "kFool": ["--method", "kfool", "--max-iterations", "30"],
}

tkmia, networks, *names = sys.argv[1:]
photographs = pathlib.Path(__file__).parent.parent / "assets/photographs"
print("| network | attack | success | mean norm, [0, 1] | kept in 8 bits | passes |")
print("|---|---|---|---|---|---|")
for name in names:
    folder = pathlib.Path(networks) / name
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
        subprocess.run([tkmia, "scores", *flags, "--input", given, "--output", found], check=True, stderr=subprocess.DEVNULL)
        order = np.argsort(-np.load(found)["scores"], axis=1)
        labels, specified = (np.zeros(order.shape, "u1") for _ in range(2))
        np.put_along_axis(labels, order[:, :RELEVANT], 1, 1)
        np.put_along_axis(specified, order[:, :1], 1, 1)
        np.savez(given, images=images, labels=labels, specified=specified)
        for attack, options in ATTACKS.items():
            command = [tkmia, "attack", *flags, "--input", given, "--k", str(K), "--output", found, *options]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            result = np.load(found)
            success = result["success"].astype(bool)
            norm = result["norm_unit"][success].mean() if success.any() else float("nan")
            kept = f"{int(result['success_rounded'][success].sum())} of {success.sum()}"
            passes = (result["forward"] + result["backward"]).mean()
            print(f"| {name} | {attack} | {success.sum()} of {len(success)} | {norm:.3f} | {kept} | {passes:.0f} |", flush=True)
