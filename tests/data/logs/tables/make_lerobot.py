"""Makes `lerobot_v30` beside this script with LeRobot itself, and two of its files as an edit may leave them.

    pip install lerobot==0.4.4
    HF_HUB_OFFLINE=1 python3 tests/data/logs/tables/make_lerobot.py

Frame `r` of episode `e` has the state `e + k + r / 8`, `k` from 0 to 2, and half of that more as its action.
"""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from lerobot.datasets.lerobot_dataset import LeRobotDataset

HERE = Path(__file__).parent
NAMES = ["shoulder.pos", "elbow.pos", "gripper.pos"]

shutil.rmtree(HERE / "lerobot_v30", ignore_errors=True)
features = {
    "observation.state": {"dtype": "float32", "shape": (3,), "names": NAMES},
    "action": {"dtype": "float32", "shape": (3,), "names": NAMES},
    "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
}
dataset = LeRobotDataset.create(
    "ebmotion/v30", fps=30, root=HERE / "lerobot_v30", robot_type="so100", use_videos=False, features=features
)
for episode, rows in enumerate([20, 25, 15]):
    for row in range(rows):
        state = (episode + np.arange(3) + row / 8).astype("f4")
        frame = {"observation.state": state, "action": state + 0.5, "next.reward": np.zeros(1, "f4"), "task": "pick"}
        dataset.add_frame(frame)
    dataset.save_episode()
dataset.finalize()

# Rows of an episode that was recorded anew are left at the end of the file, and one row has an old number.
name = "data/chunk-000/file-000.parquet"
table = pq.read_table(HERE / "lerobot_v30" / name).replace_schema_metadata(None)
left = table.slice(20, 4)
left = left.set_column(left.schema.get_field_index("index"), "index", pa.array(np.arange(90, 94)))
beyond = table.slice(44, 1)
beyond = beyond.set_column(beyond.schema.get_field_index("frame_index"), "frame_index", pa.array([25]))
pq.write_table(pa.concat_tables([table, left, beyond]), HERE / "lerobot_v30_orphans.parquet", store_schema=False)
without = pa.concat_tables([table.slice(0, 30), table.slice(31)])
pq.write_table(without, HERE / "lerobot_v30_missing.parquet", store_schema=False)
# LeRobot's statistics are most of the list of episodes, and are not read.
name = HERE / "lerobot_v30/meta/episodes/chunk-000/file-000.parquet"
episodes = pq.read_table(name)
keep = [c for c in episodes.column_names if not c.startswith("stats/")]
pq.write_table(episodes.select(keep), name)
