"""What users would pick instead: the same work in PyTorch and JAX, float32, on all cores.

Each function returns a closure that does the work once and waits for it, and how many units (steps, forecasts) that was.
Weights are drawn alike for all; `check.py` holds their energies, gradients and losses against each other.
"""
import math

import numpy as np

STEP = 1e-2  # x <- x - STEP / 2 grad + sqrt(STEP) normal
CHANNELS, CONTEXT, CHUNK, HORIZON, LATENT, HIDDEN, LEVELS = 24, 8, 32, 100, 768, [384, 384, 384], 4
GAIN, FROM, TO, SPACING, FREQUENCIES = 10.0, 1.54, 0.02, 0.7, [0.5, 1.0, 2.0, 4.0]
ANGLES, DECAY = (0.015, 1.555), 0.999  # of training: noise angles, moving average of the weights


def weights(dims, seed=0):
    """[(weight (in, out), bias)] with the uniform initialisation of the common libraries."""
    rng = np.random.default_rng(seed)
    draw = lambda n, shape: rng.uniform(-n**-0.5, n**-0.5, shape).astype(np.float32)
    return [(draw(n, (n, m)), draw(n, (m,))) for n, m in zip(dims, dims[1:])]


def points(batch, width, seed=1):
    return np.random.default_rng(seed).standard_normal((batch, width)).astype(np.float32)


def level(t):
    s = math.log(math.tan(t)) / 2
    return np.array([s] + [f(s * w) for w in FREQUENCIES for f in (math.sin, math.cos)], np.float32)


def forecast_parts(seed=0):
    """The default forecaster's matrices: context and level to the first layer, regression, decoding, network."""
    width, rng = CHUNK * CHANNELS, np.random.default_rng(seed)
    draw = lambda n, shape: (0.3 * rng.standard_normal(shape) / math.sqrt(n)).astype(np.float32)
    net = weights([LATENT] + HIDDEN + [1], seed)
    angles = [TO + (FROM - TO) * (1 - i / LEVELS) ** SPACING for i in range(LEVELS + 1)]
    steps = [a - b for a, b in zip(angles, angles[1:])]
    push = [0.0] + [now * now / (2 * before) for before, now in zip(steps, steps[1:])]
    shift = draw(9, (9, HIDDEN[0]))
    return dict(
        net=net, context=draw(width, (CONTEXT * CHANNELS, HIDDEN[0])), regress=draw(width, (CONTEXT * CHANNELS, width)),
        decode=draw(width, (width, width)), shifts=np.stack([level(t) @ shift for t in angles]),
        stops=[(1.0, d + p, p) for d, p in zip(steps, push)] + [(math.cos(TO), math.sin(TO), 0.0)],
        history=np.cumsum(0.1 * points(CONTEXT, CHANNELS), 0))


def denoising_parts(batch, seed=0):
    """The default model's network with its context's part, and a batch of chunks and contexts."""
    context = CONTEXT * CHANNELS
    (first, _), = weights([9 + context, HIDDEN[0]], seed + 1)
    return weights([LATENT] + HIDDEN + [1], seed), first, points(batch, LATENT), points(batch, context, 2)


# ---------------------------------------------------------------- PyTorch


