#!/usr/bin/env python3
"""Energies and gradients of small convolutional networks by PyTorch, for `crates/images/tests/conv/golden.rs`.

    python3 -m venv venv && venv/bin/pip install -r benches/peers/requirements.txt
    venv/bin/python tests/data/conv/make.py

Each file holds a network's settings (metadata `config`), its weights, the vectors of its spectral norms, images, contexts,
energies, gradients in the images and gradients of `sum_b coefficient_b E_b` in the weights. Computed in f64, kept in f32.
"""
import json
import os
import struct
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "benches", "peers"))
from conv import NETWORKS, Energy, scaled  # noqa: E402

# Name, factor of the widths, contexts, rows and columns of the images, images.
CASES = [
    ("mnist", 0.06, 10, 28, 28, 2),
    ("dsprites", 0.07, 3, 25, 22, 2),
    ("cifar10_conditional", 0.027, 10, 16, 16, 2),
    ("cifar10_large", 0.016, None, 9, 8, 2),
    ("imagenet128", 0.016, 4, 32, 34, 1),
]


def save(path, tensors, metadata):
    """A safetensors file of f32 tensors, written whole."""
    header, at = {"__metadata__": metadata}, 0
    for name, t in tensors.items():
        size = 4 * t.numel()
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for t in tensors.values():
            f.write(t.detach().to(torch.float32).contiguous().numpy().tobytes())
    os.replace(path + ".part", path)


for name, factor, context, height, width, rows in CASES:
    torch.manual_seed(len(name))
    config = scaled(NETWORKS[name]() if context is None else NETWORKS[name](context), factor)
    config.update(height=height, width=width)
    net = Energy(config)
    tensors = {}
    for key, p in net.names():
        scale = 0.3 if key.endswith(("context", "modulation")) else 0.15
        start = p.detach() if key.endswith("modulation") else torch.zeros_like(p)
        p.data = start + scale * torch.randn_like(p)
        tensors[key] = p.detach().clone()
    for key, (u, v, last) in list(net.norms.items()):
        flat = net.get(key).detach().flatten(1)
        for _ in range(3):
            v = torch.nn.functional.normalize(u @ flat, dim=1)
            u = torch.nn.functional.normalize(v @ flat.t(), dim=1)
        net.norms[key] = (u.double(), v.double(), last)
        tensors[key + ".u"], tensors[key + ".v"] = u, v
    net = net.double()
    x = torch.rand(rows, config["channels"], height, width)
    given = torch.randn(rows, context) if context else None
    coefficients = torch.tensor([0.5 - 0.3 * b for b in range(rows)], dtype=torch.float64)
    y = x.double().requires_grad_(True)
    energy = net(y, given.double() if context else None)
    gradient, = torch.autograd.grad(energy.sum(), y, retain_graph=True)
    (energy * coefficients).sum().backward()
    tensors |= {"x": x, "energy": energy, "gradient": gradient, "coefficients": coefficients}
    if context:
        tensors["given"] = given
    for key, p in net.names():
        tensors["by." + key] = p.grad if p.grad is not None else torch.zeros_like(p)
    path = os.path.join(HERE, name + ".safetensors")
    save(path, tensors, {"config": json.dumps(config)})
    print(f"{path}: {os.path.getsize(path)} bytes, {sum(p.numel() for _, p in net.names())} weights")
