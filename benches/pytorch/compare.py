"""Passes and whole attacks: tkmia against PyTorch, in processes that take turns.

Prints medians and ratios; a ratio below 1 is tkmia's gain.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TKMIA = ROOT / "target/release/tkmia"
GOLDEN = ROOT / "tests/golden/tkmia-released-mini-voc-k3"
NETWORKS = (
    "vit_small_patch16_224", "swin_tiny_patch4_window7_224", "convnext_tiny", "densenet121", "efficientnet_lite0",
    "regnety_016", "mobilenetv3_large_100", "tresnet_m", "resnet50")
MINI_VOC = ROOT / "assets/victims/resnet50-mini-voc.onnx"


def child(*command, threads=None):
    """Output, seconds and peak memory in MiB of a process."""
    began = time.monotonic()
    environment = os.environ | ({"RAYON_NUM_THREADS": str(threads)} if threads else {})
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True, env=environment)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    if status:
        sys.exit(f"{command} failed")
    return output, seconds, usage.ru_maxrss / 1024


def take_turns(rounds, *runs):
    """Each run's results, of rounds in which they follow each other."""
    results = [[] for _ in runs]
    for _ in range(rounds):
        for found, run in zip(results, runs):
            found.append(run())
    return results


def export(work, name, side):
    path = work / f"{name}-{side}.onnx"
    # Elsewhere, since a child's peak memory is at least what its parent holds when it starts.
    child(sys.executable, HERE / "export.py", path, name, side)
    return path


