"""Writes whole sets as out/<set>.csv.gz:  python generate.py [hand_gestures] [hand_block] [--episodes N]"""
import argparse
import gzip
import multiprocessing
import os
import time

import block
import gestures
from hand import COLUMNS, UNITS
from motion import PERIOD

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "out")
FRAMES = 200
SETS = {  # name: (episode function, seed, episodes)
    "hand_gestures": (gestures.episode, 101, 400),
    "hand_block": (block.episode, 202, 400),
}


def one(job):
    name, number = job
    episode, seed, _ = SETS[name]
    return episode(seed, number, FRAMES)


def write(path, episodes):
    """6 decimals: 1 microradian and 1 micrometre."""
    state = [f"{c} [{u}]" if u else c for c, u in zip(COLUMNS, UNITS)]
    header = ["episode", "time [s]"] + state + ["label", "phase", "branch"]
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as out:
        out.write((",".join(header) + "\n").encode())
        for number, rows in enumerate(episodes):
            for frame, (state, label, phase, branch) in enumerate(zip(*rows)):
                numbers = ",".join(f"{v:z.6f}" for v in state)
                out.write(f"{number},{frame * PERIOD:.2f},{numbers},{label},{phase:.4f},{branch}\n".encode())


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("sets", nargs="*", metavar="set", help=f"{' or '.join(SETS)}; none: all of them")
    arguments.add_argument("--episodes", type=int, help="only the first N episodes")
    given = arguments.parse_args()
    for name in given.sets:
        if name not in SETS:
            arguments.error(f"found set {name!r}, expected {' or '.join(SETS)}")
    os.makedirs(OUT, exist_ok=True)
    for name in given.sets or SETS:
        start, count = time.time(), given.episodes or SETS[name][2]
        with multiprocessing.Pool() as pool:
            episodes = pool.map(one, [(name, e) for e in range(count)], chunksize=5)
        write(f"{OUT}/{name}.csv.gz", episodes)
        print(f"{name}: {count} episodes of {FRAMES} frames in {time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
