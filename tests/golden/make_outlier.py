"""Distances of rows from others, by scikit-learn 1.9.1 and NumPy.

    python tests/golden/make_outlier.py > tests/golden/outlier.json

Call: sklearn.covariance.LedoitWolf(store_precision=False).fit(u) on u = asinh((v - mean) / std) of the training rows, v the
values or, in columns above 0 throughout, their logarithms; expected: sqrt((q - mean u)' inverse(covariance) (q - mean u) / k).
"""

import json

import numpy as np
from sklearn.covariance import LedoitWolf

rng = np.random.RandomState(7)
n, k = 40, 6
base = rng.standard_normal((n, 3)) @ rng.standard_normal((3, k)) + 0.3 * rng.standard_normal((n, k))
base[:, 3:] = np.exp(base[:, 3:] - 4)  # powers: three columns above 0
rows = np.round(base, 6)
queries = np.round(np.vstack([rows[:3], rows.mean(axis=0), 5 * rows[4], np.full(k, 1e-12), -10 * rows[6]]), 6)


def view(logs):
    floors = np.where(rows.min(axis=0) > 0, rows.min(axis=0) * 1e-6, 0) * logs
    # the library keeps floors in single precision
    floors = floors.astype(np.float32).astype(float)

    def values(x):
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(floors > 0, np.log(np.maximum(x, floors)), x)

    v = values(rows)
    center, spread = v.mean(axis=0), v.std(axis=0)
    u = np.arcsinh((v - center) / spread)
    covariance = LedoitWolf(store_precision=False).fit(u).covariance_
    q = np.arcsinh((values(queries) - center) / spread) - u.mean(axis=0)
    return np.sqrt(np.einsum("ij,ij->i", q @ np.linalg.inv(covariance), q) / k)


print(json.dumps({
    "tool": "scikit-learn 1.9.1, NumPy",
    "call": "LedoitWolf().fit(asinh(standardised)), Mahalanobis distance / sqrt(k)",
    "tolerance": 1e-4,
    "rows": rows.tolist(),
    "queries": queries.tolist(),
    "distances": np.stack([view(0), view(1)], axis=1).tolist(),
}))
