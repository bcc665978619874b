"""Cuts the embedded log out of a generated set:  python embed.py  (after  python generate.py hand_gestures)

Joint angles of the first 300 episodes, 4 decimals (0.1 mrad; the simulated command noise has a deviation
of 15 mrad), packed without a time stamp: the same input always gives the same bytes.
"""
import gzip
import hashlib
import os

from generate import OUT

EPISODES = 300
TARGET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hand_gestures", "hand_gestures.csv.gz")


def main():
    with gzip.open(f"{OUT}/hand_gestures.csv.gz", "rt") as source:
        names = source.readline().strip().split(",")
        angles = [i for i, n in enumerate(names) if n.startswith("q_")]
        lines, episodes = [",".join(["episode", "time [s]"] + [names[i] for i in angles])], set()
        for line in source:
            cells = line.split(",")
            if int(cells[0]) < EPISODES:
                episodes.add(cells[0])
                lines.append(",".join(cells[:2] + [f"{float(cells[i]):z.4f}" for i in angles]))
    if len(episodes) != EPISODES:
        raise SystemExit(f"found {len(episodes)} episodes, expected {EPISODES}: run generate.py without --episodes")
    text = ("\n".join(lines) + "\n").encode()
    with open(TARGET, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write(text)
    with open(TARGET, "rb") as packed:
        data = packed.read()
    print(f"{len(lines) - 1} rows, {len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
    print(f"unpacked: {len(text)} bytes, SHA-256 {hashlib.sha256(text).hexdigest()}")


if __name__ == "__main__":
    main()
