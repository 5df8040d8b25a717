"""A seeded part of what ``python -m scripts.fuzz`` does in full."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.fuzz.mutations import BROKEN, LOST, reply

ROOT = Path(__file__).parents[2]


def test_no_mutated_packet_or_reply_crashes_hangs_or_becomes_a_look():
    part = ["--packets", "240", "--replies", "16", "--seed", "7", "--timeout-s", "200"]
    command = [sys.executable, "-m", "scripts.fuzz", *part]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("mutation", [*LOST, *BROKEN, reply], ids=lambda one: one.__name__)
def test_every_mutation_takes_anything_and_is_drawn_alone(mutation):
    for seed in range(100):
        data = random.Random(seed).randbytes(6 + seed * 40)
        assert mutation(data, random.Random(seed)) == mutation(data, random.Random(seed))
