#!/usr/bin/env python3
"""The peers do the same work: energies, gradients, training losses and forecasts agree between PyTorch and JAX."""
import numpy as np

from peers import ANGLES, HORIZON, LATENT, Jax, Torch, points, weights

dims, batch = [24, 40, 30, 1], 50
torch, jax = Torch(1), Jax(1)
x = points(batch, dims[0])
w = weights(dims)
pairs = {
    "energy": (torch.energy(torch.net(w), torch.tensor(x)).numpy(), jax.energy(jax.net(w), x)),
    "gradient": (torch.slope(torch.net(w), torch.tensor(x)).numpy(), jax.slope(jax.net(w), jax.np.array(x))),
    "loss": (torch.train(dims, batch, 2)[0].loss(x).detach().numpy(), jax.train(dims, batch, 2)[0].loss(x)),
}
angles, eps = np.linspace(*ANGLES, batch, dtype=np.float32)[:, None], points(batch, LATENT, 3)
# A fresh network's gradient is small: by a large gain it decides the loss.
a = float(torch.denoising(batch)[0].loss(angles, eps, 1e4).detach())
b = float(jax.denoising(batch)[0].loss(angles, eps, 1e4))
assert a > 2 and b > 2, f"denoising: losses of {a} and {b} say nothing of the gradient"
pairs["denoising"] = (a, b)
for name, (a, b) in pairs.items():
    away = np.abs(np.asarray(a) - np.asarray(b)).max()
    assert away < 1e-4, f"{name}: off by {away}"
    print(f"{name}: within {away:.1e}")
# Forecasts draw other numbers: their mean steps agree within sampling error.
a, b = (np.asarray(p.forecast(2000)[0]()) for p in (torch, jax))
assert a.shape == b.shape == (2000, HORIZON, 24)
away = np.abs(a[:, :8].mean(0) - b[:, :8].mean(0)) / (a[:, :8].std(0) / 1000**0.5)
assert away.max() < 5, f"forecast: means differ by {away.max()} standard errors"
print(f"forecast: means within {away.max():.1f} standard errors")
