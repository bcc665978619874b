"""Measures the hand's geometry in its zero pose:  python geometry.py

Writes ../hand_gestures/skeleton.json (joints and finger tips; numbers only, no part of the model is copied) and
../../tests/data/hand_poses.json (points at random joint angles as the simulator places them, to test our own
forward kinematics against). Lengths in metres; the origin is the wrist's first joint, the axes are the simulation's
(z up, fingers towards -y, palm up).
"""
import json
import os

import mujoco
import numpy as np

from hand import JOINTS, Hand

HERE = os.path.dirname(os.path.abspath(__file__))
FINGERS = ["FF", "MF", "RF", "LF", "TH"]
FOREARM = 0.05   # of the forearm's 0.26 m only this much is drawn: enough to see how the wrist bends


def place(hand, angles):
    """(anchors (24, 3), axes (24, 3), tips (5, 3)) at `angles`, relative to the first joint's anchor."""
    mujoco.mj_resetData(hand.model, hand.data)
    hand.data.qpos[:24] = angles
    mujoco.mj_kinematics(hand.model, hand.data)
    origin = hand.data.xanchor[0].copy()
    tips = [hand.data.site(f"robot0:S_{f.lower()}tip").xpos for f in FINGERS]
    return hand.data.xanchor[:24] - origin, hand.data.xaxis[:24].copy(), np.array(tips) - origin


def nearest_joint(model, body):
    """The last joint on the way from the world to `body`, the body's own included; None above the first joint."""
    while body > 0:
        if model.body_jntnum[body] > 0:
            return model.body_jntadr[body] + model.body_jntnum[body] - 1
        body = model.body_parentid[body]
    return None


def parent(model, joint):
    """The joint that moves `joint`'s anchor."""
    body = model.jnt_bodyid[joint]
    if joint > model.body_jntadr[body]:
        return joint - 1
    return nearest_joint(model, model.body_parentid[body])


def name(joint):
    return None if joint is None else JOINTS[joint]


def numbers(values):
    """9 decimals: a nanometre, and far below the 1e-6 to which axes must be unit vectors."""
    return [round(float(v), 9) + 0.0 for v in values]


def main():
    hand = Hand()
    model = hand.model
    assert not model.qpos0[:24].any(), "angles count from the model's reference pose, which must be zero"
    anchors, axes, tips = place(hand, np.zeros(24))
    hand_on = [nearest_joint(model, model.site(f"robot0:S_{f.lower()}tip").bodyid[0]) for f in FINGERS]
    forearm = hand.data.body("robot0:forearm").xpos - hand.data.xanchor[0]
    skeleton = {
        "name": "shadow_hand",
        "joints": [
            {"name": JOINTS[j], "parent": name(parent(model, j)), "anchor": numbers(anchors[j]),
             "axis": numbers(axes[j]), "limits": numbers(model.jnt_range[j])} for j in range(24)],
        "ends": [{"name": "forearm", "joint": None, "at": numbers(forearm / np.linalg.norm(forearm) * FOREARM)}]
        + [{"name": f + "tip", "joint": name(j), "at": numbers(t)} for f, j, t in zip(FINGERS, hand_on, tips)],
    }
    with open(f"{HERE}/../hand_gestures/skeleton.json", "w") as out:
        out.write(pretty(skeleton))

    rng = np.random.default_rng(7)
    low, high = model.jnt_range[:24].T
    poses = []
    for _ in range(8):
        angles = np.round(rng.uniform(low, high), 6)
        anchors, _, tips = place(hand, angles)
        poses.append({"angles": angles.tolist(), "anchors": list(map(numbers, anchors)), "tips": list(map(numbers, tips))})
    golden = {"source": f"data/generate/geometry.py, mujoco {mujoco.__version__}",
              "channels": [f"q_{j}" for j in JOINTS], "tips": [f + "tip" for f in FINGERS], "poses": poses}
    with open(f"{HERE}/../../tests/data/hand_poses.json", "w") as out:
        out.write(pretty(golden))


def pretty(tree):
    """JSON with one line per joint, end or pose."""
    parts = []
    for key, value in tree.items():
        if isinstance(value, list) and isinstance(value[0], dict):
            rows = ",\n".join("  " + json.dumps(row) for row in value)
            parts.append(f' {json.dumps(key)}: [\n{rows}\n ]')
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
