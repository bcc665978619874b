"""Trials of `tune` and `ablate`: one training scored on validation episodes, kept in a file so that a run can go on."""
import concurrent.futures, json, os, pathlib, subprocess, sys, threading, zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Models and their presets; any other name is a baseline's.
PRESETS = {"ebm": "denoising", "igebm": "igebm", "recovery": "recovery", "temporal": "temporal"}


class Trials:
    """Runs `(name, point, log, seed)` and remembers the metrics of each, for this horizon, in OUT/trials.jsonl."""

    def __init__(self, out, binary, ignore, horizon):
        self.out, self.binary, self.ignore, self.horizon = out, binary, ignore, horizon
        out.mkdir(parents=True, exist_ok=True)
        self.record, self.done, self.extra, self.locks = out / "trials.jsonl", {}, {}, {}
        if self.record.exists():
            for line in open(self.record):
                trial = json.loads(line)
                self.done[tuple(trial["key"])] = trial["metrics"]

    def key(self, name, point, log, seed=0):
        return (name, json.dumps(point), log.name, seed, self.horizon)

    def of(self, name, point, log, seed=0):
        """Metrics of a trial that was done; nothing of one that failed."""
        return self.done.get(self.key(name, point, log, seed), {})

    def call(self, *args):
        env = os.environ | {"RAYON_NUM_THREADS": "1"}
        return subprocess.run([self.binary, "-q", *map(str, args)], env=env, check=True, capture_output=True, text=True)

    def flags(self, log):
        if log not in self.extra:
            head = subprocess.run(["sh", "-c", f"gzip -cdf '{log}' | head -1"], capture_output=True, text=True).stdout
            self.extra[log] = ["--skip-short"] + (["--ignore", self.ignore] if self.ignore in head else [])
        return self.extra[log]

    def folder(self, name, point, log, seed):
        stem = f"{name}.{zlib.crc32(json.dumps((name, point, log.name, seed)).encode()):08x}"
        out = self.out / log.name.split(".")[0] / stem
        out.mkdir(parents=True, exist_ok=True)
        return out

    def report(self, model, log, out, baselines, *more):
        horizon = ["--horizon", self.horizon] if self.horizon else []
        self.call("report", model, log, "--on", "validation", "--baselines", baselines, *horizon, *more, "-o", out)

    def run(self, name, point, log, seed=0):
        """Metrics on the validation episodes."""
        out = self.folder(name, point, log, seed)
        if name in PRESETS:
            # How chunks are drawn (`sampler.KEY`) needs no training of its own.
            learned = {key: value for key, value in point.items() if not key.startswith("sampler.")}
            sampler = [f"--sampler={key.removeprefix('sampler.')}={value}" for key, value in point.items() if key not in learned]
            model, preset = self.folder(name, learned, log, seed) / "model.safetensors", PRESETS[name]
            sets = [f"--set={key}={value}" for key, value in learned.items()]
            with self.locks.setdefault(model, threading.Lock()):
                if not model.exists():
                    self.call("train", log, "-o", model, "--overwrite", "--preset", preset, "--seed", seed, *sets, *self.flags(log))
            label = ["--label", self.ignore] if "--ignore" in self.flags(log) else []
            self.report(model, log, out, "none", "--seed", seed, *sampler, *label)
            key = "ebm"
        else:
            # A report is about a model; the baseline does not depend on this one.
            base, key = self.out / log.name.split(".")[0] / "base.safetensors", name
            sets = [f"--baseline-set={name}.{key}={value}" for key, value in point.items()]
            self.report(base, log, out, name, *sets)
        report = json.load(open(out / "report.json"))
        metrics = {metric: result["mean"] for metric, result in report["forecasters"][key].items()}
        return metrics | {"train_seconds": report["cost"][key]["train_seconds"]}

    def all(self, jobs, workers):
        for log in {job[2] for job in jobs}:
            base = self.out / log.name.split(".")[0] / "base.safetensors"
            if not base.exists():
                base.parent.mkdir(parents=True, exist_ok=True)
                self.call("train", log, "-o", base, "--set", "train.steps=50", *self.flags(log))

        failed = []

        def work(job):
            if self.key(*job) in self.done:
                return
            try:
                metrics = self.run(*job)
            except subprocess.CalledProcessError as error:
                failed.append(f"{job[:2]} on {job[2].name}: {error.stderr.strip()[:300]}")
                print(failed[-1], file=sys.stderr, flush=True)
                return
            self.done[self.key(*job)] = metrics
            with open(self.record, "a") as file:
                file.write(json.dumps({"key": self.key(*job), "metrics": metrics}) + "\n")
            print(f"{job[0]:10} {job[2].name:26} {metrics['energy_score']:.4f} {job[1]}", flush=True)

        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, jobs))
        if failed:
            sys.exit(f"{len(failed)} of {len(jobs)} trials failed")
