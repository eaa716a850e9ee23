"""Makes pca.json: principal components by scikit-learn for tests/training/pca_test.ts.

pip install numpy==2.1.3 scikit-learn==1.9.1 && python tests/golden/make_pca.py
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.decomposition import PCA

cases = []
for n, d, k in [(12, 5, 3), (6, 20, 4), (40, 40, 2), (150, 60, 2), (60, 150, 3), (2, 3, 1)]:
    i = np.arange(n * d, dtype=np.float64)
    x = (np.sin(i * i * 0.37 + i) * (1 + i % d)).reshape(n, d).astype(np.float32)
    p = PCA(n_components=k, svd_solver="full").fit(x.astype(np.float64))
    scores = p.transform(x.astype(np.float64))
    cases.append({
        "n": n, "d": d, "k": k,
        "x": [float(v) for v in x[0, :3]],
        "ratio": p.explained_variance_ratio_.tolist(),
        "components": np.round(p.components_[:, :8], 9).tolist(),
        "scores": np.round(scores[:8], 7).tolist(),
    })
out = {"made": f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, make_pca.py", "cases": cases}
Path(__file__).with_name("pca.json").write_text(json.dumps(out) + "\n")
