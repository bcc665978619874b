"""Poses of robots by two implementations that are not ours, for tests/poses.rs of ebmotion-robot.

    pip install yourdfpy==0.0.60 pin==4.1.0
    python make.py URDF_FOLDER OUT_FOLDER            a few poses of the finger tips and tools: the files of this folder
    python make.py URDF_FOLDER OUT_FOLDER 1000       as many poses of every link

URDF_FOLDER has a folder for each robot. Joint values are drawn within their limits; yourdfpy moves the mimic joints by
itself, Pinocchio is given their values. Both have to agree to 1e-9 before anything is written.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pinocchio
import yourdfpy

ROBOTS = [
    "allegro_hand/allegro_hand_right.urdf",
    "iiwa7/iiwa7.urdf",
    "leap_hand/leap_hand_right.urdf",
    "schunk_hand/schunk_svh_hand_right.urdf",
    "ur10e/ur10e.urdf",
    "ur5e/ur5e.urdf",
]


def quaternion(rotation):
    """(w, x, y, z) of a rotation matrix."""
    x, y, z, w = pinocchio.Quaternion(rotation).coeffs()
    return [w, x, y, z]


def by_pinocchio(model, data, robot, values, links):
    """4 x 4 matrices; the values of mimic joints by their definition."""
    q = pinocchio.neutral(model)
    known = dict(values)
    for joint in robot.robot.joints:
        if joint.mimic is not None:
            known[joint.name] = joint.mimic.multiplier * values[joint.mimic.joint] + joint.mimic.offset
    for name, value in known.items():
        joint = model.joints[model.getJointId(name)]
        if joint.nq == 2:  # continuous: cosine and sine
            q[joint.idx_q : joint.idx_q + 2] = np.cos(value), np.sin(value)
        else:
            q[joint.idx_q] = value
    pinocchio.framesForwardKinematics(model, data, q)
    return [data.oMf[model.getFrameId(link)].homogeneous for link in links]


def poses(path, count, rng):
    robot = yourdfpy.URDF.load(str(path), load_meshes=False, load_collision_meshes=False)
    model = pinocchio.buildModelFromUrdf(str(path))
    data = model.createData()
    joints = robot.actuated_joints
    parents = {joint.parent for joint in robot.robot.joints}
    links = [link.name for link in robot.robot.links]
    if count is None:
        links = [link for link in links if link not in parents]
    found = []
    for _ in range(count or 6):
        values = {}
        for joint in joints:
            low, high = (joint.limit.lower, joint.limit.upper) if joint.limit else (-np.pi, np.pi)
            values[joint.name] = float(rng.uniform(low, high))
        robot.update_cfg(values)
        ours = [robot.get_transform(link) for link in links]
        other = by_pinocchio(model, data, robot, values, links)
        # yourdfpy places links against its base link, Pinocchio against the world, which is the root.
        off = max(np.abs(a - b).max() for a, b in zip(ours, other))
        assert off < 1e-9, (path, off)
        rows = [[*matrix[:3, 3], *quaternion(matrix[:3, :3])] for matrix in ours]
        values = [values[joint.name] for joint in joints]
        found.append({"values": values, "links": [[round(float(v), 12) for v in row] for row in rows]})
    made = f"yourdfpy {yourdfpy.__version__}, pinocchio {pinocchio.__version__}"
    return {"made_with": made, "joints": [joint.name for joint in joints], "links": links, "poses": found}


def main():
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else None
    for number, robot in enumerate(ROBOTS):
        result = poses(folder / robot, count, np.random.default_rng(number))
        path = out / Path(robot).with_suffix(".json").name
        path.write_text(json.dumps(result) + "\n")
        print(path, len(result["poses"]), "poses of", len(result["links"]), "links")


main()