def ours(path, side, batch, workers, threads=None):
    """Seconds of an image, forward and both ways, and peak memory."""
    each = -(-batch // workers)
    output, _, memory = child(
        TKMIA, "inspect", path, "--time", "--input-size", side, "--json",
        "--batch-size", each, "--workers", workers, threads=threads)
    seconds = json.loads(output)["seconds"]
    return seconds["forward"], seconds["both"], memory


def theirs(path, name, side, batch, threads, weights):
    output, _, memory = child(
        sys.executable, HERE / "passes.py", path.with_suffix(".pth"), name, side, batch, threads, weights)
    return *json.loads(output), memory


def table(work, side, rounds):
    """One pass of eight images through networks of many kinds, the weights frozen."""
    cores = os.cpu_count()
    print("| network | tkmia | PyTorch | ratio | memory, MiB | | ratio |\n|---|---|---|---|---|---|---|", flush=True)
    for name in NETWORKS:
        path = export(work, name, side)
        found, expected = take_turns(
            rounds, lambda: ours(path, side, 8, cores), lambda: theirs(path, name, side, 8, cores, "frozen"))
        # Of runs that follow each other.
        ratios = [[a / b for a, b in zip(*pair)] for pair in zip(found, expected)]
        (_, both, memory), (_, other, more), (_, time, space) = (
            map(statistics.median, zip(*rows)) for rows in (found, expected, ratios))
        print(f"| {name} | {both * 1e3:.1f} | {other * 1e3:.1f} | {time:.2f} | {memory:.0f} | {more:.0f} | {space:.2f} |",
              flush=True)


FLOAT32 = ("frozen", "folded", "channels_last", "compiled")
CPU = Path("/proc/cpuinfo")
# Without instructions for it bfloat16 takes many times as long.
NARROW = ("bfloat16",) if CPU.exists() and "avx512_bf16" in CPU.read_text() else ()
PEERS = (*FLOAT32, *NARROW, "onnxruntime")


def passes(work, name, side, rounds):
    path = export(work, name, side)
    cores = os.cpu_count()
    cases = {}
    for batch in (8, 1):
        workers = cores if batch > 1 else 1
        cases["tkmia", batch] = lambda batch=batch, workers=workers: ours(path, side, batch, workers)
        for mode in PEERS:
            cases[mode, batch] = lambda batch=batch, mode=mode: theirs(path, name, side, batch, cores, mode)
    cases["tkmia, one thread", 8] = lambda: ours(path, side, 8, 1, 1)
    cases["tracked", 1] = lambda: theirs(path, name, side, 1, cores, "tracked")
    # Each round in the same order, so that a ratio is of runs that are near each other.
    rows = dict(zip(cases, take_turns(rounds, *cases.values())))
    print(f"\n{name}, {side} pixels, {cores} threads: ms an image, medians of {rounds} rounds, and tkmia's ratio")
    print("| batch | peer | forward | ratio | forward and back | ratio | memory, MiB |\n|---|---|---|---|---|---|---|")
    for (case, batch), results in sorted(rows.items(), key=lambda row: -row[0][1]):
        ours_ = rows["tkmia", batch]
        columns = []
        for at in (0, 1):
            ratio = statistics.median(a[at] / b[at] for a, b in zip(ours_, results))
            columns += [f"{statistics.median(each[at] for each in results) * 1e3:.1f}", f"{ratio:.2f}"]
        memory = statistics.median(each[2] for each in results)
        print(f"| {batch} | {case} | {' | '.join(columns)} | {memory:.0f} |".replace("nan", "–"))
    for batch in (8, 1):
        best = min(FLOAT32, key=lambda mode: statistics.median(each[1] for each in rows[mode, batch]))
        ratio = statistics.median(a[1] / b[1] for a, b in zip(rows["tkmia", batch], rows[best, batch]))
        print(f"batch {batch}: {ratio:.2f} of the best float32 PyTorch, which is {best}")
    return path


def start(path, work, rounds):
    """From the start of the process to the end of an attack of one iteration."""
    import numpy

    side = 224
    numpy.random.seed(0)
    labels = numpy.zeros((1, 1000), numpy.uint8)
    labels[0, :500] = 1
    images = numpy.random.rand(1, 3, side, side).astype(numpy.float32) * 2 - 1
    numpy.savez(work / "one.npz", images=images, labels=labels, specified=labels)
    seconds = [
        child(TKMIA, "attack", "--model", path, "--input", work / "one.npz", "--k", 3,
              "--max-iterations", 1, "--output", work / "out.npz")[1]
        for _ in range(rounds)
    ]
    print(f"\nstart to the end of one iteration: {statistics.median(seconds):.2f} s")


def attacks(name, model, given, case, work, rounds):
    """Images to success in a minute."""
    options = [word for key, value in case.items() for word in (f"--{key.replace('_', '-')}", value)]

    def attacked():
        _, seconds, _ = child(
            TKMIA, "attack", "--model", model, "--input", given, "--variant", "released", *options,
            "--output", work / "out.npz")
        return seconds

    def repeated():
        return json.loads(child(sys.executable, HERE / "attack.py", model, given, json.dumps(case))[0])

    found, expected = take_turns(rounds, attacked, repeated)
    ours, theirs = statistics.median(found), statistics.median(each["seconds"] for each in expected)
    successes = expected[0]["successes"]
    print(f"\nattacks on {name}, {successes} images to success")
    print(f"  tkmia, the whole process             {successes / ours * 60:6.1f} images a minute")
    print(f"  PyTorch, its loop alone              {successes / theirs * 60:6.1f} images a minute")
    print(f"  gain                                 {theirs / ours:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="ResNet-101 at 448 pixels, too")
    parser.add_argument("--networks", action="store_true", help="networks of many kinds, and nothing else")
    arguments = parser.parse_args()
    if arguments.networks:
        return table(arguments.work, 224, arguments.rounds)
    path = passes(arguments.work, "resnet50", 224, arguments.rounds)
    start(path, arguments.work, arguments.rounds)
    recorded = json.loads((GOLDEN / "case.json").read_text())
    case = {key: recorded[key] for key in ("k", "lr", "alpha", "momentum", "max_iterations")}
    attacks("mini-VOC's victim", MINI_VOC, GOLDEN / "input.npz", case, arguments.work, arguments.rounds)
    # Made-up weights take smaller steps: success comes after ten to thirty iterations.
    attacks("ResNet-50 at 224", path, path.with_suffix(".npz"), case | {"lr": 2e-6}, arguments.work,
            arguments.rounds)
    if arguments.large:
        passes(arguments.work, "resnet101", 448, arguments.rounds)


main()
