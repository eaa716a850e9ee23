"""The tasks of extract.ts by librosa 0.11 on one thread: ms a clip (the mean of each clip's best of three), as JSON on stdout.

    pip install librosa==0.11.0 && python librosa_extract.py CORPORA [clips of each corpus] > librosa.json
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402

import librosa  # noqa: E402
import numpy as np  # noqa: E402

warnings.simplefilter("ignore")
folder = sys.argv[1]
most = int(sys.argv[2]) if len(sys.argv) > 2 else 80


def clips(corpus):
    found = sorted(
        os.path.relpath(os.path.join(where, name), folder)
        for where, _, names in os.walk(os.path.join(folder, corpus))
        for name in names
        if name.endswith(".wav")
    )
    count = min(most, len(found))
    return [os.path.join(folder, found[i * len(found) // count]) for i in range(count)]


def log_mel(file):
    y, sr = librosa.load(file, sr=16000)
    y, _ = librosa.effects.trim(y)
    return librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr), ref=np.max)


def mean_ms(work, inputs):
    work(inputs[0])
    best = []
    for each in inputs:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            work(each)
            times.append(time.perf_counter() - start)
        best.append(min(times))
    return 1000 * sum(best) / len(best)


out = {"librosa": librosa.__version__, "numpy": np.__version__}
log_mel(clips("CREMA-D")[0])
out["logMelMs"] = {corpus: mean_ms(log_mel, clips(corpus)) for corpus in ("CREMA-D", "RAVDESS", "SAVEE", "TESS")}
speech = [librosa.load(file, offset=0.6, duration=2.5)[0] for file in clips("RAVDESS")[:20]]
out["augmentMs"] = {
    "time-stretch": mean_ms(lambda y: librosa.effects.time_stretch(y, rate=0.9), speech),
    "pitch-shift": mean_ms(lambda y: librosa.effects.pitch_shift(y, sr=22050, n_steps=0.7), speech),
    "noise": mean_ms(lambda y: y + 0.02 * np.amax(y) * np.random.RandomState(1).normal(size=len(y)), speech),
}
print(json.dumps(out, indent=1))
