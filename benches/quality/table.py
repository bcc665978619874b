#!/usr/bin/env python3
"""The table of a report in short: python benches/quality/table.py report/report.json ...

A figure is followed by what the paired bootstrap says of `ebm` against that forecaster: + better, - worse, nothing where
they are tied.
"""
import json, sys

METRICS = {
    "energy_score": "energy score", "crps": "CRPS", "variogram_score": "variogram", "ade_best20": "ADE20",
    "segment_energy_distance": "segment ED", "frechet_position": "Fréchet pos.", "frechet_velocity": "Fréchet vel.",
    "frechet_window": "Fréchet window", "mode_gap": "mode gap", "calibration_error": "calibration",
    "limit_violations": "beyond range",
}


def number(v):
    return f"{v:.3g}" if abs(v) < 100 else f"{v:.0f}"


for path in sys.argv[1:]:
    report = json.load(open(path))
    forecasters, protocol = report["forecasters"], report["protocol"]
    metrics = [m for m in METRICS if m in forecasters["ebm"]]
    seeds = len(forecasters["ebm"]["energy_score"].get("by_seed", [])) or 1
    print(f"{protocol['episodes']} episodes, {protocol['windows']['test']} test windows, {seeds} training seeds\n")
    print("| | " + " | ".join(METRICS[m] for m in metrics) + " | training [s] | ms a window |\n|---|" + "---|" * (len(metrics) + 2))
    for name in sorted(forecasters, key=lambda n: (n != "ebm", forecasters[n]["energy_score"]["mean"])):
        cells = []
        for m in metrics:
            best = min(f[m]["mean"] for f in forecasters.values())
            figure = forecasters[name][m]["mean"]
            text = f"**{number(figure)}**" if figure == best else number(figure)
            verdict = report.get("comparisons", {}).get(name, {}).get(m, {}).get("verdict")
            cells.append(text + {"better": " +", "worse": " -"}.get(verdict, ""))
        cost = report["cost"][name]
        print(f"| {name} | {' | '.join(cells)} | {cost['train_seconds']:.0f} | {cost['ms_per_window']:.2g} |")
    floor = [number(report["floor"][m]["mean"]) + " [" + ", ".join(number(v) for v in report["floor"][m]["interval"]) + "]"
             if m in report["floor"] else "" for m in metrics]
    print(f"| floor | {' | '.join(floor)} | | |\n")
