#!/usr/bin/env python3
"""Multiplies the records of a finished experiment, to see what a report of many takes.

    benches/many_records.py OUT MANY IMAGES [ATTACKS]

MANY becomes an experiment of IMAGES images in each setting: OUT's own, as often as they go into that, under other names,
with the records that they have. Of OUT's attacks so many are kept, spread evenly; all without ATTACKS.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path


def multiplied(source: Path, target: Path, images: int, attacks: int | None) -> int:
    plan = json.loads((source / "plan.json").read_text())
    jobs = plan["jobs"]
    step = max(1, len(jobs) // (attacks or len(jobs)))
    kept = range(0, len(jobs), step)[: attacks or len(jobs)]
    shutil.rmtree(target, ignore_errors=True)
    (target / "manifests").mkdir(parents=True)
    times = {}
    counts = []
    for number, entry in enumerate(plan["manifests"]):
        manifest = json.loads((source / entry["file"]).read_text())
        samples = manifest["samples"]
        counts.append(len(samples))
        times[number] = -(-images // len({sample["id"] for sample in samples}))
        manifest["samples"] = [
            {**sample, "id": f"{sample['id']}-{copy}"}
            for copy in range(times[number])
            for sample in samples
        ]
        written = (json.dumps(manifest, separators=(",", ":")) + "\n").encode()
        (target / entry["file"]).write_bytes(written)
        entry |= {"samples": len(manifest["samples"]), "sha256": hashlib.sha256(written).hexdigest()}
    total = 0
    with open(source / "records.jsonl") as records, open(target / "records.jsonl", "w") as out:
        for number, job in enumerate(jobs):
            lines = [next(records) for _ in range(counts[job["manifest"]])]
            if number not in kept:
                continue
            cut = [line.split('"id":"', 1) for line in lines]
            cut = [(head + '"id":"', *tail.split('"', 1)) for head, tail in cut]
            for copy in range(times[job["manifest"]]):
                out.writelines(f'{head}{id}-{copy}"{tail}' for head, id, tail in cut)
                total += len(cut)
    # Its images' pictures are nowhere.
    plan["inputs"]["pictures"] = 0
    plan |= {"trials": [], "jobs": [jobs[number] for number in kept]}
    (target / "plan.json").write_text(json.dumps(plan))
    return total


if __name__ == "__main__":
    if not 4 <= len(sys.argv) <= 5:
        sys.exit(__doc__)
    source, target, *numbers = sys.argv[1:]
    print(multiplied(Path(source), Path(target), *map(int, numbers), *[None] * (2 - len(numbers))), "records")
