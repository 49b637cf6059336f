"""Makes the photographs and `labels.csv` in this folder out of Python packages that carry the originals.

    pip install pillow numpy scikit-image==0.26.0 scikit-learn==1.9.1 matplotlib==3.11.2 torchvision==0.29.2
    python make_photographs.py .

Each is resized to a short side of 256 pixels. The labels are of ImageNet, as they were judged by looking at the
photographs, before any network saw them.
"""

import csv
import importlib.util
import pathlib
import sys

from PIL import Image
from torchvision.models._meta import _IMAGENET_CATEGORIES as CLASSES

PHOTOGRAPHS = {
    "astronaut": ("skimage/data/astronaut.png", ["crash helmet", "space shuttle"]),
    "cat": ("skimage/data/chelsea.png", ["tabby", "tiger cat", "Egyptian cat"]),
    "coffee": ("skimage/data/coffee.png", ["espresso", "cup", "coffee mug", "dining table"]),
    "officer": ("matplotlib/mpl-data/sample_data/grace_hopper.jpg", ["military uniform", "suit", "flagpole"]),
    "palace": ("sklearn/datasets/images/china.jpg", ["palace", "monastery", "lakeside"]),
    "rocket": ("skimage/data/rocket.jpg", ["missile", "projectile"]),
}
SHORT_SIDE = 256

target = pathlib.Path(sys.argv[1])
with open(target / "labels.csv", "w", newline="") as file:
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["image", *CLASSES])
    for name, (path, labels) in PHOTOGRAPHS.items():
        package, _, rest = path.partition("/")
        folder = pathlib.Path(importlib.util.find_spec(package).origin).parent
        image = Image.open(folder / rest).convert("RGB")
        scale = SHORT_SIDE / min(image.size)
        image = image.resize([round(side * scale) for side in image.size], Image.Resampling.LANCZOS)
        image.save(target / f"{name}.jpg", quality=92)
        assert all(label in CLASSES for label in labels), labels
        table.writerow([f"{name}.jpg", *(int(label in labels) for label in CLASSES)])
