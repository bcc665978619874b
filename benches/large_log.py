"""Writes a text log of a given size: benches/large_log.py GIGABYTES LOG.csv

24 joints at 200 Hz, 9 decimals, each joint the sum of two swings whose pace wanders slowly. The same numbers each time.
"""
import sys

import numpy as np

JOINTS, RATE_HZ, BLOCK = 24, 200, 20_000


def main(gigabytes, path):
    rng = np.random.default_rng(7)
    paces = rng.uniform(0.5, 3.0, (2, JOINTS))
    sizes = rng.uniform(0.1, 0.8, (2, JOINTS))
    phases = rng.uniform(0, 2 * np.pi, (2, JOINTS))
    line = ",".join(["%.3f"] + ["%.9f"] * JOINTS) + "\n"
    row = 0
    with open(path, "w", buffering=1 << 20) as log:
        log.write(",".join(["time [s]"] + [f"q{joint} [rad]" for joint in range(JOINTS)]) + "\n")
        while log.tell() < gigabytes * 1e9:
            wander = 0.02 * rng.standard_normal((2, BLOCK, JOINTS)).cumsum(axis=1)
            turns = phases[:, None] + (paces[:, None] / RATE_HZ) * np.arange(1, BLOCK + 1)[None, :, None] + wander
            values = (sizes[:, None] * np.sin(turns)).sum(axis=0)
            phases = turns[:, -1] % (2 * np.pi)
            times = (row + np.arange(BLOCK)) / RATE_HZ
            log.write("".join(line % tuple(cells) for cells in np.column_stack([times, values])))
            row += BLOCK


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2])
