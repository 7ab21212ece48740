"""Shared by the load scripts: moves the shifted clock (fakeclock.c) forward.

Between two steps the clock runs at its real speed: durations stay real.
"""
import calendar
import ctypes
import mmap
import os
import random
import time

START = calendar.timegm((2026, 3, 2, 6, 10, 0))
DEPLOY = calendar.timegm((2026, 3, 3, 0, 0, 0))
END = calendar.timegm((2026, 3, 3, 18, 0, 0))
with open(os.environ["FAKECLOCK_FILE"], "r+b") as f:
    shift = ctypes.c_longlong.from_buffer(mmap.mmap(f.fileno(), 8))


def at(text):
    """'2 14:22:37' -> epoch seconds in March 2026 (UTC)."""
    return calendar.timegm(time.strptime("2026-03-" + text, "%Y-%m-%d %H:%M:%S"))


def go_to(epoch):
    """Move the clock forward to `epoch`; never back."""
    delta = epoch - time.time()
    if delta > 0:
        shift.value += int(delta * 1e9)


def _times(rng, n, start, end):
    """n moments: few by night, most around noon and in the evening."""
    by_hour = [2, 1, 1, 1, 1, 2, 4, 6, 8, 10, 12, 12, 11, 10, 10, 9, 9, 10, 12, 13, 12, 9, 6, 4]
    out = []
    while len(out) < n:
        t = rng.uniform(start, end)
        if rng.random() * 13 < by_hour[int(t // 3600) % 24]:
            out.append(t)
    return out


def plan(rng, counts, before_end=60, after_start=45):
    """counts: {action: (times before the deploy, times after)} -> sorted [(epoch, action)]."""
    out = []
    for action, (before, after) in counts.items():
        out += [(t, action) for t in _times(rng, before, START, DEPLOY - before_end)]
        out += [(t, action) for t in _times(rng, after, DEPLOY + after_start, END)]
    return sorted(out, key=lambda x: x[0])


def burst(rng, start, seconds, n, action):
    """n moments within an incident of some seconds."""
    return [(at(start) + rng.uniform(0, seconds), action) for _ in range(n)]


def zipf(rng, items):
    """Pick an item, the first ones far more often."""
    return rng.choices(items, [1 / (i + 1) for i in range(len(items))])[0]


rng = random.Random(20260303)
