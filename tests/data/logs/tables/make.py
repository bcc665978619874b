"""Makes the small logs beside this script, with other people's writers: the readers are tested on them.

    pip install numpy==2.4.6 pyarrow==26.0.1 h5py==3.16.0
    python3 tests/data/logs/tables/make.py [G1_INSPIRE]

`G1_INSPIRE` is the folder of the LeRobot dataset of a Unitree G1 (version 2.1) of which the first frames of two episodes
are kept. `lerobot_v30` is written by LeRobot itself: `make_lerobot.py`.

Row `r` of every synthetic log is at `r / 50` s. Column `k` holds `k + r / 8`: exact in every type of number.
"""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
ROWS = 40
TIME = np.arange(ROWS) / 50


def column(k, rows=ROWS):
    return k + np.arange(rows) / 8


def block(first, width, rows=ROWS):
    return np.stack([column(first + k, rows) for k in range(width)], 1)


def parquet():
    x, y = pa.array(column(0)), pa.array(column(1))
    plain = pa.table({"time": pa.array(TIME), "x [m]": x, "y": y})
    ways = {
        "none": {"compression": "none", "use_dictionary": False},
        "snappy_dictionary": {"compression": "snappy"},
        "gzip": {"compression": "gzip"},
        "lz4": {"compression": "lz4"},
        "zstd_pages_v2": {"compression": "zstd", "data_page_version": "2.0"},
        "split_streams": {
            "use_dictionary": False,
            "column_encoding": {n: "BYTE_STREAM_SPLIT" for n in plain.column_names},
        },
        "row_groups": {"row_group_size": 7, "data_page_size": 64},
    }
    for name, options in ways.items():
        pq.write_table(plain, HERE / f"{name}.parquet", **options)

    whole = np.arange(ROWS)
    kinds = {
        "episode": pa.array(["a"] * 25 + ["b"] * (ROWS - 25)),
        "time [ms]": pa.array(whole * 20, pa.int32()),
        "label": pa.array(["moving"] * ROWS),
        "stamp": pa.array(whole * 20_000, pa.timestamp("us")),
    }
    for name in ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]:
        kinds[name] = pa.array(whole, getattr(pa, name)())
    for name in ["float16", "float32", "float64"]:
        kinds[name] = pa.array(column(0).astype(name))
    kinds["bool"] = pa.array(whole % 2 == 1)
    kinds["decimal"] = pa.array(column(0)).cast(pa.decimal128(9, 3))
    kinds["list"] = pa.array(block(0, 3).tolist(), pa.list_(pa.float32()))
    kinds["fixed"] = pa.array(block(3, 2).tolist(), pa.list_(pa.float64(), 2))
    kinds["matrix"] = pa.array(block(5, 4).reshape(ROWS, 2, 2).tolist())
    kinds["pose"] = pa.array([{"x": a, "y": a + 1} for a in column(0)])
    table = pa.table(kinds)
    how = {"column_encoding": {"int64": "DELTA_BINARY_PACKED"}, "use_dictionary": ["label"]}
    pq.write_table(table, HERE / "kinds.parquet", store_decimal_as_integer=True, **how)

    holes = pa.table({
        "time": pa.array(TIME),
        "x": pa.array([None if r == 11 else float(v) for r, v in enumerate(column(0))]),
        "list": pa.array([None if r == 21 else ([v, None] if r == 30 else [v, v]) for r, v in enumerate(column(1))]),
    })
    pq.write_table(holes, HERE / "holes.parquet")
    ragged = pa.table({"time": pa.array(TIME), "list": pa.array([[1.0] * (3 if r == 9 else 2) for r in range(ROWS)])})
    pq.write_table(ragged, HERE / "ragged.parquet")
    stamps = pa.table({"when": pa.array(1_700_000_000_000_000_000 + whole * 20_000_000, pa.timestamp("ns")), "x": x})
    pq.write_table(stamps, HERE / "stamps.parquet")


def numpy():
    rest = {"actions": block(9, 2), "rewards": np.ones(ROWS), "goal": np.zeros(3)}
    np.savez(HERE / "observed.npz", observations=block(0, 3), **rest)
    np.savez_compressed(HERE / "timed.npz", t=TIME, q=block(0, 2).astype("f4"), dq=block(2, 2).astype(">f8"))
    ends = np.isin(np.arange(ROWS), [14, 39])
    np.savez(HERE / "ends.npz", observations=block(0, 2), terminals=ends)
    for kind in ["i1", "u1", "<i2", ">i2", "<u4", ">i8", "<f2", "<f4", ">f4", "<f8", ">f8", "?"]:
        name = kind.replace("<", "little_").replace(">", "big_").replace("?", "bool")
        np.save(HERE / f"{name}.npy", (np.arange(ROWS * 2).reshape(ROWS, 2) % 2).astype(kind))
    np.save(HERE / "fortran.npy", np.asfortranarray(block(0, 3)))
    np.save(HERE / "objects.npy", np.array([["a", 1]], dtype=object), allow_pickle=True)


