"""Makes random.json: sequences of numpy.random.RandomState for tests/random_test.ts.

pip install numpy==2.4.6 scikit-learn==1.9.1 && python tests/golden/make_random.py
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.utils import murmurhash3_32


def state(rng):
    s = rng.get_state(legacy=False)
    return {
        "pos": int(s["state"]["pos"]),
        "head": [int(v) for v in s["state"]["key"][:4]],
        "sum": int(np.bitwise_xor.reduce(s["state"]["key"])),
        "hasGauss": bool(s["has_gauss"]),
        "gauss": float(s["gauss"]),
    }


cases = []
for seed in [0, 1, 42, 9, 2**31, 2**32 - 1, [0], [1, 2, 3], [42, 0, 2**32 - 1, 7], list(range(700))]:
    r = np.random.RandomState(seed)
    case = {"seed": seed if not (isinstance(seed, list) and len(seed) > 10) else {"range": len(seed)}}
    case["uint32"] = r.randint(0, 2**32, size=8, dtype=np.uint32).tolist()
    case["bytes"] = list(r.bytes(7))
    case["randomSample"] = r.random_sample(5).tolist()
    case["randint10"] = r.randint(0, 10, size=12).tolist()
    case["randintSigned"] = r.randint(-1000, 70000, size=5).tolist()
    case["randintOne"] = [int(r.randint(3, 4)), int(r.randint(0, 2**32))]
    case["randintWide"] = r.randint(0, 2**52 + 12345, size=5).tolist()
    case["tomaxint"] = [str(r.tomaxint()) for _ in range(2)]
    case["permutation"] = r.permutation(37).tolist()
    a = list("abcdefghij")
    r.shuffle(a)
    case["shuffle"] = "".join(a)
    case["choice"] = r.choice(20, 9).tolist()
    case["choiceWithout"] = r.choice(20, 9, replace=False).tolist()
    case["choiceP"] = r.choice(4, 12, p=[0.1, 0.2, 0.3, 0.4]).tolist()
    case["choicePWithout"] = r.choice(6, 5, replace=False, p=[0.05, 0.05, 0.1, 0.1, 0.3, 0.4]).tolist()
    case["uniform"] = r.uniform(-3, 5.5, size=4).tolist()
    case["standardNormal"] = r.standard_normal(5).tolist()
    case["normal"] = r.normal(2, 0.25, size=4).tolist()
    case["randn"] = r.randn(4).tolist()
    case["state"] = state(r)
    case["after"] = r.random_sample(2).tolist()
    cases.append(case)

r = np.random.RandomState(7)
million = {
    "xorUint32": int(np.bitwise_xor.reduce(r.randint(0, 2**32, size=1_000_000, dtype=np.uint32))),
    "sumPermutation": int((np.arange(100_000) * r.permutation(100_000)).sum()),
    "next": float(r.random_sample()),
}
texts = ["", "a", "ab", "abc", "abcd", "abcde", "serlab", "The quick brown fox jumps over the lazy dog", "Größe 日本"]
murmur = [{"text": t, "seed": s, "hash": int(murmurhash3_32(t.encode(), seed=s, positive=True))} for t in texts for s in (0, 1, 2**31)]

out = {"made": f"numpy {np.__version__}, scikit-learn {sklearn.__version__}, make_random.py", "cases": cases, "million": million, "murmur": murmur}
Path(__file__).with_name("random.json").write_text(json.dumps(out) + "\n")
