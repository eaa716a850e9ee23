"""The tasks of features.ts by librosa 0.11 on one thread: ms a clip, as JSON on stdout.

    python librosa_features.py CORPORA [clips] > librosa.json
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import io  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402

import librosa  # noqa: E402
import librosa.display  # noqa: E402
import matplotlib  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from skimage.transform import resize  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

warnings.simplefilter("ignore")
folder = sys.argv[1]
found = sorted(
    os.path.relpath(os.path.join(where, name), folder)
    for where, _, names in os.walk(folder)
    for name in names
    if name.endswith(".wav")
)
count = min(int(sys.argv[2]) if len(sys.argv) > 2 else 48, len(found))
files = [os.path.join(folder, found[i * len(found) // count]) for i in range(count)]


def study000(y, sr):
    return resize(librosa.amplitude_to_db(np.abs(librosa.stft(y))), (64, 64), anti_aliasing=True)


def study001(y, sr):
    db = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr, n_mels=128, fmax=8000), ref=np.max)
    figure = plt.figure(figsize=(10, 6), dpi=100)
    librosa.display.specshow(db, sr=sr, x_axis="time", y_axis="mel", fmax=8000, cmap="jet")
    plt.axis("off")
    file = io.BytesIO()
    plt.savefig(file, format="png", bbox_inches="tight", pad_inches=0)
    plt.close(figure)
    return np.asarray(Image.open(file).convert("RGB").resize((300, 50)), dtype=np.float32) / 255


def study002(y, sr):
    return np.concatenate([
        librosa.feature.zero_crossing_rate(y).ravel(),
        librosa.feature.rms(y=y).ravel(),
        librosa.feature.mfcc(y=y, sr=sr).T.ravel(),
    ])


def padded(y):
    return np.pad(y, (0, max(0, 80080 - len(y))))[:80080]


def study003(y, sr):
    return librosa.power_to_db(librosa.feature.melspectrogram(y=padded(y), sr=sr), ref=np.max)


def study003_vector(y, sr):
    y = padded(y)
    return np.concatenate([librosa.feature.zero_crossing_rate(y).ravel(), librosa.feature.rms(y=y).ravel()])


def study004(y, sr):
    magnitude = np.abs(librosa.stft(y))
    return np.concatenate([
        librosa.feature.mfcc(y=y, sr=sr, n_mfcc=40).mean(axis=1),
        librosa.feature.chroma_stft(S=magnitude, sr=sr).mean(axis=1),
        librosa.feature.melspectrogram(y=y, sr=sr).mean(axis=1),
    ])


def log_mel(y, sr):
    return librosa.power_to_db(librosa.feature.melspectrogram(y=librosa.effects.trim(y)[0], sr=sr), ref=np.max)


tasks = {
    "log-mel at 16 kHz, trimmed": ({"sr": 16000}, log_mel),
    "study000": ({"sr": 48000}, study000),
    "study001": ({}, study001),
    "study002": ({"offset": 0.6, "duration": 2.5}, study002),
    "study003": ({"sr": 16000}, study003),
    "study003-vector": ({"sr": 16000}, study003_vector),
    "study004": ({"sr": None}, study004),
    "yin": ({}, lambda y, sr: librosa.yin(y, fmin=65, fmax=500, sr=sr)),
    "pyin": ({}, lambda y, sr: librosa.pyin(y, fmin=65, fmax=500, sr=sr)),
}
out = {}
for name, (options, extract) in tasks.items():
    loads, extracts = [], []
    for file in files[:3]:
        extract(*librosa.load(file, **options))
    for file in files:
        loading, extracting = [], []
        for _ in range(3):
            start = time.perf_counter()
            y, sr = librosa.load(file, **options)
            between = time.perf_counter()
            extract(y, sr)
            loading.append(1000 * (between - start))
            extracting.append(1000 * (time.perf_counter() - between))
        loads.append(sorted(loading)[1])
        extracts.append(sorted(extracting)[1])
    out[name] = {
        "extractMedianMs": float(np.median(extracts)),
        "extractMeanMs": float(np.mean(extracts)),
        "loadMedianMs": float(np.median(loads)),
        "loadMeanMs": float(np.mean(loads)),
        "totalMeanMs": float(np.mean(loads) + np.mean(extracts)),
    }
    print(name, out[name], file=sys.stderr)
print(json.dumps(out, indent=2))
