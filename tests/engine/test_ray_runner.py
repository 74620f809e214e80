"""The Ray runner sends its function to the cluster once, not with every task.

Each time costs a call to the cluster's head that no signal can interrupt: a run whose head was ended by the same signal hung there for a
minute.
"""

import os
import subprocess
import sys

from tests.running import ROOT

SCRIPT = """
from ray._private.function_manager import FunctionActorManager

from curation.engine.ray_runner import RayRunner

sent = []
export = FunctionActorManager.export
FunctionActorManager.export = lambda self, function: (sent.append(function), export(self, function))


def double(number):
    return 2 * number


if __name__ == "__main__":
    runner = RayRunner(1)
    done = sorted(outcome.result for outcome in runner.map(double, range(20)))
    print(done == [2 * number for number in range(20)], len(sent))
    runner.close()
"""


def test_the_function_is_sent_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=200, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.stdout.split() == ["True", "1"], done.stderr
