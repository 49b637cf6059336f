"""The package against values worked by hand, recorded runs of PyTorch, and PyTorch itself where it is there.

python -m unittest discover -s crates/tkmia-python/tests
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import unittest
from pathlib import Path

import numpy as np
import tkmia

try:
    import torch
except ImportError as error:
    torch, NO_TORCH = None, f"PyTorch can't be imported: {error}"
else:
    NO_TORCH = ""

REPOSITORY = Path(__file__).resolve().parents[3]
VICTIM = REPOSITORY / "assets/victims/resnet14-tiny.onnx"
GOLDEN = REPOSITORY / "tests/golden/tkmia-corrected-k3"


def golden():
    """Images, relevant and specified labels of a recorded run, and its k."""
    case = np.load(GOLDEN / "input.npz")
    return case["images"], case["labels"], case["specified"], 3


class CommandTest(unittest.TestCase):
    def test_the_script_of_the_book_answers(self):
        page = (REPOSITORY / "docs/src/victims.md").read_text()
        script = next(block for block in page.split("```python\n")[1:] if "images.mean" in block)
        images = np.random.default_rng(0).random((5, 3, 4, 6), dtype="float32")
        batches = [images[:2], images[2:]]
        asked = b"".join(b"%d %d %d %d\n" % one.shape + one.tobytes() for one in batches)
        command = [sys.executable, "-c", script.split("```")[0]]
        answer = subprocess.run(command, input=asked, stdout=subprocess.PIPE, check=True).stdout
        scores = [[float(score) for score in line.split()] for line in answer.splitlines()]
        np.testing.assert_allclose(scores, images.mean(axis=(2, 3)), rtol=1e-6)


class MeasuresTest(unittest.TestCase):
    def test_values_worked_by_hand(self):
        """Those of tkmia-metrics: tkacc, tkacc_released, p, ap, ndcg."""
        eight = [0.9, 0.2, 0.8, 0.1, 0.3, 0.85, 0.7, 0.05]
        nan = np.nan
        cases = [
            ("11111000", eight, 3, [0, 0, 2 / 3, 0.555556, 0.703918]),
            ("11111000", [score - 1 for score in eight], 3, [0, 0, 2 / 3, 0.555556, 0.703918]),
            ("10100", [0.9, 0.5, 0.5, 0.5, 0.1], 2, [0, 0, 0.5, 0.5, 0.613147]),
            ("010001", [0.6, 0.5, 0.4, 0.3, 0.2, 0.1], 4, [0, 0, 0.25, 0.25, 0.386853]),
            ("0000", [0.4, 0.3, 0.2, 0.1], 2, [1, 1, 0, nan, nan]),
        ]
        for labels, scores, k, expected in cases:
            # A row that has all measures, so that the others' NaN has a place.
            labels = [[int(flag) for flag in labels], [1] * len(labels)]
            found = tkmia.measures([scores, scores], labels, k)
            found = [found[name][0] for name in ["tkacc", "tkacc_released", "p", "ap", "ndcg"]]
            np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_a_mean_leaves_out_rows_without_a_relevant_label(self):
        scores = np.array([[0.9, 0.5, 0.1], [0.5, 0.9, 0.1], [0.3, 0.2, 0.1]])
        labels = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 0]])
        means = tkmia.mean_measures(scores, labels, 2)
        self.assertEqual((means["n"], means["skipped"]), (3, 1))
        self.assertEqual((means["p"], means["ap"]), (0.5, 0.75))
        self.assertIn("map_category", means)

    def test_a_drop_is_positive(self):
        labels = [[True, False]]
        change = tkmia.change([[0.9, 0.1]], [[0.4, 0.6]], labels, 1, specified=labels)
        self.assertEqual((change["p"], change["specified_in_top_k"]), (1.0, 1.0))

    def test_what_cannot_be_measured_is_said(self):
        refused = [
            (([[0.1, 0.2]], [[0, 2]], 1), "`labels`, row 0, label 1: expected 0 or 1, found 2"),
            (([[0.1, np.nan]], [[0, 1]], 1), "row 0: score of label 1: expected a finite number"),
            (([[0.1, 0.2]], [[0, 1]], 3), "k: expected 1..=2 (the number of labels), found 3"),
            (([[0.1, 0.2]], [[0, 1, 0]], 1), "`labels`: expected shape [1, 2], found [1, 3]"),
            (([0.1, 0.2], [[0, 1]], 1), "`scores`: expected shape [n, c], found [2]"),
            ((np.zeros((0, 2)), np.zeros((0, 2)), 1), "found [0, 2]"),
        ]
        for arguments, message in refused:
            for function in (tkmia.measures, tkmia.mean_measures):
                with self.assertRaises(ValueError) as error:
                    function(*arguments)
                self.assertIn(message, str(error.exception))
        with self.assertRaisesRegex(ValueError, "expected a row with a relevant label"):
            tkmia.mean_measures([[0.1, 0.2]], [[0, 0]], 1)


class JudgeTest(unittest.TestCase):
    def test_a_row_succeeds_if_it_takes_part_and_its_label_left(self):
        clean = [[0.9, 0.8, 0.1]] * 4
        scores = [[0.5, 0.8, 0.1], [0.9, 0.8, 0.1], [np.nan, 0.8, 0.1], [0.5, 0.8, 0.1]]
        # The last has too few relevant labels to take part.
        labels = [[1, 1, 0]] * 3 + [[1, 0, 0]]
        specified = [[1, 0, 0]] * 4
        found = tkmia.judge(clean, scores, labels, specified, 1)
        self.assertEqual((found.dtype, found.tolist()), (bool, [True, False, False, False]))
        # A wrong label has taken the place.
        lost = tkmia.judge(clean[:1], [[0.1, 0.2, 0.8]], labels[:1], specified[:1], 1)
        kept = tkmia.judge(
            clean[:1], [[0.1, 0.2, 0.8]], labels[:1], specified[:1], 1, stop="imperceptible"
        )
        self.assertEqual((lost[0], kept[0]), (True, False))
        with self.assertRaisesRegex(ValueError, "unknown criterion `never`"):
            tkmia.judge(clean, scores, labels, specified, 1, stop="never")
        with self.assertRaisesRegex(ValueError, "needs a target"):
            tkmia.judge(clean, scores, labels, specified, 1, stop="target-reached")


class NetworkTest(unittest.TestCase):
    def test_it_says_what_it_is(self):
        network = tkmia.Network(VICTIM)
        self.assertEqual((network.classes, network.bounds), (20, (-1.0, 1.0)))
        self.assertIn("resnet", repr(network).lower())
        self.assertEqual(tkmia.Network(str(VICTIM), range="0..255").bounds, (0.0, 255.0))
        with self.assertRaisesRegex(ValueError, "unknown field `chanels`"):
            tkmia.Network(VICTIM, chanels="bgr")
        with self.assertRaisesRegex(ValueError, "none.onnx"):
            tkmia.Network("none.onnx")

    def test_scores_and_gradients_are_those_that_were_recorded(self):
        folder = REPOSITORY / "crates/tkmia-models/tests/golden/networks/swin"
        case, network = np.load(folder / "case.npz"), tkmia.Network(folder / "model.onnx")
        scores = network.scores(case["input"])
        gradient = network.gradient(case["input"], case["cotangent"])
        np.testing.assert_allclose(scores, case["scores"], atol=1e-4)
        apart = np.linalg.norm(gradient - case["gradient"]) / np.linalg.norm(case["gradient"])
        self.assertLess(apart, 1e-4)
        with self.assertRaisesRegex(ValueError, r"row 1: expected values in \[0, 1\], found 2"):
            network.scores(np.concatenate([case["input"][:1], case["input"][:1] * 0 + 2]))


class AttackTest(unittest.TestCase):
    def test_a_recorded_run_is_made_again(self):
        case, expected = json.loads((GOLDEN / "case.json").read_text()), np.load(GOLDEN / "expected.npz")
        knobs = ["variant", "stop", "lr", "alpha", "momentum", "max_iterations"]
        images, labels, specified, k = golden()
        found = tkmia.attack(
            VICTIM, images, labels, specified, k, case["method"], **{knob: case[knob] for knob in knobs}
        )
        np.testing.assert_array_equal(found["success"], expected["success"] == 1)
        stable = expected["iterations"] <= 150
        np.testing.assert_array_equal(found["iterations"][stable], expected["iterations"][stable])
        np.testing.assert_allclose(found["clean_scores"], expected["clean_scores"], atol=1e-4)
        np.testing.assert_allclose(found["norm_input"], expected["norm_input"], rtol=2e-2)
        judged = tkmia.judge(found["clean_scores"], found["scores"], labels, specified, k)
        np.testing.assert_array_equal(judged, found["success"])
        self.assertEqual(found["adversarial"].shape, images.shape)
        self.assertEqual(found["outcomes"].count("succeeded"), found["success"].sum())

    def test_a_function_gives_to_the_last_bit_what_its_network_gives(self):
        network = tkmia.Network(VICTIM)
        calls = []

        def function(images):
            calls.append(len(images))
            return network.scores(images), lambda weights: network.gradient(images, weights)

        images, labels, specified, k = golden()
        for settings in [{"lr": 1e-2}, {"variant": "min-norm"}, {"method": "kfool"}]:
            settings = {"max_iterations": 20, **settings}
            of_network = tkmia.attack(network, images, labels, specified, k, **settings)
            of_function = tkmia.attack(
                function, images, labels, specified, k, bounds=network.bounds, batch_size=5, **settings
            )
            self.assertGreater(of_network["success"].sum(), 0, settings)
            for name, values in of_network.items():
                same = values == of_function[name]
                self.assertTrue(same if isinstance(values, list) else same.all(), name)
        self.assertEqual(calls[0], 5)

    def test_the_smallest_perturbation_of_a_linear_function_is_found(self):
        rng = np.random.default_rng(3)
        weights = rng.standard_normal((3, 3 * 16 * 16)).astype(np.float32)
        images = np.full((2, 3, 16, 16), 0.5, np.float32)
        biases = np.array([2.0, 1.0, -40.0], np.float32) - weights @ images[0].ravel()

        def linear(images):
            back = lambda of_scores: (of_scores @ weights).reshape(images.shape)
            return images.reshape(len(images), -1) @ weights.T + biases, back

        labels, specified = [[1, 1, 0]] * 2, [[1, 0, 0]] * 2
        found = tkmia.attack(linear, images, labels, specified, 1, variant="min-norm")
        smallest = 1.0 / np.linalg.norm(weights[0] - weights[1])
        self.assertTrue(found["success"].all())
        # What survives rounding to 8 bits may be twice as large.
        self.assertTrue((found["norm_input"] > 0.999 * smallest).all())
        self.assertTrue((found["norm_input"] < 2 * smallest).all(), found["norm_input"] / smallest)

    def test_an_attack_that_asks_for_scores_alone_needs_no_way_back(self):
        network, (images, labels, specified, k) = tkmia.Network(VICTIM), golden()
        found = tkmia.attack(
            lambda images: (network.scores(images), None),
            images, labels, specified, k, "square",
            bounds=(-1, 1), norm="linf", radius=0.2, max_iterations=100,
        )
        self.assertEqual(found["backward"].sum(), 0)
        self.assertGreater(found["success"].sum(), 0)

    def test_what_a_function_raises_comes_back(self):
        images, labels, specified, k = golden()

        class Broken(Exception):
            pass

        def forward(images):
            raise Broken("forward")

        def back(weights):
            raise Broken("back")

        scores = lambda images: np.tile(np.arange(20.0)[::-1], (len(images), 1))
        refused = [
            (forward, Broken, "forward"),
            (lambda images: (scores(images), back), Broken, "back"),
            (scores, TypeError, "expected it to return scores and a function, found"),
            (lambda images: (scores(images)[:, :5], back), ValueError, "scores of the model`: expected shape"),
            (lambda images: (scores(images), lambda weights: weights), ValueError, "gradient of the model`: expected"),
        ]
        for function, error, message in refused:
            with self.assertRaisesRegex(error, message):
                tkmia.attack(function, images, labels, specified, k, bounds=(-1, 1))

    def test_what_cannot_be_attacked_is_said(self):
        images, labels, specified, k = golden()
        refused = [
            ({"method": "kfool", "lr": 5}, "kfool .corrected. has no `lr`: its knobs are"),
            ({"method": "kuap", "radius": 1.0}, "is fitted to other images"),
            ({"stop": "never"}, "unknown criterion `never`"),
            ({"bounds": (0, 1)}, "a network has its own"),
            ({"delta": 9}, "δ must be in 1..="),
            ({"batch_size": 0}, "zero"),
        ]
        for settings, message in refused:
            with self.assertRaisesRegex(ValueError, message):
                tkmia.attack(VICTIM, images, labels, specified, k, **settings)
        with self.assertRaisesRegex(ValueError, "expected values in .-1, 1., found 3"):
            tkmia.attack(VICTIM, images * 0 + 3, labels, specified, k)
        with self.assertRaisesRegex(ValueError, "is specified but not relevant"):
            tkmia.attack(VICTIM, images, specified * 0, specified, k)
        with self.assertRaisesRegex(TypeError, "expected a Network, the path of one, or a function"):
            tkmia.attack(7, images, labels, specified, k)

    def test_ctrl_c_ends_an_attack(self):
        # What runs in the background of a shell is started without it.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        images, labels, specified, k = golden()
        network = tkmia.Network(VICTIM)
        function = lambda images: (network.scores(images), lambda weights: network.gradient(images, weights))
        for model, bounds in [(network, None), (function, network.bounds)]:
            timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            with self.assertRaises(KeyboardInterrupt):
                tkmia.attack(
                    model, images, labels, specified, k, bounds=bounds, lr=1e-12, max_iterations=10**6
                )
            timer.join()

    @unittest.skipIf(torch is None, NO_TORCH)
    def test_a_module_of_pytorch_is_attacked(self):
        path = Path(__file__).resolve().parents[1] / "examples/torch_module.py"
        spec = importlib.util.spec_from_file_location("torch_module", path)
        example = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(example)
        found = example.main()
        self.assertTrue(found["success"].all())
        with torch.no_grad():
            scores = example.network().eval()(torch.from_numpy(found["adversarial"]))
        np.testing.assert_allclose(scores, found["scores"], atol=1e-5)
        hidden = found["clean_scores"].argmax(axis=1)
        top = scores.topk(3).indices.numpy()
        self.assertFalse((top == hidden[:, None]).any())


if __name__ == "__main__":
    print("numpy", np.__version__, "python", sys.version.split()[0])
    unittest.main()
