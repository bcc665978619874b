"""The convolutional energies of `crates/images/src/model/conv` in PyTorch: the same stages, written from the same description."""
import torch
import torch.nn.functional as F


def conv(width, kernel, stride, conditional):
    return {"conv": {"width": width, "kernel": kernel, "stride": stride, "conditional": conditional}}


def residual(first, blocks):
    return [conv(first, 3, 1, False)] + [{"block": {"width": w, "down": d}} for w, d in blocks]


def three_by_three(width):
    return [(f * width, d) for f in (1, 2, 4) for d in (True, False, False)]


def images(channels, side, context, stages, dense=None, activation="leaky_relu"):
    return {"channels": channels, "height": side, "width": side, "context": context, "stages": stages, "dense": dense,
            "activation": activation, "spectral_norm": True}


CONDITIONAL = [(128, True), (128, False), (256, True), (256, False), (256, True), (256, False)]
IMAGENET128 = [(64, True), (128, True), (256, True), (512, True), (512, True), (512, False)]
NETWORKS = {
    "cifar10_conditional": lambda c=10: images(3, 32, c, residual(128, CONDITIONAL)),
    "cifar10_large": lambda: images(3, 32, 0, residual(128, three_by_three(128))),
    "imagenet32": lambda c=1000: images(3, 32, c, residual(128, three_by_three(256))),
    "imagenet128": lambda c=1000: images(3, 128, c, residual(64, IMAGENET128), activation="swish"),
    "dsprites": lambda c=0: images(1, 64, c, [conv(32, 3, 1, False)] + [conv(w, 4, 2, True) for w in (64, 128, 128, 128)], 128),
    "mnist": lambda c=0: images(1, 28, c, [conv(64, 3, 1, False)] + [conv(w, 4, 2, True) for w in (64, 128, 256)], 128),
}


def scaled(config, factor):
    """Every width times a factor, rounded half away from zero, at least 1."""
    def scale(width):
        return max(1, int(width * factor + 0.5))

    stages = [{k: {**v, "width": scale(v["width"])} for k, v in s.items()} for s in config["stages"]]
    return {**config, "stages": stages, "dense": config["dense"] and scale(config["dense"])}


