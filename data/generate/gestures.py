"""hand_gestures: a Markov chain over hand gestures. Every gesture has 3 or 4 successors, so the future is multi-modal."""
import numpy as np

from hand import FINGER, MOTORS, Hand, pose, record
from motion import PERIOD, ease

STRAIGHT = (0, .05, .05)
GESTURES = {
    "open":   pose((0, .1, .1), (0, .1, .1), (0, .1, .1), (0, .1, .1), (0, .2, 0, 0, -.1), wrist=(0, -.1)),
    "spread": pose((-.33, .2, .05), (-.1, .2, .05), (-.15, .2, .05), (-.33, .2, .05), (-.6, .1, 0, .3, 0),
                   wrist=(-.05, -.4)),
    "fist":   pose((0, 1.35, 1.4), (0, 1.35, 1.4), (0, 1.35, 1.4), (0, 1.35, 1.4), (.7, .7, 0, -.3, -.9),
                   wrist=(-.1, .3), palm=.3),
    "pinch":  pose((.05, .95, .75), (0, .35, .3), (0, .3, .25), (-.05, .25, .2), (.9, .95, 0, -.3, -.5),
                   wrist=(-.25, .15)),
    "tripod": pose((.05, .95, .8), (-.05, .95, .8), (0, 1.2, 1.2), (0, 1.25, 1.25), (.95, 1., 0, -.3, -.5),
                   wrist=(-.3, .25), palm=.2),
    "point":  pose(STRAIGHT, (0, 1.3, 1.35), (0, 1.3, 1.35), (0, 1.3, 1.35), (.6, .6, 0, -.3, -.8),
                   wrist=(.05, 0), palm=.25),
    "cup":    pose((.05, .65, .5), (0, .65, .5), (0, .65, .5), (-.05, .65, .5), (.4, .6, 0, -.1, -.3),
                   wrist=(0, .2), palm=.2),
}
STATIC = list(GESTURES)
SUCCESSORS = {
    "open":   {"fist": .4, "spread": .3, "wave_fwd": .15, "wave_bwd": .15},
    "spread": {"fist": .35, "open": .3, "cup": .35},
    "fist":   {"open": .4, "point": .35, "cup": .25},
    "pinch":  {"open": .4, "tripod": .3, "cup": .3},
    "tripod": {"cup": .4, "pinch": .3, "spread": .3},
    "point":  {"fist": .45, "pinch": .35, "open": .2},
    "cup":    {"pinch": .3, "tripod": .25, "wave_fwd": .225, "wave_bwd": .225},
    "wave_fwd": {"open": .4, "fist": .35, "cup": .25},
    "wave_bwd": {"open": .4, "fist": .35, "cup": .25},
}
BENDS = np.isin(MOTORS, [f + j for f in ("FF", "MF", "RF", "LF") for j in ("J2", "J1")])


def wave(rng, start, base, direction):
    """Targets of a wave of bending that travels over the four fingers once or twice, index first for direction 1."""
    steps = int(round(rng.uniform(.8, 1.2) / PERIOD)) * int(rng.integers(1, 3))
    frequency, height = rng.uniform(.9, 1.25), rng.uniform(.45, .65)
    for k in range(steps):
        angle = 2 * np.pi * frequency * k * PERIOD
        target = base.copy()
        for finger in range(4):
            bend = height * (1 - np.cos(np.clip(angle - direction * (finger - 1.5) * .9 - 1.35, 0, None))) / 2
            target[(FINGER == finger) & BENDS] += 1.6 * bend
        yield start + (target - start) * ease((k + 1) / 8), (k + 1) / steps


def move(rng, start, goal):
    """Targets of a minimum-jerk move in which index or little finger leads and the thumb comes early or late."""
    duration = float(np.clip(np.exp(np.log(.60) + .25 * rng.standard_normal()), .32, 1.1))
    lag = .13 * rng.choice([-1, 1]) * (np.clip(FINGER, 0, 3) - 1.5) / 1.5
    lag[FINGER == 4] = rng.choice([0., .18])
    lag = lag - lag.min()
    steps = int(np.ceil((duration + lag.max()) / PERIOD))
    for k in range(steps):
        yield start + (goal - start) * ease(((k + 1) * PERIOD - lag) / duration), (k + 1) / steps


def plan(rng, _hand):
    """(target, label, phase, branch) per control step; branch is 1 on the first step of a new segment."""
    style = .04 * rng.standard_normal(len(MOTORS))  # this episode's own way of making each gesture

    def variant(gesture):
        return GESTURES[gesture] + style + .03 * rng.standard_normal(len(MOTORS))

    label = STATIC[rng.integers(len(STATIC))]
    target, hold = variant(label), int(rng.integers(4, 14))
    for _ in range(hold):
        yield target, label, 1.0, 0
    while True:
        successors = SUCCESSORS[label]
        label = str(rng.choice(list(successors), p=list(successors.values())))
        if label.startswith("wave"):
            segment = wave(rng, target, variant("open"), 1 if label == "wave_fwd" else -1)
        else:
            segment = move(rng, target, variant(label))
        branch = 1
        for target, phase in segment:
            yield target, label, phase, branch
            branch = 0
        for _ in range(2 + min(int(rng.exponential(6)), 22)):  # a hold of 0.08 to 0.96 s
            yield target, label, 1.0, 0


_hand = None                                        # one per worker process: compiling the model takes a second


def episode(seed, number, frames):
    """Episode `number` of the set."""
    global _hand
    _hand = _hand or Hand()
    return record(_hand, GESTURES["cup"], plan, seed, number, frames)
