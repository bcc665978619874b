#!/usr/bin/env python3
"""ebmotion's reader of text logs beside pandas and pyarrow: one file read in turns, in MB/s.

    python3 -m venv venv && venv/bin/pip install numpy pandas pyarrow
    cargo build --release -p ebmotion-logs --example read
    venv/bin/python benches/peers/reading.py

Each measurement is a process of its own. What is timed is the reading alone, not the start of Python. The file (time and
24 channels of 9 decimals) is made when it is not there.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

PEERS = {
    "pandas": "import pandas; read = pandas.read_csv",
    "pyarrow": "import pyarrow.csv; read = pyarrow.csv.read_csv",
}


def make(path, megabytes):
    import numpy as np

    rng, columns, piece = np.random.default_rng(0), 24, 10_000
    with open(path, "w") as out:
        out.write("time," + ",".join(f"q{c} [rad]" for c in range(columns)) + "\n")
        row = 0
        while out.tell() < megabytes * 1e6:
            time = np.arange(row, row + piece)[:, None] * 1e-3
            values = np.sin(time * (1 + np.arange(columns)) / 7) + 1e-3 * rng.standard_normal((piece, columns))
            np.savetxt(out, np.hstack([time, values]), fmt=["%.3f"] + ["%.9f"] * columns, delimiter=",")
            row += piece


def ours(tool, path):
    printed = subprocess.run([tool, path], check=True, capture_output=True, text=True).stdout
    return json.loads(printed)["secs"]


def peer(setup, path):
    code = f"import time; {setup}; begin = time.perf_counter(); read({path!r}); print(time.perf_counter() - begin)"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--tool", default="target/release/examples/read", help="the built example")
    ap.add_argument("--file", default="/tmp/reading.csv")
    ap.add_argument("--megabytes", type=float, default=200)
    ap.add_argument("--rounds", type=int, default=3)
    a = ap.parse_args()
    if not os.path.exists(a.file):
        make(a.file, a.megabytes)
    size = os.path.getsize(a.file) / 1e6
    sides = {"ours": lambda: ours(a.tool, a.file)}
    sides |= {name: lambda setup=setup: peer(setup, a.file) for name, setup in PEERS.items()}
    speeds = {name: [] for name in sides}
    for _ in range(a.rounds):
        for name, secs in sides.items():
            speeds[name].append(size / secs())
    for name, all in speeds.items():
        ratio = [own / other for own, other in zip(speeds["ours"], all)]
        print(f"{name}: {', '.join(f'{s:.0f}' for s in all)} MB/s; ours over it {statistics.median(ratio):.2f}")


if __name__ == "__main__":
    main()
