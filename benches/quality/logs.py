"""Turns the benchmark's raw sets into CSV logs that ebmotion reads.

    pip install pyarrow==26.0.1 numpy
    python benches/quality/logs.py RAW_FOLDER logs/

RAW_FOLDER holds `hand_sim/hand_gestures.parquet`, `hand_sim/hand_block.parquet` (made by `data/generate`),
`g1_inspire/` (LeRobot dataset, real Unitree G1 robot) and `adroit_door/` (DAPG demonstrations). A set that is not there is
named and left out. One gzipped file a set: `episode`, `time [s]`, for the hand sets `label` (the gesture or gait, a number;
for evaluation only), then the joints. The G1 is thinned to 15 Hz, since its hand channels refresh in a quarter of the frames
at most; the door set has no clock, and 100 Hz is its simulation's control rate.
"""

import csv
import gzip
import json
import sys
from pathlib import Path

import pyarrow.parquet as parquet


def write(path, header, rows):
    """Writes rows as gzipped CSV, to a temporary file first."""
    part = path.with_suffix(".part")
    with gzip.open(part, "wt", newline="", compresslevel=6) as file:
        out = csv.writer(file)
        out.writerow(header)
        out.writerows(rows)
    part.rename(path)
    print(f"{path}: {len(rows)} frames, {len(header)} columns")


def hand(raw, out, name):
    table = parquet.read_table(raw / "hand_sim" / f"{name}.parquet")
    joints = [c for c in table.column_names if c.startswith("q_")]
    columns = table.select(["episode", "step", "label", *joints]).to_pydict()
    names = sorted({str(label) for label in columns["label"]})
    code = {label: i for i, label in enumerate(names)}
    rows = [
        [columns["episode"][i], f"{columns['step'][i] * 0.04:.2f}", code[str(columns["label"][i])]]
        + [f"{columns[j][i]:.5f}" for j in joints]
        for i in range(table.num_rows)
    ]
    write(out / f"{name}.csv.gz", ["episode", "time [s]", "label", *[f"{j} [rad]" for j in joints]], rows)


def g1(raw, out):
    folder = raw / "g1_inspire"
    info = json.loads((folder / "meta" / "info.json").read_text())
    names = info["features"]["observation.state"]["names"][0]
    units = ["" if "Hand" in n else " [rad]" for n in names]
    rows = []
    for file in sorted((folder / "data").glob("*/*.parquet")):
        columns = parquet.read_table(file).to_pydict()
        for index, episode, state in zip(columns["frame_index"], columns["episode_index"], columns["observation.state"]):
            if index % 2 == 0:
                rows.append([episode, f"{index / info['fps']:.4f}"] + [f"{v:.5f}" for v in state])
    write(out / "g1_inspire.csv.gz", ["episode", "time [s]", *[n + u for n, u in zip(names, units)]], rows)


def door(raw, out):
    import numpy

    first = raw / "adroit_door" / "demo_00.csv"
    names = first.read_text().splitlines()[0].split(",")[:27]
    rows = []
    for episode, file in enumerate(sorted((raw / "adroit_door").glob("*.npz"))):
        for step, state in enumerate(numpy.load(file)["observations"][:, :27]):
            rows.append([episode, f"{step * 0.01:.2f}"] + [f"{v:.6f}" for v in state])
    write(out / "adroit_door.csv.gz", ["episode", "time [s]", *[f"{n} [rad]" for n in names]], rows)


def main():
    raw, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    sets = {
        "hand_sim/hand_gestures.parquet": lambda: hand(raw, out, "hand_gestures"),
        "hand_sim/hand_block.parquet": lambda: hand(raw, out, "hand_block"),
        "g1_inspire": lambda: g1(raw, out),
        "adroit_door": lambda: door(raw, out),
    }
    for place, convert in sets.items():
        if (raw / place).exists():
            convert()
        else:
            print(f"{raw / place}: not there, left out")


if __name__ == "__main__":
    main()
