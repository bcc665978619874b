"""hand_block: scripted gaits that push, tilt and squeeze a block in the palm. What makes it hard is contact."""
import numpy as np

from hand import MOTORS, Hand, pose, record
from motion import ease

THUMB, LOOSE = (.3, .4, 0, 0, -.1), (0, .35, .3)
BASE = pose((.05, .55, .4), (0, .55, .4), (0, .55, .4), (-.05, .55, .4), THUMB, palm=.15)


def alike(finger, thumb=THUMB, **rest):
    """A pose in which all four fingers do the same."""
    return pose(finger, finger, finger, finger, thumb, **rest)


ACROSS, PRESS = (1., .9, 0, 0, -.1), (1., 1.1, .2, -.5, -.9)  # the thumb reaches across the palm, and presses there
GAITS = {  # key poses of one cycle, before the return to BASE
    "thumb_sweep": [alike(LOOSE, ACROSS), alike(LOOSE, PRESS)],
    "little_push": [pose(LOOSE, LOOSE, (0, .5, .4), (.3, 1.3, 1.), THUMB, palm=.78)],
    "curl_pull":   [alike((0, .5, 1.4)), alike((0, 1.3, 1.4))],
    "tilt_radial": [alike((0, .6, .4), wrist=(-.35, -.6))],
    "tilt_ulnar":  [alike((0, .6, .4), wrist=(.12, -.6))],
    "curl_radial": [pose((0, 1.2, .8), (0, 1.1, .7), (0, .2, .2), (0, .2, .2), THUMB)],
    "curl_ulnar":  [pose((0, .2, .2), (0, .2, .2), (0, 1.1, .7), (0, 1.2, .8), THUMB, palm=.3)],
    "twist":       [pose(LOOSE, LOOSE, (0, .5, .4), (.3, 1.3, 1.), t, palm=.78) for t in (ACROSS, PRESS)],
    "squeeze":     [alike((0, 1.2, .9), (.9, 1., 0, -.4, -.7), palm=.3)],
}


def preference(x, y):
    """Logit of each gait for the block's place relative to the palm's centre [m]: closed loop, it keeps the block in."""
    u, v = x / .012, y / .012
    return {"thumb_sweep": .2 - 1.3 * u, "little_push": .2 + 1.3 * u, "curl_pull": -.3 - 1.3 * v,
            "tilt_radial": .1 + 1.1 * v, "tilt_ulnar": .1 + 1.1 * v, "curl_radial": .4, "curl_ulnar": .4,
            "twist": -.4, "squeeze": -.4}


def plan(rng, hand):
    """(target, label, phase, branch) per control step; branch is 1 on the first step of a new gait."""
    style = .03 * rng.standard_normal(len(MOTORS))
    base = BASE + style
    target = base
    for _ in range(int(rng.integers(3, 12))):
        yield target, "rest", 1.0, 0
    while True:
        logits = preference(hand.data.qpos[24] - 1.004, hand.data.qpos[25] - .895)
        share = np.exp(np.array(list(logits.values())))
        share /= share.sum()
        gait = str(rng.choice(list(logits), p=share))
        size, tempo, cycles = rng.uniform(.8, 1.1), rng.uniform(.8, 1.35), int(rng.integers(1, 3))
        keys = [base + size * (k - BASE) + .02 * rng.standard_normal(len(MOTORS)) for k in GAITS[gait]] + [base]
        steps = max(5, int(round(9 * tempo)))
        total, done = steps * cycles * len(keys), 0
        for key in keys * cycles:
            start = target
            for j in range(steps):
                target = start + (key - start) * ease((j + 1) / steps)
                done += 1
                yield target, gait, done / total, int(done == 1)
        for _ in range(min(int(rng.exponential(4)), 12)):
            yield target, "rest", 1.0, 0


_hand = None                                        # one per worker process: compiling the model takes a second


def episode(seed, number, frames):
    """Episode `number` of the set."""
    global _hand
    _hand = _hand or Hand(block_friction=.6)
    return record(_hand, BASE, plan, seed, number, frames)
