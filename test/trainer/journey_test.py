import json
import math
import signal
import subprocess
import unittest

import numpy as np

from shard_run import TEXT, TINY, ShardRun, warmed_up
from trainer import safetensors

ROUND = ["--round", "0", "--rounds", "2", "--workers", "2", "--batch", "4"]
STOPPED = 85
HELD_SECONDS = 4


def trained(start: dict[str, bytes], worker: int, *flags: str) -> dict[str, bytes]:
    with ShardRun() as shard:
        shard.put({**start, "text-0": TEXT})
        exit_code, errors = shard.run("train", *ROUND, "--worker", str(worker), "--steps", "2", *flags)
        assert exit_code == 0, errors
        return {"update": shard.output("update.safetensors"), "metrics": shard.output("metrics.json")}


class Journey(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.start = warmed_up()

    def test_a_round_from_warm_up_to_a_readable_sample(self):
        updates = {f"update-{worker}.safetensors": trained(self.start, worker)["update"] for worker in (0, 1)}
        self.assertNotEqual(*updates.values())
        with ShardRun() as shard:
            shard.put({"parameters.safetensors": self.start["parameters.safetensors"], **updates})
            self.assertEqual(shard.run("reduce"), (0, ""))
            self.assertEqual(json.loads(shard.output("metrics.json"))["updates"], 2)
            reduced = shard.output("parameters.safetensors")
            shard.put({"momentum.safetensors": shard.output("momentum.safetensors")})
            self.assertEqual(shard.run("reduce"), (0, ""))
            self.assertNotEqual(shard.output("parameters.safetensors"), reduced)
        with ShardRun() as shard:
            shard.put({"parameters.safetensors": reduced, "held-out": TEXT})
            self.assertEqual(shard.run("evaluate", "--sample-bytes", "20", "--windows", "8")[0], 0)
            self.assertTrue(shard.output("sample.txt").startswith(b"In the beginning "))
            metrics = json.loads(shard.output("metrics.json"))
            self.assertEqual((metrics["windows"], metrics["bytes"]), (8, 8 * 16))

    def test_an_untrained_model_knows_nothing(self):
        with ShardRun() as shard:
            shard.put({"held-out": TEXT})
            argv = ["evaluate", "--untrained", *TINY, "--sample-bytes", "0"]
            self.assertEqual(shard.run(*argv)[0], 0)
            self.assertAlmostEqual(json.loads(shard.output("metrics.json"))["loss"], math.log(256), delta=0.05)
            self.assertEqual(shard.output("sample.txt"), b"")

    def test_the_same_run_gives_the_same_bytes(self):
        self.assertEqual(self.start, warmed_up())
        self.assertEqual(trained(self.start, 0), trained(self.start, 0))
        self.assertNotEqual(trained(self.start, 0), trained(self.start, 0, "--seed", "1"))

    def test_a_stopped_run_ends_in_the_same_bytes_as_an_unbroken_one(self):
        argv = ["train", *ROUND, "--worker", "0", "--steps", "400"]
        inputs = {**self.start, "text-0": TEXT}
        with ShardRun() as unbroken, ShardRun() as stopped:
            unbroken.put(inputs)
            self.assertEqual(unbroken.run(*argv), (0, ""))
            stopped.put(inputs)
            with stopped.start(*argv) as process:
                process.stdout.readline()
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(timeout=60), STOPPED)
            self.assertEqual(stopped.digests(), {})
            self.assertEqual(len(list((stopped.root / "checkpoint").iterdir())), 1)
            with stopped.start(*argv) as process:
                first_step = json.loads(process.stdout.readline())["step"]
                process.communicate(timeout=60)
            self.assertGreater(first_step, 1)
            self.assertEqual(stopped.digests(), unbroken.digests())
            self.assertEqual(list((stopped.root / "checkpoint").iterdir()), [])

    def test_a_killed_run_goes_on_from_its_last_checkpoint_to_the_same_bytes(self):
        argv = ["train", *ROUND, "--worker", "0", "--steps", "400"]
        inputs = {**self.start, "text-0": TEXT}
        with ShardRun() as unbroken, ShardRun() as killed:
            unbroken.put(inputs)
            self.assertEqual(unbroken.run(*argv), (0, ""))
            killed.put(inputs)
            with killed.start(*argv, "--checkpoint-seconds", "0") as process:
                process.stdout.readline()
                process.stdout.readline()
                process.kill()
            with killed.start(*argv) as process:
                first_step = json.loads(process.stdout.readline())["step"]
                process.communicate(timeout=60)
            self.assertGreater(first_step, 1)
            self.assertEqual(killed.digests(), unbroken.digests())

    def test_a_checkpoint_of_another_shard_is_not_gone_on_from(self):
        with ShardRun() as shard:
            shard.put({**self.start, "text-0": TEXT})
            foreign = safetensors.write({"a": np.zeros(1, np.float32)}, {"identity": "another"})
            (shard.root / "checkpoint" / "training.safetensors").write_bytes(foreign)
            exit_code, errors = shard.run("train", *ROUND, "--worker", "0", "--steps", "2")
            self.assertEqual(exit_code, 0)
            self.assertIn("starting from the beginning", errors)
            self.assertEqual(shard.output("update.safetensors"), trained(self.start, 0)["update"])

    def test_a_held_shard_waits_for_its_turn(self):
        argv = ["evaluate", "--untrained", *TINY, "--sample-bytes", "0"]
        with ShardRun() as shard:
            shard.put({"held-out": TEXT})
            with shard.start(*argv, ZG_HOLD="1") as process:
                with self.assertRaises(subprocess.TimeoutExpired):
                    process.wait(timeout=HELD_SECONDS)
                self.assertEqual(shard.digests(), {})
                process.communicate("go\n", timeout=60)
            self.assertEqual(process.returncode, 0)

    def test_a_held_shard_can_be_stopped_and_does_not_outlive_its_agent(self):
        argv = ["evaluate", "--untrained", *TINY]
        with ShardRun() as shard:
            with shard.start(*argv, ZG_HOLD="1") as process:
                with self.assertRaises(subprocess.TimeoutExpired):
                    process.wait(timeout=HELD_SECONDS)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(timeout=60), STOPPED)
            exit_code, errors = shard.run(*argv, ZG_HOLD="1")
            self.assertEqual(exit_code, 2)
            self.assertIn("stdin closed before a line came", errors)
