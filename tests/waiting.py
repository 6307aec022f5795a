"""How long tests wait for other processes and threads."""

import subprocess
import time

# Seconds. What takes longer hangs: a busy machine may be ten times as slow as an idle one.
PATIENCE = 300


def wait_until(condition, *processes):
    """Wait for a condition that another thread, or one of these processes, makes true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        for process in processes:
            assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.002)


def interrupt(process, number):
    """Send a signal until it ends the process.

    Python misses a signal that comes in the very moment a read begins.
    """
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None:
        assert time.monotonic() < deadline
        process.send_signal(number)
        try:
            process.wait(PATIENCE / 10)
        except subprocess.TimeoutExpired:
            continue
