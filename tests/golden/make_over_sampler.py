"""Golden of imbalanced-learn's RandomOverSampler: python make_over_sampler.py > over_sampler.json (0.14, scikit-learn 1.9)."""

import json

import imblearn
import numpy as np
from imblearn.over_sampling import RandomOverSampler

cases = []
for seed, counts in [(42, [5, 9, 9]), (42, [2, 7, 4, 7]), (3, [6, 1])]:
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = np.random.RandomState(seed).permutation(labels)
    sampler = RandomOverSampler(random_state=seed)
    sampler.fit_resample(np.arange(len(labels))[:, None], labels)
    cases.append({"seed": seed, "labels": labels.tolist(), "added": sampler.sample_indices_[len(labels):].tolist()})
print(json.dumps({"imblearn": imblearn.__version__, "cases": cases}))
