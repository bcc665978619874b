#!/usr/bin/env python3
"""Convolutional energies beside PyTorch (oneDNN, or cuDNN with --device cuda): the same work in one run, in turns, as ratios.

One step is energy, input gradient, clip, move, noise; weights are fixed and packed, as within a chain. One weight gradient is
that of a batch's mean energy in every parameter, spectral norms included.

    python3 -m venv venv && venv/bin/pip install -r benches/peers/requirements.txt
    venv/bin/python benches/peers/images.py cifar10_conditional step 16,64
    venv/bin/python benches/peers/images.py mnist step 64
    venv/bin/python benches/peers/images.py cifar10_conditional learn 16
    python3 benches/peers/images.py cifar10_conditional step 16,64 --device cuda --program images

On a GPU PyTorch's convolutions use tf32, as it does by itself, and cuDNN's algorithms are measured before they are chosen
(`torch.backends.cudnn.benchmark`), which is no slower than the default. Ours is built ahead there (GPU.md): `--program`.
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
BUILD = ["cargo", "bench", "-p", "ebmotion-images", "--bench", "images"]


def ours(program, a, batch):
    card = ["--device", "cuda:0"] if a.device == "cuda" else []
    done = subprocess.run([program, a.network, a.work, str(batch), *card], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if a.device == "cuda":
        print(done.stdout, file=sys.stderr, end="", flush=True)
        assert lines[-1].get("fits"), lines[-1]
    return lines[-1]


def theirs(torch, net, a, batch, channels_last):
    """A function that measures milliseconds once."""
    c = net.config
    x = torch.rand(batch, c["channels"], c["height"], c["width"], device=a.device)
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    context = None
    if c["context"]:
        context = torch.nn.functional.one_hot(torch.arange(batch) % c["context"], c["context"]).float().to(a.device)

    def step():
        y = (x + 0.005 * torch.randn_like(x)).requires_grad_(True)
        gradient, = torch.autograd.grad(net(y, context).sum(), y)
        return (y.detach() - 10.0 * gradient.clamp(-0.01, 0.01)).clamp(0.0, 1.0)

    def learn():
        net.zero_grad(set_to_none=True)
        net(x, context).mean().backward()

    work = step if a.work == "step" else learn
    wait = torch.cuda.synchronize if a.device == "cuda" else lambda: None
    count = 50 if a.device == "cuda" else 1
    for _ in range(count):
        work()

    def measure():
        times = []
        for _ in range(3):
            wait()
            begin = time.perf_counter()
            for _ in range(count):
                work()
            wait()
            times.append((time.perf_counter() - begin) / count)
        return statistics.median(times) * 1e3

    return measure


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("network")
    ap.add_argument("work", choices=["step", "learn"])
    ap.add_argument("batches", type=lambda t: [int(v) for v in t.split(",")])
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    ap.add_argument("--program", help="ours, built ahead")
    a = ap.parse_args()
    try:
        import torch
        from conv import NETWORKS, Energy
    except ImportError as e:
        sys.exit(f"found no {e.name}, expected it installed: pip install -r benches/peers/requirements.txt")
    if a.network not in NETWORKS:
        ap.error(f"found network {a.network}, expected one of {', '.join(NETWORKS)}")
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    program = a.program
    if program is None:
        subprocess.run(BUILD + ["--no-run"], check=True, capture_output=True)
        built = (p for p in glob.glob("target/release/deps/images-*") if os.access(p, os.X_OK))
        program = max(built, key=os.path.getmtime)
    nets = {}
    for name, last in (("NCHW", False), ("channels-last", True)):
        net = Energy(NETWORKS[a.network]()).to(a.device)
        net.norms = {k: (u.to(a.device), v.to(a.device), last) for k, (u, v, last) in net.norms.items()}
        if last:
            net = net.to(memory_format=torch.channels_last)
        if a.work == "step":
            net.requires_grad_(False)
            net.freeze()
        nets[name] = (net, last)
    where = torch.cuda.get_device_name() if a.device == "cuda" else f"{a.threads} threads"
    print(f"{a.network}, {a.work}, {where}, {a.rounds} rounds; ms; ratio = PyTorch / ours, median [least, most]\n")
    print("| batch | ours | GFLOP/s |" + "".join(f" torch {n} | ratio |" for n in nets))
    print("|---|---|---|" + "---|---|" * len(nets))
    for batch in a.batches:
        measures = {n: theirs(torch, net, a, batch, last) for n, (net, last) in nets.items()}
        own, other, ratios = [], {n: [] for n in nets}, {n: [] for n in nets}
        for _ in range(a.rounds):
            for n, measure in measures.items():
                mine, time_of = ours(program, a, batch), measure()
                own.append(mine)
                other[n].append(time_of)
                ratios[n].append(time_of / mine["ms"])
        # Of a GPU ours tells none.
        rate = f"{statistics.median(o['gflops'] for o in own):.0f}" if all("gflops" in o for o in own) else "-"
        row = f"| {batch} | {statistics.median(o['ms'] for o in own):.2f} | {rate} |"
        for n, r in ratios.items():
            row += f" {statistics.median(other[n]):.2f} | **{statistics.median(r):.2f}** [{min(r):.2f}, {max(r):.2f}] |"
        print(row, flush=True)


if __name__ == "__main__":
    main()
