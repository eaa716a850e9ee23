"""Makes split.json: splits of scikit-learn for tests/split/sklearn_test.ts.

Every case is one call on random labels; the rows are kept whole for small cases and as a hash of their decimal numbers
joined by commas (SHA-256, first 16 digits) for all.

pip install numpy==2.4.6 scikit-learn==1.9.1 && python tests/golden/make_split.py
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, train_test_split


def digest(rows):
    return hashlib.sha256(",".join(map(str, rows)).encode()).hexdigest()[:16]


def labels_of(seed, n, classes):
    # Uneven classes, at least three rows each; `split.json` keeps only how they are made: tests draw them again.
    r = np.random.RandomState(seed)
    labels = np.concatenate([np.repeat(np.arange(classes), 3), (classes * r.random_sample(n - 3 * classes) ** 2).astype(int)])
    r.shuffle(labels)
    return labels


rng = np.random.RandomState(20240601)
out = {"made": f"numpy {np.__version__}, scikit-learn {sklearn.__version__}, make_split.py", "plain": [], "stratified": [], "folds": []}
for i in range(120):
    n = int(rng.randint(2, 40)) if i % 2 else int(rng.randint(40, 3000))
    kind = i % 5
    args = {}
    if kind == 0:
        args["test_size"] = float(rng.randint(1, 99)) / 100
    elif kind == 1:
        args["test_size"] = int(rng.randint(1, n))
    elif kind == 2:
        args["train_size"] = float(rng.randint(30, 95)) / 100
    elif kind == 3:
        args["test_size"], args["train_size"] = 0.31, 0.42
    seed = int(rng.randint(0, 2**31))
    try:
        train, test = train_test_split(np.arange(n), random_state=seed, **args)
    except ValueError:
        out["plain"].append({"n": n, "args": args, "seed": seed, "error": True})
        continue
    case = {"n": n, "args": args, "seed": seed, "trainHash": digest(train), "testHash": digest(test)}
    if n < 12:
        case |= {"train": train.tolist(), "test": test.tolist()}
    out["plain"].append(case)

for i in range(300):
    classes = int(rng.randint(2, 12))
    n = 3 * classes + int(rng.randint(0, 60 if i % 2 else 2000))
    if i % 7 == 0:  # equal classes: every remainder is a tie
        n = 3 * classes
    args = [{"test_size": 0.3}, {"test_size": 0.05}, {"test_size": 0.5}, {"train_size": 0.6}, {"test_size": 0.2, "train_size": 0.37}][i % 5]
    seed = int(rng.randint(0, 2**31))
    made = int(rng.randint(0, 2**31))
    labels = labels_of(made, n, classes)
    case = {"n": n, "classes": classes, "made": made, "args": args, "seed": seed}
    try:
        train, test = train_test_split(np.arange(n), random_state=seed, stratify=labels, **args)
        case |= {"trainHash": digest(train), "testHash": digest(test)}
        if n < 16:
            case |= {"labels": labels.tolist(), "train": train.tolist(), "test": test.tolist()}
    except ValueError:
        case["error"] = True
    out["stratified"].append(case)

for i in range(60):
    classes = int(rng.randint(2, 30))
    n = 3 * classes + int(rng.randint(0, 400))
    made = int(rng.randint(0, 2**31))
    seed = int(rng.randint(0, 2**31))
    k = int(rng.randint(2, 7))
    labels = labels_of(made, n, classes)
    x = np.zeros(n)
    case = {"n": n, "classes": classes, "made": made, "seed": seed, "nSplits": k}

    def folds(cv, *args):
        try:
            return digest([f"{digest(a)}/{digest(b)}" for a, b in cv.split(x, *args)])
        except ValueError:
            return None

    import warnings

    warnings.simplefilter("ignore")
    case["kFold"] = folds(KFold(k))
    case["kFoldShuffled"] = folds(KFold(k, shuffle=True, random_state=seed))
    case["stratifiedKFold"] = folds(StratifiedKFold(k), labels)
    case["stratifiedKFoldShuffled"] = folds(StratifiedKFold(k, shuffle=True, random_state=seed), labels)
    case["groupKFold"] = folds(GroupKFold(k), None, labels)
    out["folds"].append(case)

Path(__file__).with_name("split.json").write_text(json.dumps(out) + "\n")
