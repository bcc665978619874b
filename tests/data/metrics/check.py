#!/usr/bin/env python3
"""Computes the expected values beside this script anew from the inputs in the same files, with other people's software.

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 arviz==0.23.4
    venv/bin/python tests/data/metrics/check.py

Prints the largest difference of each quantity and fails where one is beyond its tolerance.
"""
import gzip
import json
import sys
from pathlib import Path

import arviz
import numpy as np
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

worst = {}


def read(name):
    """The cases of a file: a list, or an object with the list under `cases`."""
    with gzip.open(Path(__file__).parent / f"{name}.json.gz") as file:
        whole = json.load(file)
    return whole["cases"] if isinstance(whole, dict) else whole


def compare(what, found, expected, tolerance):
    error = abs(found - expected) / max(1.0, abs(expected))
    worst[what] = max(worst.get(what, (0.0, tolerance)), (error, tolerance))


for case in read("frechet_gaussians"):
    mu1, s1, mu2, s2 = (np.array(case[key]) for key in ("mu1", "sigma1", "mu2", "sigma2"))
    root = np.trace(sqrtm(s1 @ s2)).real
    found = np.sum((mu1 - mu2) ** 2) + np.trace(s1) + np.trace(s2) - 2.0 * root
    # The square root of a singular product turns a rounding of 1e-16 into one of 1e-8 a dimension.
    singular = case["kind"] == "singular"
    what = "Fréchet distance" + (", singular" if singular else "")
    compare(what, found, case["frechet_distance_squared"], 1e-5 if singular else 1e-9)

for case in read("two_sample"):
    x, y = np.array(case["X"]), np.array(case["Y"])
    found = 2.0 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean()
    compare("energy distance", found, case["energy_distance_squared_vstat"], 1e-12)

for case in read("auroc"):
    labels, scores = np.array(case["labels"]), np.array(case["scores"])
    false_positives, true_positives, _ = roc_curve(labels, scores, drop_intermediate=False)
    compare("AUROC", roc_auc_score(labels, scores), case["auroc"], 1e-12)
    compare("average precision", average_precision_score(labels, scores), case["average_precision"], 1e-12)
    compare("FPR at 95 % TPR", false_positives[true_positives >= 0.95].min(), case["fpr_at_95_tpr"], 1e-12)

for case in read("mcmc_diagnostics"):
    draws = np.array(case["draws"])
    for method in ("bulk", "tail", "mean"):
        compare(f"ESS, {method}", float(arviz.ess(draws, method=method)), case[f"ess_{method}"], 1e-9)
    for method in ("rank", "split"):
        compare(f"R-hat, {method}", float(arviz.rhat(draws, method=method)), case[f"rhat_{method}"], 1e-9)
    compare("MCSE of the mean", float(arviz.mcse(draws, method="mean")), case["mcse_mean"], 1e-9)

for what, (error, tolerance) in worst.items():
    print(f"{what}: {error:.1e} (at most {tolerance:.0e})")
sys.exit(any(not error <= tolerance for error, tolerance in worst.values()))
