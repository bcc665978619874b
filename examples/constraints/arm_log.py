"""Writes arm.csv: 80 episodes of an arm of three joints that moves from pose to pose, at 20 Hz.

    python3 examples/constraints/arm_log.py arm.csv
"""
import math
import random
import sys

random.seed(1)
RANGES = [(-1.8, 1.8), (-1.2, 1.2), (-2.0, 2.0)]


def pose():
    return [random.uniform(low, high) for low, high in RANGES]


def share(t):
    """A minimum-jerk profile from 0 to 1."""
    return t ** 3 * (10 - 15 * t + 6 * t * t)


with open(sys.argv[1], "w") as out:
    out.write("episode,time [s],q_pan [rad],q_lift [rad],q_elbow [rad]\n")
    for episode in range(80):
        at, frames = pose(), []
        while len(frames) < 160:
            to, steps = pose(), random.randint(16, 40)
            for i in range(steps):
                s = share((i + 1) / steps)
                sway = 0.01 * math.sin(0.9 * len(frames))
                frames.append([a + s * (b - a) + sway for a, b in zip(at, to)])
            at = to
            frames += [frames[-1]] * random.randint(0, 10)
        for i, frame in enumerate(frames[:160]):
            out.write(f"{episode},{0.05 * i:.2f}," + ",".join(f"{v:.5f}" for v in frame) + "\n")