class Torch:
    def __init__(self, threads, compiled=False, device="cpu"):
        import torch
        torch.set_num_threads(threads)
        self.torch, self.compiled, self.device = torch, compiled, device

    def tensor(self, a):
        return self.torch.tensor(a, device=self.device)

    def net(self, w):
        return [(self.tensor(m), self.tensor(b)) for m, b in w]

    def energy(self, w, x, first=None):
        for i, (m, b) in enumerate(w):
            x = x @ m + (b if i or first is None else first)
            if i + 1 < len(w):
                x = self.torch.nn.functional.silu(x)
        return x[:, 0]

    def slope(self, w, x, first=None):
        if self.compiled:
            return self.torch.func.grad(lambda y: self.energy(w, y, first).sum())(x)
        x = x.detach().requires_grad_(True)
        return self.torch.autograd.grad(self.energy(w, x, first).sum(), x)[0]

    def step(self, w):
        noise = self.torch.randn_like
        f = lambda x: x.detach() - 0.5 * STEP * self.slope(w, x) + STEP**0.5 * noise(x)
        return self.torch.compile(f) if self.compiled else f

    def wait(self):
        if self.device != "cpu":
            self.torch.cuda.synchronize()

    def langevin(self, dims, batch):
        step, x0, steps = self.step(self.net(weights(dims))), self.tensor(points(batch, dims[0])), 200 if batch < 256 else 40
        def run():
            x = x0
            for _ in range(steps):
                x = step(x)
            self.wait()
        return run, steps

    def forecast(self, samples):
        torch, p = self.torch, forecast_parts()
        t = {k: self.tensor(np.asarray(v, np.float32)) for k, v in p.items() if k not in ("net", "stops")}
        w = self.net(p["net"])
        def chunk(history):
            last, delta = history[:, -1], (history[:, 1:] - history[:, :-1]).clamp(-8, 8)
            c = torch.cat([last[:, None], delta], 1).flatten(1)
            first, expected = c @ t["context"] + w[0][1], c @ t["regress"]
            u = torch.randn(samples, CHUNK * CHANNELS, device=self.device)
            x, before = u[:, :LATENT], 0.0
            for i, (keep, pull, push) in enumerate(p["stops"]):
                v = GAIN * self.slope(w, x, first + t["shifts"][i])
                x, before = keep * x.detach() - pull * v + push * before, v
            frames = torch.cat([x, u[:, LATENT:]], 1) @ t["decode"] + expected
            return frames.view(samples, CHUNK, CHANNELS) + last[:, None]
        if self.compiled:
            chunk = torch.compile(chunk)
        def run():
            history, out = t["history"].expand(samples, -1, -1), []
            for _ in range(math.ceil(HORIZON / CHUNK)):
                frames = chunk(history)
                out.append(frames)
                history = torch.cat([history, frames], 1)[:, -CONTEXT:]
            self.wait()
            return torch.cat(out, 1)[:, :HORIZON]
        return run, 1

    def train(self, dims, batch, steps):
        torch, w = self.torch, self.net(weights(dims))
        flat = [v.requires_grad_(True) for pair in w for v in pair]
        adam = torch.optim.Adam(flat, lr=1e-4, betas=(0.0, 0.999), fused=True)
        frozen = [(m.detach(), b.detach()) for m, b in w]  # shares memory: the chain needs no weight gradient
        step = self.step(frozen)
        data, start = self.tensor(points(batch, dims[0])), self.tensor(points(batch, dims[0], 2))
        def loss(x):
            up, down = self.energy(w, data), self.energy(w, x)
            return up.mean() - down.mean() + (up**2).mean() + (down**2).mean()
        f = torch.compile(loss) if self.compiled else loss
        def run():
            for _ in range(5):
                x = start
                for _ in range(steps):
                    x = step(x)
                adam.zero_grad()
                f(x.detach()).backward()
                adam.step()
            self.wait()
        run.loss = lambda x: loss(self.tensor(x))
        return run, 5 * batch

    def denoising(self, batch):
        torch = self.torch
        net, first, data, given = denoising_parts(batch)
        w, first, data, given = self.net(net), self.tensor(first), self.tensor(data), self.tensor(given)
        flat = [v.requires_grad_(True) for v in [first] + [v for pair in w for v in pair]]
        mean = [v.detach().clone() for v in flat]
        adam = torch.optim.Adam(flat, lr=1e-4, fused=True)
        def loss(t, eps, gain=GAIN):
            s = torch.log(torch.tan(t)) / 2
            features = torch.cat([s] + [f(s * k) for k in FREQUENCIES for f in (torch.sin, torch.cos)], 1)
            x, target = t.cos() * data + t.sin() * eps, t.cos() * eps - t.sin() * data
            part = torch.cat([features, given], 1) @ first + w[0][1]
            total = lambda y: self.energy(w, y, part).sum()
            if self.compiled:
                slope = torch.func.grad(total)(x)
            else:
                x.requires_grad_(True)
                slope = torch.autograd.grad(total(x), x, create_graph=True)[0]
            return ((gain * slope - target) ** 2).mean()
        f = torch.compile(loss) if self.compiled else loss
        def run():
            for _ in range(5):
                t = torch.rand(batch, 1, device=self.device) * (ANGLES[1] - ANGLES[0]) + ANGLES[0]
                adam.zero_grad()
                f(t, torch.randn_like(data)).backward()
                adam.step()
                with torch.no_grad():
                    torch._foreach_lerp_(mean, flat, 1 - DECAY)
            self.wait()
        run.loss = lambda t, eps, gain: loss(self.tensor(t), self.tensor(eps), gain)
        return run, 5 * batch


# ---------------------------------------------------------------- JAX


