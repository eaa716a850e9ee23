"""Makes gamma.json: gamma and beta numbers of numpy.random.RandomState for tests/random_gamma_test.ts.

pip install numpy==2.1.3 && python tests/golden/make_gamma.py
"""

import json
from pathlib import Path

import numpy as np

cases = []
for seed in [0, 1, 42, 2**32 - 1]:
    for shape in [0.001, 0.2, 0.5, 0.9999, 1.0, 1.0001, 2.0, 7.3, 1000.0]:
        r = np.random.RandomState(seed)
        cases.append({"seed": seed, "gamma": shape, "values": r.gamma(shape, 2.5, size=12).tolist(), "next": r.random_sample()})
    for a, b in [(0.2, 0.2), (0.4, 0.4), (1.0, 1.0), (1.0, 0.3), (0.001, 0.001), (2.0, 2.0), (0.5, 3.0), (8.0, 0.7)]:
        r = np.random.RandomState(seed)
        cases.append({"seed": seed, "beta": [a, b], "values": r.beta(a, b, size=12).tolist(), "next": r.random_sample()})

out = {"made": f"numpy {np.__version__}, make_gamma.py", "cases": cases}
Path(__file__).with_name("gamma.json").write_text(json.dumps(out) + "\n")
