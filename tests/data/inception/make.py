"""Features and logits of torchvision's Inception-v3, and of the variant of pytorch-fid, on weights and images that follow
from their names: crates/images/tests/inception.rs computes the same numbers. Writes expected.safetensors and, with the names and
shapes of the weights, shapes.txt beside this file.

    pip install torch torchvision safetensors && python make.py
"""

import contextlib
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torchvision.models import inception as source


def uniform(name, count):
    """`count` numbers in [-1, 1): SplitMix64 of the place, started at the FNV-1a hash of the name; the upper 24 bits."""
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = (start ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(start) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(40)).astype(np.float32) / 2**23 - 1).astype(np.float32)


def parameter(name, shape):
    u = uniform(name, int(np.prod(shape))).reshape(shape)
    if name.endswith("bn.weight"):
        return 1 + 0.2 * u
    if name.endswith("bn.running_var"):
        return 1 + 0.5 * u
    if name.endswith(("bias", "running_mean")):
        return 0.1 * u
    # A variance that rectifiers keep.
    return u * np.float32((6 / np.prod(shape[1:])) ** 0.5)


def network(classes):
    net = source.Inception3(num_classes=classes, aux_logits=False, transform_input=True, init_weights=False).eval()
    state = net.state_dict()
    for name, old in state.items():
        if not name.endswith("num_batches_tracked"):
            state[name] = torch.from_numpy(np.asarray(parameter(name, tuple(old.shape)), dtype=np.float32))
    net.load_state_dict(state)
    return net


class Pools:
    """torch.nn.functional with the pools of pytorch-fid's network."""

    last = False

    def __getattr__(self, name):
        return getattr(F, name)

    def avg_pool2d(self, x, kernel_size, stride, padding):
        if self.last:
            return F.max_pool2d(x, kernel_size, stride, padding)
        return F.avg_pool2d(x, kernel_size, stride, padding, count_include_pad=False)


@contextlib.contextmanager
def pools_of_fid(net):
    pools = Pools()
    net.Mixed_7c.register_forward_pre_hook(lambda *_: setattr(pools, "last", True))
    net.Mixed_7c.register_forward_hook(lambda *_: setattr(pools, "last", False))
    source.F = pools
    yield
    source.F = F


def evaluate(net, x):
    kept = {}
    hook = net.avgpool.register_forward_hook(lambda _, __, out: kept.update(out=out.flatten(1)))
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    with torch.no_grad():
        logits = net((x - mean) / std)
    hook.remove()
    return kept["out"], logits


def main():
    torch.set_num_threads(1)
    colour = torch.from_numpy((uniform("colour", 3 * 40 * 32) + 1) / 2).reshape(1, 3, 40, 32)
    grey = torch.from_numpy((uniform("grey", 28 * 28) + 1) / 2).reshape(1, 1, 28, 28).repeat(1, 3, 1, 1)
    small = torch.from_numpy((uniform("small", 2 * 3 * 75 * 107) + 1) / 2).reshape(2, 3, 75, 107)
    resized = [F.interpolate(x, size=(299, 299), mode="bilinear", align_corners=False) for x in (colour, grey)]
    expected = {"resized": resized[0][0, 1, ::23].contiguous()}
    here = pathlib.Path(__file__).parent
    for name, classes in (("torchvision", 1000), ("fid", 1008)):
        net = network(classes)
        if name == "torchvision":
            shapes = {n: p.shape for n, p in net.state_dict().items() if not n.endswith("num_batches_tracked")}
            lines = (" ".join([n, *map(str, shape)]) + "\n" for n, shape in shapes.items())
            (here / "shapes.txt").write_text("".join(lines))
        with pools_of_fid(net) if name == "fid" else contextlib.nullcontext():
            for kind, x in (("large", torch.cat(resized)), ("small", small)):
                features, logits = evaluate(net, x)
                expected |= {f"{name}.{kind}.features": features, f"{name}.{kind}.logits": logits}
    save_file(expected, here / "expected.safetensors")
    for name, value in expected.items():
        print(name, tuple(value.shape), float(value.abs().mean()), float(value.std()))


main()
