"""How fast a Parquet log is read: ebmotion beside pyarrow and pandas, in turns.

    cargo build --release -p ebmotion-logs --all-features --example read
    python benches/peers/tables.py [--rounds 3] [--rows 800000]

A log of 30 channels of random walks and 400 episodes is made once in a temporary folder: about 200 MB, with pyarrow's
own settings. Each side reads it into numbers in memory; the start of a process and its imports do not count. ebmotion
also hashes the file, checks every cell and every time step, and sorts the rows into episodes. `pyarrow` and `pandas`
leave it at columns in memory; `to rows` goes on to what ebmotion gives, but for the hash: an array (rows, channels) of
`f64`, all cells finite, and a part of it for each episode, in which time ascends. Processor seconds are of all threads,
of ours with the start of its process and a sum of all numbers: on a machine that others use they say more than seconds
do.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

OURS = Path(__file__).parents[2] / "target/release/examples/read"
PEERS = {
    "pyarrow": "import pyarrow.parquet as pq, pyarrow.dataset; read = lambda p: pq.read_table(p)",
    "pandas": "import pandas, pyarrow.dataset, pyarrow.parquet; read = lambda p: pandas.read_parquet(p)",
}
PEERS["pandas, to rows"] = f"""{PEERS["pandas"]}
import numpy as np
def rows(p, table=read):
    table = table(p)
    episode, time = table.pop("episode").to_numpy(), table.pop("time [s]").to_numpy()
    values = table.to_numpy(dtype=np.float64)
    ends = np.flatnonzero(np.diff(episode)) + 1
    episodes = list(zip(np.split(time, ends), np.split(values, ends)))
    assert np.isfinite(values).all() and all((np.diff(time) > 0).all() for time, _ in episodes)
    return time
read = rows"""


def make(path, rows):
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    length = rows // 400
    columns = {
        "episode": np.repeat(np.arange(400), length),
        "time [s]": np.tile(np.arange(length) / 100, 400),
    }
    for channel in range(30):
        columns[f"q_{channel} [rad]"] = rng.normal(size=400 * length).cumsum() / 100
    pq.write_table(pa.table(columns), path)


def seconds(side, path):
    """Seconds, and processor seconds."""
    if side == "ours":
        command = [str(OURS), str(path)]
    else:
        clocks = "(time.perf_counter(), time.process_time())"
        code = f"import sys, time\n{PEERS[side]}\nb = {clocks}\nt = read(sys.argv[1])\ne = {clocks}"
        told = "print(f'{{\"rows\": {len(t)}, \"secs\": {e[0] - b[0]}, \"processor\": {e[1] - b[1]}}}')"
        command = [sys.executable, "-c", f"{code}\n{told}", str(path)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return told["secs"], told.get("processor", used)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=800_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        make(path, args.rows)
        megabytes = path.stat().st_size / 1e6
        # Once each for nothing: the file is in the system's cache for all.
        taken = {side: [] for side in ["ours", *PEERS]}
        for side in taken:
            seconds(side, path)
        for _ in range(args.rounds):
            for side in taken:
                taken[side].append(seconds(side, path))
    print(f"{megabytes:.0f} MB; MB/s in each round")
    for side, times in taken.items():
        rates = [megabytes / t for t, _ in times]
        ratios = [t / o for (t, _), (o, _) in zip(times, taken["ours"])]
        shares = [p / o for (_, p), (_, o) in zip(times, taken["ours"])]
        used = statistics.median(p for _, p in times)
        shown = " ".join(f"{rate:7.0f}" for rate in rates)
        ratio = f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
        print(f"{side:15} {shown}   seconds over ours {ratio}")
        shown = f"{statistics.median(shares):.2f} [{min(shares):.2f}, {max(shares):.2f}]"
        print(f"{'':15} {used:.2f} processor seconds, over ours {shown}")


main()