def hdf5():
    def robomimic(path, **how):
        with h5py.File(path, "w", libver=how.pop("libver", None)) as f:
            data = f.create_group("data")
            data.attrs["env_args"] = json.dumps({"env_name": "Lift", "env_kwargs": {"control_freq": 20}})
            for i, rows in [(0, 12), (10, 9), (2, 11)]:
                demo = data.create_group(f"demo_{i}")
                demo.attrs["num_samples"] = rows
                demo.create_dataset("actions", data=block(50, 2, rows), **how)
                demo.create_dataset("dones", data=np.arange(rows) == rows - 1)
                demo.create_dataset("rewards", data=np.zeros(rows))
                demo.create_dataset("states", data=block(60, 4, rows), **how)
                for name in ["obs", "next_obs"]:
                    seen = demo.create_group(name)
                    seen.create_dataset("eef_pos", data=block(i, 3, rows), **how)
                    seen.create_dataset("joint", data=block(i + 3, 1, rows).astype("f4"), **how)
                    seen.create_dataset("camera", data=np.zeros((rows, 2, 2, 3), "u1"))
            mask = f.create_group("mask")
            mask["train"] = np.array(["demo_0", "demo_2"], dtype="S")
            mask["valid"] = np.array(["demo_10"], dtype="S")

    robomimic(HERE / "robomimic.hdf5")
    robomimic(HERE / "robomimic_latest.hdf5", libver="v110", compression="gzip")
    with h5py.File(HERE / "d4rl.hdf5", "w") as f:
        f.create_dataset("observations", data=block(0, 3).astype("f4"), compression="gzip")
        f.create_dataset("actions", data=block(9, 2).astype("f4"), compression="lzf")
        f.create_dataset("rewards", data=np.zeros(ROWS, "f4"))
        f.create_dataset("terminals", data=np.arange(ROWS) == 9)
        f.create_dataset("timeouts", data=np.isin(np.arange(ROWS), [24, 39]))
        f.create_dataset("infos/qpos", data=block(20, 2))
        f.create_dataset("metadata/algorithm", data=np.bytes_("SAC"))
    with h5py.File(HERE / "aloha.hdf5", "w") as f:
        f.attrs["sim"] = True
        f.create_dataset("observations/qpos", data=block(0, 2))
        f.create_dataset("observations/qvel", data=block(2, 2))
        f.create_dataset("observations/images/top", data=np.zeros((ROWS, 2, 2, 3), "u1"), chunks=(1, 2, 2, 3))
        f.create_dataset("action", data=block(9, 2))
    with h5py.File(HERE / "minari.hdf5", "w") as f:
        for i in range(2):
            f.create_dataset(f"episode_{i}/observations", data=block(10 * i, 2, 11))
            f.create_dataset(f"episode_{i}/actions", data=block(9, 1, 10))
            f.create_dataset(f"episode_{i}/rewards", data=np.zeros(10))
            f.create_dataset(f"episode_{i}/terminations", data=np.zeros(10, bool))
            f.create_dataset(f"episode_{i}/truncations", data=np.arange(10) == 9)


def lerobot(source):
    """The first 60 and 50 frames of two episodes of version 2.1, and their description without the cameras."""
    to = HERE / "lerobot_v21"
    (to / "meta").mkdir(parents=True, exist_ok=True)
    (to / "data/chunk-000").mkdir(parents=True, exist_ok=True)
    info = json.loads((source / "meta/info.json").read_text())
    info |= {"total_episodes": 2, "total_frames": 110, "total_videos": 0, "splits": {"train": "0:2"}}
    (to / "meta/info.json").write_text(json.dumps(info, indent=1))
    (to / "meta/tasks.jsonl").write_text((source / "meta/tasks.jsonl").read_text())
    lines = (source / "meta/episodes.jsonl").read_text().splitlines()[:2]
    with open(to / "meta/episodes.jsonl", "w") as out:
        for line, rows in zip(lines, [60, 50]):
            episode = json.loads(line) | {"length": rows}
            out.write(json.dumps(episode) + "\n")
            name = f"data/chunk-000/episode_{episode['episode_index']:06}.parquet"
            table = pq.read_table(source / name).slice(0, rows).replace_schema_metadata(None)
            pq.write_table(table, to / name, store_schema=False)


parquet()
numpy()
hdf5()
if len(sys.argv) > 1:
    lerobot(Path(sys.argv[1]))
