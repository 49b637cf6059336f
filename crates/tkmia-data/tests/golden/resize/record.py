"""Record what Pillow makes of a few images: `pip install "pillow<13" numpy`, then `python3 record.py`.

Sizes and crops follow torchvision's Resize(side) and CenterCrop(side), written out here so that torch isn't needed.
"""
import json
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

SEED = 2012
HERE = Path(__file__).parent
# width, height, how the square is made, its side
CASES = [
    (97, 64, "short_side", 30),  # reduces, long side 45.47
    (64, 97, "short_side", 41),  # tall
    (20, 33, "short_side", 47),  # enlarges, crop begins at half a pixel
    (33, 20, "short_side", 21),  # nearly the same size
    (1, 7, "short_side", 12),
    (90, 1, "short_side", 5),
    (48, 48, "short_side", 48),  # the same size
    (80, 60, "square", 28),
    (41, 75, "square", 75),  # one side kept
    (33, 50, "square", 22),  # tall
    (13, 9, "square", 50),
    (200, 150, "square", 3),  # a large reduction
]
# The same with another filter, and the length that is scaled to before the middle is cut out.
FILTERED = [
    (97, 64, "short_side", 28, "bicubic", 32),
    (64, 97, "short_side", 41, "lanczos", 41),
    (20, 33, "short_side", 47, "bicubic", 53),  # enlarges
    (80, 60, "square", 28, "bicubic", 28),
    (13, 9, "square", 40, "lanczos", 50),
    (97, 64, "short_side", 30, "bilinear", 35),
]


def pattern(rng, width, height, kind):
    if kind == 0:
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == 1:  # only black and white: the steepest edges
        return np.uint8(255 * rng.integers(0, 2, (height, width, 3)))
    y, x = np.mgrid[0:height, 0:width]
    waves = [127.5 + 127.5 * np.sin(x / 7 + y / 11), 127.5 + 127.5 * np.cos(x * y / 300), (x * 3 + y * 5) % 256]
    return np.uint8(np.stack(waves, -1))


def squared(image, how, side, name="bilinear", scaled=None):
    resample, scaled = getattr(Image, name.upper()), scaled or side
    width, height = image.size
    short, long = min(width, height), max(width, height)
    long = int(scaled * long / short) if how == "short_side" else scaled
    image = image.resize((scaled, long) if width <= height else (long, scaled), resample)
    left, top = (int(round((length - side) / 2.0)) for length in image.size)
    return image.crop((left, top, left + side, top + side))


def main():
    # From 13 on, Pillow does the vertical pass first where that is cheaper: some values are a level off.
    assert int(PIL.__version__.split(".")[0]) < 13, "record with a Pillow before 13"
    rng = np.random.default_rng(SEED)
    cases = []
    for number, (width, height, how, side, *filtered) in enumerate(CASES + FILTERED):
        image = Image.fromarray(pattern(rng, width, height, number % 3))
        square = squared(image, how, side, *filtered)
        stem = "-".join(map(str, (f"{width}x{height}", how, side, *filtered)))
        image.save(HERE / f"{stem}.input.png", optimize=True)
        square.save(HERE / f"{stem}.expected.png", optimize=True)
        case = {"stem": stem, "how": how, "side": side}
        cases.append(case | dict(zip(("filter", "scaled"), filtered)))
    versions = {"pillow": PIL.__version__, "numpy": np.__version__}
    (HERE / "recording.json").write_text(json.dumps({"versions": versions, "seed": SEED, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
