"""The simulated hand: model, actuators, one control step, and the episode loop that both scripts of motion share."""
import os
from importlib.util import find_spec

import mujoco
import numpy as np

from motion import PERIOD, SUBSTEPS, OrnsteinUhlenbeck

JOINTS = ("WRJ1 WRJ0 FFJ3 FFJ2 FFJ1 FFJ0 MFJ3 MFJ2 MFJ1 MFJ0 RFJ3 RFJ2 RFJ1 RFJ0 "
          "LFJ4 LFJ3 LFJ2 LFJ1 LFJ0 THJ4 THJ3 THJ2 THJ1 THJ0").split()
COUPLED = ("FFJ0", "MFJ0", "RFJ0", "LFJ0")          # moved by a tendon together with the joint before, not by a motor
MOTORS = [j for j in JOINTS if j not in COUPLED]    # 20 position actuators
FINGER = np.array(["WFMRLT".index(m[0]) - 1 for m in MOTORS])  # -1 wrist, 0 index .. 3 little, 4 thumb
WARM_UP = 10                                        # control steps before the recording starts
BLOCK = ["block_x", "block_y", "block_z", "block_qw", "block_qx", "block_qy", "block_qz"]
COLUMNS = [f"q_{j}" for j in JOINTS] + [f"dq_{j}" for j in JOINTS] + BLOCK
UNITS = ["rad"] * 24 + ["rad/s"] * 24 + ["m"] * 3 + [""] * 4


def pose(index, middle, ring, little, thumb, wrist=(0.0, 0.15), palm=0.05):
    """Motor targets [rad]: fingers (spread, knuckle, middle joint), thumb (THJ4 .. THJ0), wrist (WRJ1, WRJ0), LFJ4."""
    return np.array([*wrist, *index, *middle, *ring, palm, *little, *thumb])


class Hand:
    """A Shadow hand with a block in its palm."""

    def __init__(self, block_friction=None):
        assets = os.path.join(find_spec("gymnasium_robotics").submodule_search_locations[0], "envs", "assets")
        spec = mujoco.MjSpec.from_file(os.path.join(assets, "hand", "manipulate_block.xml"))
        spec.delete(spec.body("target"))            # the goal that the reinforcement-learning task shows as a ghost
        if block_friction:                          # sliding friction; the model's own is 1.0
            block = spec.geom("object")
            block.friction[0], block.priority = block_friction, 1
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self.low, self.high = self.model.actuator_ctrlrange.T
        names = [self.model.joint(i).name for i in range(len(JOINTS))]
        assert names == ["robot0:" + j for j in JOINTS] and self.model.opt.timestep * SUBSTEPS == PERIOD

    def reset(self, target, block_xyz, block_yaw):
        """Puts the motors at `target` (within their joints' limits) and drops the block above the palm."""
        mujoco.mj_resetData(self.model, self.data)
        for motor, angle in zip(MOTORS, target):
            joint = self.model.joint("robot0:" + motor)
            self.data.qpos[joint.qposadr[0]] = np.clip(angle, *joint.range)
        self.data.qpos[24:27] = block_xyz
        self.data.qpos[27:31] = np.cos(block_yaw / 2), 0, 0, np.sin(block_yaw / 2)

    def step(self, target):
        """One control period towards `target`."""
        self.data.ctrl[:] = np.clip(target, self.low, self.high)
        mujoco.mj_step(self.model, self.data, SUBSTEPS)

    def state(self):
        """The row that is recorded, in the order of COLUMNS."""
        return np.concatenate([self.data.qpos[:24], self.data.qvel[:24], self.data.qpos[24:31]])

    def in_order(self):
        """The block is still in the hand and the simulation finite."""
        x, y, z = self.data.qpos[24:27]
        return bool(z > .10 and .90 < x < 1.10 and .74 < y < 1.0 and np.isfinite(self.data.qacc).all())


def sign_continuous(quaternions):
    """q and -q are the same rotation: takes, frame by frame, the one nearer to the frame before; the first has w >= 0."""
    q = quaternions.copy()
    if q[0, 0] < 0:
        q[0] *= -1
    for i in range(1, len(q)):
        if q[i] @ q[i - 1] < 0:
            q[i] *= -1
    return q


def record(hand, start, plan_of, seed, episode, frames):
    """One episode: (states (frames, 55), labels, phases, branches).

    `plan_of(rng, hand)` yields (motor target, label, phase, branch) per control step. An attempt that loses the block
    is thrown away and repeated with the next sub-seed, so an episode depends on (seed, episode) alone.
    """
    for attempt in range(50):
        rng = np.random.default_rng([seed, episode, attempt])
        plan = plan_of(rng, hand)
        noise = OrnsteinUhlenbeck(rng, len(MOTORS), .015, .3)
        place = [1 + rng.uniform(-.012, .012), rng.uniform(.872, .900), .19]
        hand.reset(start, place, np.radians(rng.uniform(-40, 40)))
        for _ in range(12):                         # the block settles
            hand.step(start)
        rows = []
        for step, (target, label, phase, branch) in enumerate(plan):
            hand.step(target + noise())
            if not hand.in_order():
                break
            if step >= WARM_UP:
                rows.append((hand.state(), label, phase, branch))
            if len(rows) == frames:
                states, labels, phases, branches = zip(*rows)
                states = np.array(states)
                states[:, 51:55] = sign_continuous(states[:, 51:55])
                return states, labels, phases, branches
    raise RuntimeError(f"episode {episode}: the block was lost in each of 50 attempts")
