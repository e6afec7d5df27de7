import json
import unittest

import numpy as np

from trainer.run_log import RunLog, digest

# Made with node:crypto and the npm package canonicalize, from the format in run_log.py.
LINE = (
    '{"after":"sha256:6db7d803e74f1ffa7d8f5adc0bf95b3e15bf4c8373fffadf546227cc6c6742cb",'
    '"batches":["sha256:26a66b061e8f48f39927c312f25293959729eee95978e2892d49d3512a5cc092",'
    '"sha256:0526d0e18ea19dfaad9d79166bec1e18d6221ef6b1830385fe9bf67022ed5f96",'
    '"sha256:b3cb7a57d512366f1cc0b325cd3cc1662264f98fa29d2fd3673a2a104d54998f"],'
    '"before":"sha256:6db7d803e74f1ffa7d8f5adc0bf95b3e15bf4c8373fffadf546227cc6c6742cb",'
    '"commitment":"sha256:90d049ab2b40c12e18d7bde89646054c885eef6184ec3226eefb9fa6f2625dfe","first":40,'
    '"losses":["5.545177459716797","1e-05","2.0"],"segment":2,"steps":3}'
)


class RunLogs(unittest.TestCase):
    def log(self) -> RunLog:
        log = RunLog(before=digest(b"before"), segment=2, first=40)
        for number, loss in enumerate((5.545177459716797, 1e-05, 2.0)):
            log.add(np.array([[number, number + 1, 255]], np.int64), loss)
        return log

    def test_a_line_is_what_another_language_makes_of_it(self):
        log = self.log()
        log.close(digest(b"before"))
        self.assertEqual(log.content().decode(), LINE + "\n")
        self.assertEqual([float(loss) for loss in json.loads(LINE)["losses"]], [5.545177459716797, 1e-05, 2.0])

    def test_the_next_segment_begins_where_the_last_one_ended(self):
        log = self.log()
        log.close(digest(b"between"))
        self.assertEqual((log.before, log.segment, log.first), (digest(b"between"), 3, 43))
        self.assertEqual((log.batches, log.losses), ([], []))

    def test_the_commitment_is_to_every_step_its_order_and_the_state_before(self):
        def commitment(change=lambda log: None) -> str:
            log = self.log()
            change(log)
            log.close(digest(b"after"))
            return json.loads(log.lines[0])["commitment"]

        def swap(log: RunLog):
            log.losses[0], log.losses[1] = log.losses[1], log.losses[0]

        changes = {
            "a loss": lambda log: log.losses.__setitem__(0, "5.5"),
            "a batch": lambda log: log.batches.__setitem__(2, digest(b"other")),
            "the order": swap,
            "a step": lambda log: (log.losses.pop(), log.batches.pop()),
            "the first step": lambda log: setattr(log, "first", 41),
            "the state before": lambda log: setattr(log, "before", digest(b"other")),
        }
        found = {name: commitment(change) for name, change in changes.items()} | {"nothing": commitment()}
        self.assertEqual(len(set(found.values())), len(changes) + 1)
