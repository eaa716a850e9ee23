"""Golden of scikit-learn's MLPClassifier for study 004's rules: python make_mlp.py > mlp.json (scikit-learn 1.9.1).

Two trainings: one to its end by `tol`, batches of 32 of 70 rows (the last of 6); one whose single batch is smaller than
`batch_size`.
"""

import json
import warnings

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

warnings.filterwarnings("ignore")
rng = np.random.RandomState(7)
n, inputs, classes = 70, 6, 3
y = rng.randint(0, classes, n)
x = (rng.normal(size=(n, inputs)) + y[:, None] * np.array([1, -1, 0.5, 0, 0, 0.3])).astype(np.float32)


def run(seed, rows, batch_size, tol, max_iter, alpha):
    model = MLPClassifier(
        hidden_layer_sizes=(8,), alpha=alpha, batch_size=batch_size, learning_rate_init=0.01, epsilon=1e-8,
        tol=tol, max_iter=max_iter, random_state=seed)
    model.fit(x[:rows].astype(np.float64), y[:rows])
    return {
        "seed": seed, "rows": rows, "batch_size": batch_size, "tol": tol, "max_iter": max_iter, "alpha": alpha,
        "n_iter": model.n_iter_, "loss_curve": model.loss_curve_,
        "probabilities": model.predict_proba(x[:5].astype(np.float64)).ravel().tolist(),
    }


print(json.dumps({
    "sklearn": sklearn.__version__,
    "x": [float(v) for v in x.ravel()], "y": y.tolist(), "inputs": inputs, "classes": classes, "hidden": 8,
    "runs": [run(3, 70, 32, 1e-3, 500, 0.5), run(4, 40, 256, 1e-4, 25, 2.0)],
}))
