"""What processes use, as the kernel counts it."""

import subprocess
import sys

from pipeline.bench.usage import usage_of

BURN = "import time\nwhile time.process_time() < 0.3: pass\n"
HOLD = "held = bytearray(b'x' * (80 << 20))\n"
WAIT = "print('there', flush=True)\ninput()\n"


def running(code):
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)
    assert process.stdout.readline() == "there\n"
    return process


def ended(process):
    process.stdin.close()
    process.stdout.close()
    process.wait(20)


def test_processor_time_and_memory_of_a_process_are_counted():
    process = running(BURN + HOLD + WAIT)
    used = usage_of(process.pid)
    ended(process)
    assert 0.25 < used.cpu_s < 20
    assert 80 << 20 < used.pss_bytes < 300 << 20


def test_its_children_count_too():
    child = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN + HOLD + WAIT!r}])"
    )
    process = running(child)
    used = usage_of(process.pid)
    ended(process)
    assert used.cpu_s > 0.25
    assert used.pss_bytes > 80 << 20


def test_a_process_that_is_gone_uses_nothing():
    process = running(WAIT)
    ended(process)
    used = usage_of(process.pid)
    assert used.cpu_s == 0
    assert used.pss_bytes == 0
