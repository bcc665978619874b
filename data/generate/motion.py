"""What every script of motion is made of: the control period, smooth moves and coloured noise."""
import numpy as np

PERIOD = 0.04      # control period [s]: 25 frames per second, as in gymnasium-robotics' own environments
SUBSTEPS = 20      # physics steps of 0.002 s in one control period


def ease(share):
    """Minimum-jerk profile from 0 to 1 (Flash & Hogan 1985): the share of a move that is done at `share` of its time."""
    s = np.clip(share, 0.0, 1.0)
    return s * s * s * (10 + s * (6 * s - 15))


class OrnsteinUhlenbeck:
    """Noise with stationary deviation `sigma` and correlation time `tau` [s], one value per control period."""

    def __init__(self, rng, size, sigma, tau):
        self.rng, self.keep = rng, np.exp(-PERIOD / tau)
        self.kick = sigma * np.sqrt(1 - self.keep ** 2)
        self.value = sigma * rng.standard_normal(size)

    def __call__(self):
        self.value = self.keep * self.value + self.kick * self.rng.standard_normal(self.value.shape)
        return self.value
