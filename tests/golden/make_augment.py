"""Makes augment.json: librosa's and NumPy's results for tests/augment/.

pip install librosa==0.11.0 numpy==2.1.3 && python tests/golden/make_augment.py
"""

import json
from pathlib import Path

import librosa
import numpy as np
import soxr

sr = 16000
# A glide with two partials that fades in and out, over noise; tests/augment/signal.ts makes the same samples.
n = 20011
t = np.arange(n) / sr
glide = np.sin(2 * np.pi * (180 * t + 90 * t * t)) + 0.4 * np.sin(2 * np.pi * (360 * t + 180 * t * t) + 1)
noise = 2 * np.random.RandomState(5).random_sample(n) - 1
x = (0.3 * np.sin(np.pi * t / t[-1]) * glide + 0.01 * noise).astype(np.float32)


def every(y, step=97):
    return {"length": len(y), "values": [round(float(v), 8) for v in y[::step]]}


r = np.random.RandomState(99)
out = {
    "made": f"librosa {librosa.__version__}, numpy {np.__version__}, soxr {soxr.__version__}, make_augment.py; every 97th sample",
    "input": every(x),
    # librosa.effects.time_stretch(x, rate=rate)
    "stretch": [{"rate": rate, **every(librosa.effects.time_stretch(x, rate=rate))} for rate in (0.5, 0.83, 1.2, 1.77)],
    # librosa.effects.pitch_shift(x, sr=16000, n_steps=n_steps, bins_per_octave=bins)
    "pitch": [
        {"nSteps": s, "binsPerOctave": b, **every(librosa.effects.pitch_shift(x, sr=sr, n_steps=s, bins_per_octave=b))}
        for s, b in ((0.7, 12), (3, 12), (-2.5, 12), (12, 12), (5, 24))
    ],
    # x + 0.0213 * np.amax(x) * np.random.RandomState(99).normal(size=len(x)), as float32
    "noise": every((x + 0.0213 * np.amax(x) * r.normal(size=n)).astype(np.float32)),
    # np.roll(x, shift)
    "roll": [{"shift": s, **every(np.roll(x, s))} for s in (0, 1, -1234, 4999, -60000)],
    # int(np.random.RandomState(seed).uniform(low=-5, high=5) * 1000), study 002's draw
    "shifts": [int(np.random.RandomState(seed).uniform(low=-5, high=5) * 1000) for seed in range(20)],
}
Path(__file__).with_name("augment.json").write_text(json.dumps(out) + "\n")
