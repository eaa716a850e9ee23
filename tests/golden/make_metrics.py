"""Makes metrics.json: scores of scikit-learn and quantiles of SciPy for tests/training/.

pip install numpy==2.4.6 scikit-learn==1.9.1 scipy==1.17.1 && python tests/golden/make_metrics.py
"""

import json
import warnings
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, classification_report, confusion_matrix, log_loss

warnings.simplefilter("ignore")
rng = np.random.RandomState(5)
emotions = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
cases = []
for i in range(30):
    k = int(rng.randint(2, 9))
    n = int(rng.randint(3, 80))
    names = emotions[:k]
    truth_set = names[: max(1, k - i % 3)]  # some labels without test rows
    pred_set = names[i % 2 :]  # some never predicted
    truth = [truth_set[j] for j in rng.randint(0, len(truth_set), n)]
    pred = [t if rng.random_sample() < 0.5 and t in pred_set else pred_set[j] for t, j in zip(truth, rng.randint(0, len(pred_set), n))]
    p = rng.dirichlet(np.ones(k), n)
    if i % 4 == 0:
        p[0] = 0
        p[0, 0] = 1
    report = classification_report(truth, pred, zero_division=0, output_dict=True)
    cases.append({
        "labels": names, "truth": truth, "prediction": pred, "p": [[float(v) for v in row] for row in p] if n < 25 else None,
        "confusion": confusion_matrix(truth, pred, labels=names).tolist(),
        "report": report, "uar": float(balanced_accuracy_score(truth, pred)),
        "text": classification_report(truth, pred, zero_division=0),
        "text4": classification_report(truth, pred, zero_division=0, digits=4),
        "logLoss": float(log_loss(truth, p[:, np.argsort(names)], labels=sorted(names))) if n < 25 else None,
    })

t = [[q, int(df), float(stats.t.ppf(q, df))] for q in (0.6, 0.8, 0.9, 0.95, 0.975, 0.995, 0.9995) for df in (1, 2, 3, 4, 5, 8, 23, 90, 1000)]
wilson = []
for n in (1, 2, 5, 36, 154, 192, 288, 2233):
    for k in sorted({0, 1, n // 3, n // 2, n - 1, n}):
        ci = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
        wilson.append([k, n, float(ci.low), float(ci.high)])

flips = []
for k in (6, 7, 10, 13):
    d = rng.normal(0.03, 0.1, k).round(3)
    # Every sign given to every difference: scipy's permutation test with permutation_type 'samples'.
    r = stats.permutation_test((d,), lambda x, axis: np.mean(x, axis=axis), permutation_type="samples", n_resamples=np.inf, vectorized=True)
    flips.append({"differences": d.tolist(), "p": float(r.pvalue)})

out = {"made": f"numpy {np.__version__}, scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, make_metrics.py", "cases": cases, "t": t, "wilson": wilson, "flips": flips}
Path(__file__).with_name("metrics.json").write_text(json.dumps(out) + "\n")