class Jax:
    def __init__(self, threads):
        import jax
        import jax.numpy as jnp
        self.jax, self.np = jax, jnp

    def net(self, w):
        return [(self.np.array(m), self.np.array(b)) for m, b in w]

    def energy(self, w, x, first=None):
        for i, (m, b) in enumerate(w):
            x = x @ m + (b if i or first is None else first)
            if i + 1 < len(w):
                x = self.jax.nn.silu(x)
        return x[:, 0]

    def slope(self, w, x, first=None):
        return self.jax.grad(lambda y: self.energy(w, y, first).sum())(x)

    def chain(self, w, x, key, steps):
        normal = self.jax.random.normal
        body = lambda x, k: (x - 0.5 * STEP * self.slope(w, x) + STEP**0.5 * normal(k, x.shape), None)
        return self.jax.lax.scan(body, x, self.jax.random.split(key, steps))[0]

    def langevin(self, dims, batch):
        w, steps = self.net(weights(dims)), 200 if batch < 256 else 40
        f = self.jax.jit(lambda x, key: self.chain(w, x, key, steps))
        x, key = self.np.array(points(batch, dims[0])), self.jax.random.PRNGKey(0)
        return lambda: f(x, key).block_until_ready(), steps

    def forecast(self, samples):
        jnp, p = self.np, forecast_parts()
        w = self.net(p["net"])
        def chunk(history, key):
            last, delta = history[:, -1], jnp.clip(history[:, 1:] - history[:, :-1], -8, 8)
            c = jnp.concatenate([last[:, None], delta], 1).reshape(samples, -1)
            first, expected = c @ p["context"] + w[0][1], c @ p["regress"]
            u = self.jax.random.normal(key, (samples, CHUNK * CHANNELS))
            x, before = u[:, :LATENT], 0.0
            for i, (keep, pull, push) in enumerate(p["stops"]):
                v = GAIN * self.slope(w, x, first + p["shifts"][i])
                x, before = keep * x - pull * v + push * before, v
            frames = jnp.concatenate([x, u[:, LATENT:]], 1) @ p["decode"] + expected
            frames = frames.reshape(samples, CHUNK, CHANNELS) + last[:, None]
            return jnp.concatenate([history, frames], 1)[:, -CONTEXT:], frames
        def whole(history, key):
            _, frames = self.jax.lax.scan(chunk, history, self.jax.random.split(key, math.ceil(HORIZON / CHUNK)))
            return frames.transpose(1, 0, 2, 3).reshape(samples, -1, CHANNELS)[:, :HORIZON]
        f, key = self.jax.jit(whole), self.jax.random.PRNGKey(0)
        history = jnp.broadcast_to(jnp.array(p["history"]), (samples, CONTEXT, CHANNELS))
        return lambda: f(history, key).block_until_ready(), 1

    def train(self, dims, batch, steps):
        jnp, tree = self.np, self.jax.tree_util.tree_map
        data, start = jnp.array(points(batch, dims[0])), jnp.array(points(batch, dims[0], 2))
        def loss(w, x):
            up, down = self.energy(w, data), self.energy(w, x)
            return up.mean() - down.mean() + (up**2).mean() + (down**2).mean()
        def step(state, key):
            w, v, t = state
            g = self.jax.grad(loss)(w, self.chain(w, start, key, steps))
            v = tree(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
            w = tree(lambda w, g, v: w - 1e-4 * g / (jnp.sqrt(v / (1 - 0.999 ** (t + 1))) + 1e-8), w, g, v)
            return (w, v, t + 1), None
        w = self.net(weights(dims))
        f = self.jax.jit(lambda s, key: self.jax.lax.scan(step, s, self.jax.random.split(key, 5))[0])
        state, key = (w, tree(jnp.zeros_like, w), 0.0), self.jax.random.PRNGKey(0)
        run = lambda: self.jax.block_until_ready(f(state, key))
        run.loss = lambda x: loss(w, x)
        return run, 5 * batch

    def denoising(self, batch):
        jnp, tree, normal = self.np, self.jax.tree_util.tree_map, self.jax.random.normal
        net, first, data, given = denoising_parts(batch)
        w, data, given = (jnp.array(first), self.net(net)), jnp.array(data), jnp.array(given)
        def loss(w, t, eps, gain=GAIN):
            first, net = w
            s = jnp.log(jnp.tan(t)) / 2
            features = jnp.concatenate([s] + [f(s * k) for k in FREQUENCIES for f in (jnp.sin, jnp.cos)], 1)
            x, target = jnp.cos(t) * data + jnp.sin(t) * eps, jnp.cos(t) * eps - jnp.sin(t) * data
            part = jnp.concatenate([features, given], 1) @ first + net[0][1]
            return ((gain * self.slope(net, x, part) - target) ** 2).mean()
        def step(state, key):
            w, m, v, mean, k = state
            one, two = self.jax.random.split(key)
            t = self.jax.random.uniform(one, (batch, 1), minval=ANGLES[0], maxval=ANGLES[1])
            g = self.jax.grad(loss)(w, t, normal(two, data.shape))
            m = tree(lambda m, g: 0.9 * m + 0.1 * g, m, g)
            v = tree(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
            a, b = 1 - 0.9 ** (k + 1), 1 - 0.999 ** (k + 1)
            w = tree(lambda w, m, v: w - 1e-4 * (m / a) / (jnp.sqrt(v / b) + 1e-8), w, m, v)
            mean = tree(lambda mean, w: DECAY * mean + (1 - DECAY) * w, mean, w)
            return (w, m, v, mean, k + 1), None
        f = self.jax.jit(lambda s, key: self.jax.lax.scan(step, s, self.jax.random.split(key, 5))[0])
        zeros = tree(jnp.zeros_like, w)
        state, key = (w, zeros, zeros, w, 0.0), self.jax.random.PRNGKey(0)
        run = lambda: self.jax.block_until_ready(f(state, key))
        run.loss = lambda t, eps, gain: loss(w, t, eps, gain)
        return run, 5 * batch


PEERS = {
    "torch-eager": lambda threads: Torch(threads),
    "torch-compile": lambda threads: Torch(threads, compiled=True),
    "jax-jit": lambda threads: Jax(threads),
}