class Energy(torch.nn.Module):
    """`energy(x, context)`; parameters and buffers have the names of ours."""

    def __init__(self, config):
        super().__init__()
        self.config, self.norms = config, {}
        channels, (height, width), context = config["channels"], (config["height"], config["width"]), config["context"]
        self.plan = []

        def filter(name, dims, last):
            weight = torch.randn(dims) * (1e-10 if last else 1.0)
            self.add(name, weight)
            if config["spectral_norm"]:
                flat = weight.flatten(1)
                u = F.normalize(torch.randn(1, flat.shape[0]), dim=1)
                for _ in range(5):
                    v = F.normalize(u @ flat, dim=1)
                    u = F.normalize(v @ flat.t(), dim=1)
                self.norms[name] = (u, v, last)

        def modulation(i, widths, conditional):
            self.add(f"stage{i}.modulation", torch.cat([torch.full((w,), float(s)) for w, s in widths]))
            if conditional:
                self.add(f"stage{i}.context", torch.zeros(sum(w for w, _ in widths), context))

        for i, stage in enumerate(config["stages"]):
            if "conv" in stage:
                s = stage["conv"]
                given = s["conditional"] and context > 0
                filter(f"stage{i}.weight", (s["width"], channels, s["kernel"], s["kernel"]), False)
                modulation(i, [(s["width"], 0)] + [(s["width"], 1)] * given, given)
                self.plan.append(("conv", s["stride"], given))
                height, width = -(-height // s["stride"]), -(-width // s["stride"])
                channels = s["width"]
            else:
                s = stage["block"]
                filter(f"stage{i}.first", (s["width"], channels, 3, 3), False)
                filter(f"stage{i}.second", (s["width"], s["width"], 3, 3), True)
                if channels != s["width"]:
                    filter(f"stage{i}.skip", (s["width"], channels, 3, 3), False)
                modulation(i, [(channels, 0), (s["width"], 0), (s["width"], 1)], context > 0)
                self.plan.append(("block", s["down"], (channels, s["width"])))
                if s["down"]:
                    height, width = height // 2, width // 2
                channels = s["width"]
        if config["dense"]:
            i = len(config["stages"])
            filter(f"stage{i}.weight", (config["dense"], channels, height, width), False)
            modulation(i, [(config["dense"], 0)], False)
            self.plan.append(("dense", None, None))
            channels = config["dense"]
        self.add("head.weight", torch.randn(1, channels) / channels ** 0.5)
        self.add("head.bias", torch.zeros(1))

    def add(self, name, value):
        self.register_parameter(name.replace(".", "_"), torch.nn.Parameter(value))

    def get(self, name):
        return getattr(self, name.replace(".", "_"), None)

    def act(self, z):
        return F.silu(z) if self.config["activation"] == "swish" else F.leaky_relu(z, 0.2)

    def effective(self, name):
        """A weight as it multiplies: divided by its largest singular value, a block's last one only where that is above 1."""
        weight = self.get(name)
        if name not in self.norms:
            return weight
        u, v, last = self.norms[name]
        sigma = u @ weight.flatten(1) @ v.t()
        return weight / (sigma.clamp(min=1.0) if last else sigma).reshape(())

    def freeze(self):
        """Fixes the norms at their present values: what a chain of steps computes once."""
        self.fixed = {n: self.effective(n).detach() for n in [k for k, _ in self.names() if self.get(k).dim() == 4]}

    def names(self):
        for i in range(len(self.plan)):
            for part in ("weight", "first", "second", "skip", "modulation", "context"):
                if self.get(f"stage{i}.{part}") is not None:
                    yield f"stage{i}.{part}", self.get(f"stage{i}.{part}")
        yield "head.weight", self.get("head.weight")
        yield "head.bias", self.get("head.bias")

    def weight(self, name):
        fixed = getattr(self, "fixed", None)
        return fixed[name] if fixed else self.effective(name)

    def conv(self, x, name, stride):
        weight = self.weight(name)
        pads = []
        for size, kernel in ((x.shape[3], weight.shape[3]), (x.shape[2], weight.shape[2])):
            all = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [all // 2, all - all // 2]
        if pads[0] == pads[1] == pads[2] == pads[3]:
            return F.conv2d(x, weight, stride=stride, padding=pads[0])
        return F.conv2d(F.pad(x, pads), weight, stride=stride)

    def rows(self, i, context):
        rows, map = self.get(f"stage{i}.modulation")[None], self.get(f"stage{i}.context")
        if map is not None:
            rows = rows + context @ map.t()
        return rows[:, :, None, None]

    def forward(self, x, context=None):
        for i, (kind, how, given) in enumerate(self.plan):
            rows = self.rows(i, context)
            if kind == "dense":
                x = self.act(x.flatten(1) @ self.weight(f"stage{i}.weight").flatten(1).t() + rows[:, :, 0, 0])
            elif kind == "conv":
                z = self.conv(x, f"stage{i}.weight", how)
                width = z.shape[1]
                x = self.act(z * rows[:, width:] + rows[:, :width] if given else z + rows)
            else:
                inputs, width = given
                h = self.act(self.conv(x + rows[:, :inputs], f"stage{i}.first", 1)) + rows[:, inputs:inputs + width]
                h = self.conv(h, f"stage{i}.second", 1) * rows[:, inputs + width:]
                h = h + (x if inputs == width else self.conv(x, f"stage{i}.skip", 1))
                x = self.act(F.avg_pool2d(h, 2) if how else h)
        if not self.config["dense"]:
            x = (F.silu(x) if self.config["activation"] == "swish" else F.relu(x)).sum((2, 3))
        return (x @ self.get("head.weight").t() + self.get("head.bias"))[:, 0]
