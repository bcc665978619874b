#!/usr/bin/env python3
"""Reading joint states from logs of ROS: ours beside the Python packages, in turns.

    pip install mcap==1.6.0 mcap-ros2-support==0.6.0 rosbags==0.11.9 numpy
    benches/peers/ros.py make FOLDER      # about 100 MB a file
    cargo build --release -p ebmotion-logs --features ros --example read
    benches/peers/ros.py compare FOLDER [ROUNDS]

Every side reads positions, velocities, efforts and stamps into one array of numbers; their sums must agree. Seconds are
those of the processor, user and system, of a process each; what a peer spends on starting and importing is left out.
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import time

import numpy as np

JOINTS = [f"arm_{side}_joint_{k}" for side in ("left", "right") for k in range(13)]
MESSAGES = 80_000
START = 1_700_000_000_000_000_000
STEP = 5_000_000
TEXT = """std_msgs/Header header
string[] name
float64[] position
float64[] velocity
float64[] effort
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
"""


def messages(ros1=False):
    """Stamps and messages: little-endian CDR, or as ROS 1 has them, with a sequence number and nothing aligned."""
    count = struct.pack("<I", len(JOINTS))
    align = (lambda body, to: body) if ros1 else (lambda body, to: body + b"\0" * (-len(body) % to))
    zero = b"" if ros1 else b"\0"
    phases = np.random.default_rng(0).uniform(0, 6, (3, len(JOINTS)))
    for k in range(MESSAGES):
        stamp = START + k * STEP
        body = struct.pack("<I", k) if ros1 else b""
        body += struct.pack("<II", stamp // 10**9, stamp % 10**9)
        for text in ["", None, *JOINTS]:
            body = align(body, 4)
            body += count if text is None else struct.pack("<I", len(text) + len(zero)) + text.encode() + zero
        for phase in phases:
            body = align(align(body, 4) + count, 8)
            body += np.sin(phase + k * 0.003 * (1 + phase)).astype("<f8").tobytes()
        yield stamp, body if ros1 else b"\0\1\0\0" + body


def make(folder):
    from mcap.writer import CompressionType, Writer
    from rosbags.rosbag1 import Writer as Writer1
    from rosbags.rosbag2 import Writer as Writer2
    from rosbags.rosbag2.enums import StoragePlugin
    from rosbags.typesys import Stores, get_typestore

    ros2, ros1 = get_typestore(Stores.ROS2_HUMBLE), get_typestore(Stores.ROS1_NOETIC)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ["none", "zstd"]:
        with open(folder / f"{name}.mcap", "wb") as file:
            writer = Writer(file, compression=getattr(CompressionType, name.upper()))
            writer.start(profile="ros2")
            schema = writer.register_schema("sensor_msgs/msg/JointState", "ros2msg", TEXT.encode())
            channel = writer.register_channel("/joint_states", "cdr", schema)
            for stamp, data in messages():
                writer.add_message(channel, stamp, data, stamp)
            writer.finish()
    kind = "sensor_msgs/msg/JointState"
    with Writer2(folder / "sqlite", version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connection = writer.add_connection("/joint_states", kind, typestore=ros2)
        for stamp, data in messages():
            writer.write(connection, stamp, data)
    with Writer1(folder / "ros1.bag") as writer:
        connection = writer.add_connection("/joint_states", kind, typestore=ros1)
        for stamp, ros1_data in messages(ros1=True):
            writer.write(connection, stamp, ros1_data)


def row(message):
    stamp = message.header.stamp
    second = stamp.sec + stamp.nanosec / 1e9
    return second, np.concatenate([message.position, message.velocity, message.effort])


def with_mcap(path):
    from mcap_ros2.reader import read_ros2_messages

    return [row(m.ros_msg) for m in read_ros2_messages(str(path))]


def with_rosbags(path):
    from rosbags.highlevel import AnyReader
    from rosbags.typesys import Stores, get_typestore

    with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_HUMBLE)) as reader:
        return [row(reader.deserialize(data, c.msgtype)) for c, _, data in reader.messages()]


def peer(kind, path):
    """In a process of its own: seconds and the values' sum."""
    import mcap_ros2.reader  # noqa: F401
    import rosbags.highlevel  # noqa: F401

    start = time.process_time()
    rows = {"mcap-ros2-support": with_mcap, "rosbags": with_rosbags}[kind](path)
    times, values = np.array([r[0] for r in rows]), np.stack([r[1] for r in rows])
    seconds = time.process_time() - start
    print(json.dumps({"seconds": seconds, "rows": len(times), "sum": float(values.sum())}))


def ours(path):
    folder = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", pathlib.Path(__file__).parents[2] / "target"))
    program = subprocess.Popen([folder / "release/examples/read", path], stdout=subprocess.PIPE, text=True)
    printed = program.stdout.read()
    _, status, used = os.wait4(program.pid, 0)
    assert status == 0, printed
    found = json.loads(printed)
    return used.ru_utime + used.ru_stime, found["rows"], found["sum"]


def compare(folder, rounds):
    cases = {
        "none.mcap": ["mcap-ros2-support"],
        "zstd.mcap": ["mcap-ros2-support"],
        "sqlite": ["rosbags"],
        "ros1.bag": ["rosbags"],
    }
    for name, peers in cases.items():
        path = folder / name
        size = sum(f.stat().st_size for f in ([path] if path.is_file() else path.iterdir())) / 1e6
        times = {"ours": [], **{p: [] for p in peers}}
        for _ in range(rounds):
            seconds, rows, total = ours(path)
            times["ours"].append(seconds)
            for p in peers:
                out = json.loads(subprocess.check_output([sys.executable, __file__, "peer", p, path], text=True))
                assert out["rows"] == rows and abs(out["sum"] - total) < 1e-6, (out, rows, total)
                times[p].append(out["seconds"])
        for side, seconds in times.items():
            speeds = ", ".join(f"{size / s:.1f}" for s in seconds)
            ratio = [s / o for s, o in zip(seconds, times["ours"])]
            print(f"{name} ({size:.0f} MB) {side}: {speeds} MB/s; times our time {sorted(ratio)[len(ratio) // 2]:.1f}")


def main():
    match sys.argv[1:]:
        case ["make", folder]:
            make(pathlib.Path(folder))
        case ["compare", folder, *rounds]:
            compare(pathlib.Path(folder), int(rounds[0]) if rounds else 3)
        case ["peer", kind, path]:
            peer(kind, pathlib.Path(path))
        case _:
            sys.exit(__doc__)


main()
