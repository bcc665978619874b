#!/usr/bin/env python3
"""ebmotion beside PyTorch and JAX: the same work in one run, in turns, as ratios.

The machine's speed drifts, so only pairs measured one after the other count: in each round every side is measured once,
and a ratio is the median over the rounds of (peer / ours).

    python3 -m venv venv && venv/bin/pip install -r benches/peers/requirements.txt
    cargo build --release --no-default-features
    venv/bin/python benches/peers/compare.py langevin --dims 192,512,512,1 --batches 1,16,64,256,1024
    venv/bin/python benches/peers/compare.py langevin --dims 240,128,128,128,1 --batches 1,16,64
    venv/bin/python benches/peers/compare.py forecast --samples 1,16,64,1024
    venv/bin/python benches/peers/compare.py train --dims 240,128,128,128,1 --batches 128,1024
    venv/bin/python benches/peers/compare.py denoising --batches 128 --rounds 3
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def numbers(text):
    return [int(v) for v in text.split(",")]


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("workload", choices=["langevin", "forecast", "train", "denoising"])
    ap.add_argument("--dims", type=numbers, default=[192, 512, 512, 1])
    ap.add_argument("--batches", type=numbers, default=[1, 16, 64, 256, 1024])
    ap.add_argument("--samples", type=numbers, default=[1, 16, 64, 1024])
    ap.add_argument("--steps", type=int, default=20, help="Langevin steps of a training step")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--peers", default="jax-jit,torch-eager,torch-compile")
    ap.add_argument("--tool", default="target/release/ebmotion")
    ap.add_argument("--json", help="also write the figures to this file")
    a = ap.parse_args()
    if not os.access(a.tool, os.X_OK):
        ap.error(f"--tool: found no program {a.tool}, expected ebmotion built with `cargo build --release`")
    return a


def ours(a, size):
    """Microseconds a unit, by the tool: a process of its own for each measurement."""
    command = [a.tool, "bench", a.workload, "--json", "--repeats", "3", "--threads", str(a.threads)]
    if a.workload == "forecast":
        command += ["--samples", str(size)]
    elif a.workload == "denoising":
        command += ["--batches", str(size)]
    else:
        command += ["--dims", ",".join(map(str, a.dims)), "--batches", str(size), "--steps", str(a.steps)]
    line = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    rate = line.get("windows_per_s_adam") or line.get("windows_per_s")  # the peers learn by Adam
    return 1e6 / rate if rate else line.get("us_per_step") or line["us_per_forecast"]


def theirs(peer, a, size):
    """A function that measures microseconds a unit once."""
    if a.workload == "langevin":
        run, units = peer.langevin(a.dims, size)
    elif a.workload == "forecast":
        run, units = peer.forecast(size)
    elif a.workload == "denoising":
        run, units = peer.denoising(size)
    else:
        run, units = peer.train(a.dims, size, a.steps)
    run()  # compiles
    repeats = 1
    while True:
        begin = time.perf_counter()
        for _ in range(repeats):
            run()
        if time.perf_counter() - begin > 0.15:
            break
        repeats *= 2

    def measure():
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            for _ in range(repeats):
                run()
            times.append((time.perf_counter() - begin) / repeats / units * 1e6)
        return statistics.median(times)

    return measure


def main():
    a = arguments()
    try:
        from peers import PEERS
        peers = {name: PEERS[name](a.threads) for name in a.peers.split(",")}
    except ImportError as e:
        sys.exit(f"found no {e.name}, expected it installed: pip install -r benches/peers/requirements.txt")
    except KeyError as e:
        sys.exit(f"--peers: found {e}, expected jax-jit, torch-eager or torch-compile")
    unit = {"langevin": "us a step", "forecast": "us a forecast", "train": "us a window", "denoising": "us a window"}[a.workload]
    print(f"{a.workload}, {a.threads} threads, {a.rounds} rounds; {unit}; ratio = peer / ours, median [least, most]\n")
    print("| size | ours |" + "".join(f" {name} | ratio |" for name in peers))
    print("|---|---|" + "---|---|" * len(peers))
    figures = []
    for size in a.samples if a.workload == "forecast" else a.batches:
        measures = {name: theirs(peer, a, size) for name, peer in peers.items()}
        own, other, ratios = [], {n: [] for n in peers}, {n: [] for n in peers}
        for _ in range(a.rounds):
            for name, measure in measures.items():
                mine, time_of = ours(a, size), measure()
                own.append(mine)
                other[name].append(time_of)
                ratios[name].append(time_of / mine)
        row = f"| {size} | {statistics.median(own):.1f} |"
        for name in peers:
            r = ratios[name]
            row += f" {statistics.median(other[name]):.1f} | **{statistics.median(r):.2f}** [{min(r):.2f}, {max(r):.2f}] |"
            figures.append({"workload": a.workload, "dims": a.dims, "size": size, "peer": name,
                            "ours_us": statistics.median(own), "peer_us": statistics.median(other[name]), "ratios": r})
        print(row, flush=True)
    if a.json:
        with open(a.json + ".part", "w") as f:
            json.dump(figures, f, indent=1)
        os.replace(a.json + ".part", a.json)


if __name__ == "__main__":
    main()
