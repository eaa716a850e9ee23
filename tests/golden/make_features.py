"""Writes features.json: what librosa 0.11.0, SciPy, scikit-image 0.26.0, matplotlib and Pillow make of a synthetic signal.

The signal uses integer phases, additions and multiplications only, so tests/features/synthetic.ts makes the same samples
bit for bit. Long arrays are thinned (`[every, values]`): every n-th value of the flattened array.

    pip install librosa==0.11.0 numpy==2.1.3 scikit-image==0.26.0 matplotlib pillow
    python make_features.py > features.json
"""

import io
import json
import warnings

import librosa
import librosa.display
import matplotlib
import numpy as np
import scipy.signal
from PIL import Image
from skimage.transform import resize

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

warnings.simplefilter("ignore")
SR = 22050


def synthetic(n):
    """A gliding harmonic tone with a slow envelope, a little noise, and silence at both ends and in the middle."""
    out = np.zeros(n, dtype=np.float64)
    phase, seed = 0, 1
    for i in range(n):
        phase = (phase + 21_000_000 + (i * 1200) % 20_000_000) % 2**32
        seed = (seed * 1664525 + 1013904223) % 2**32
        x = phase / 2**32 * 2 - 1
        parabola = 4 * x * (1 - abs(x))
        noise = seed / 2**32 - 0.5
        beat = (i % 5000) / 5000
        envelope = 4 * beat * (1 - beat)
        if i < 1500 or i >= n - 1200 or 9000 <= i < 10500:
            continue
        out[i] = envelope * (0.4 * parabola + 0.2 * x) + 0.01 * noise
    return out.astype(np.float32)


def thin(values, most=220):
    flat = np.asarray(values, dtype=np.float64).ravel()
    every = max(1, -(-flat.size // most))
    return {
        "shape": list(np.shape(values)),
        "every": every,
        "values": [None if np.isnan(v) else float(f"{v:.7g}") for v in flat[::every]],
    }


def picture(y):
    db = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=SR, n_mels=128, fmax=8000), ref=np.max)
    figure = plt.figure(figsize=(10, 6), dpi=100)
    librosa.display.specshow(db, sr=SR, x_axis="time", y_axis="mel", fmax=8000, cmap="jet")
    plt.axis("off")
    file = io.BytesIO()
    plt.savefig(file, format="png", bbox_inches="tight", pad_inches=0)
    plt.close(figure)
    return np.asarray(Image.open(file).convert("RGB").resize((300, 50)), dtype=np.float32) / 255


def study002(y):
    part = y[int(0.6 * SR):][: int(2.5 * SR)]
    return np.concatenate([
        librosa.feature.zero_crossing_rate(part).ravel(),
        librosa.feature.rms(y=part).ravel(),
        librosa.feature.mfcc(y=part, sr=SR).T.ravel(),
    ])


def study004(y, sr):
    magnitude = np.abs(librosa.stft(y))
    return np.concatenate([
        librosa.feature.mfcc(y=y, sr=sr, n_mfcc=40).mean(axis=1),
        librosa.feature.chroma_stft(S=magnitude, sr=sr).mean(axis=1),
        librosa.feature.melspectrogram(y=y, sr=sr).mean(axis=1),
    ])


y = synthetic(22050)
D = librosa.stft(y)
S = np.abs(D)
P = S**2
mel = librosa.feature.melspectrogram(y=y, sr=SR)
mfcc = librosa.feature.mfcc(y=y, sr=SR)
chroma = librosa.feature.chroma_stft(y=y, sr=SR)
pitches, magnitudes = librosa.piptrack(S=S, sr=SR)
f0, voiced, probability = librosa.pyin(y, fmin=65, fmax=500, sr=SR)
f0_short, _, _ = librosa.pyin(y, fmin=80, fmax=400, sr=SR, frame_length=1024, hop_length=128)
image = (np.arange(60 * 45) * 7919 % 1009).reshape(60, 45).astype(np.float32) / 1009
padded = np.pad(y, (0, 80080 - len(y)))

golden = {
    "samples": thin(y, 200),
    "window hann": thin(scipy.signal.get_window("hann", 32)),
    "window hamming": thin(scipy.signal.get_window("hamming", 31)),
    "window blackman": thin(scipy.signal.get_window("blackman", 32)),
    "window blackmanharris symmetric": thin(scipy.signal.get_window("blackmanharris", 33, fftbins=False)),
    "window triang": thin(scipy.signal.get_window("triang", 32)),
    "window triang symmetric": thin(scipy.signal.get_window("triang", 33, fftbins=False)),
    "stft real": thin(D.real, 450),
    "stft imag": thin(D.imag, 450),
    "stft short reflect real": thin(
        librosa.stft(y, n_fft=510, hop_length=200, win_length=400, window="hamming", pad_mode="reflect").real
    ),
    "stft edge real": thin(librosa.stft(y, n_fft=512, pad_mode="edge").real),
    "stft uncentred imag": thin(librosa.stft(y, n_fft=1000, hop_length=333, center=False).imag),
    "istft": thin(librosa.istft(D * 0.5, length=20000)),
    "istft short": thin(librosa.istft(librosa.stft(y, n_fft=512, hop_length=100, win_length=300), hop_length=100, win_length=300)),
    "fft frequencies": thin(librosa.fft_frequencies(sr=8000, n_fft=64)),
    "mel frequencies": thin(librosa.mel_frequencies(40, fmin=50, fmax=7000)),
    "mel frequencies htk": thin(librosa.mel_frequencies(40, fmin=50, fmax=7000, htk=True)),
    "mel filters": thin(librosa.filters.mel(sr=SR, n_fft=2048), 600),
    "mel filters htk 1": thin(librosa.filters.mel(sr=16000, n_fft=512, n_mels=26, fmin=20, fmax=8000, htk=True, norm=1), 500),
    "mel filters none": thin(librosa.filters.mel(sr=16000, n_fft=512, n_mels=26, norm=None), 500),
    "mel": thin(mel, 450),
    "mel of S": thin(librosa.feature.melspectrogram(S=P, sr=SR, n_mels=40)),
    "mel amplitude htk": thin(librosa.feature.melspectrogram(y=y, sr=SR, n_mels=40, power=1, htk=True, fmin=100)),
    "power to db": thin(librosa.power_to_db(mel), 450),
    "power to db max": thin(librosa.power_to_db(mel, ref=np.max, top_db=60)),
    "power to db null": thin(librosa.power_to_db(mel, ref=0.5, amin=1e-7, top_db=None)),
    "amplitude to db": thin(librosa.amplitude_to_db(S), 450),
    "amplitude to db max": thin(librosa.amplitude_to_db(S, ref=np.max, top_db=None, amin=1e-4)),
    "mfcc": thin(mfcc, 300),
    "mfcc 13 lifter": thin(librosa.feature.mfcc(y=y, sr=SR, n_mfcc=13, lifter=22)),
    "mfcc of S": thin(librosa.feature.mfcc(S=librosa.power_to_db(librosa.feature.melspectrogram(S=P, sr=SR, n_mels=40)), n_mfcc=40)),
    "delta": thin(librosa.feature.delta(mfcc), 300),
    "delta 2": thin(librosa.feature.delta(mfcc, order=2, width=7)),
    "delta nearest": thin(librosa.feature.delta(mfcc, mode="nearest", width=5)),
    "delta mirror": thin(librosa.feature.delta(mfcc, mode="mirror")),
    "delta constant": thin(librosa.feature.delta(mfcc, mode="constant")),
    "delta wrap": thin(librosa.feature.delta(mfcc, mode="wrap")),
    "chroma filters": thin(librosa.filters.chroma(sr=SR, n_fft=2048, tuning=0.2), 500),
    "chroma filters 24": thin(librosa.filters.chroma(sr=SR, n_fft=1024, n_chroma=24, octwidth=None, base_c=False), 450),
    "tuning": thin([librosa.estimate_tuning(y=y, sr=SR), librosa.estimate_tuning(S=P, sr=SR)]),
    "piptrack pitches": thin(pitches, 600),
    "piptrack magnitudes": thin(magnitudes, 600),
    "chroma": thin(chroma),
    "chroma of S": thin(librosa.feature.chroma_stft(S=S, sr=SR)),
    "chroma 1": thin(librosa.feature.chroma_stft(y=y, sr=SR, norm=1, tuning=0.1)),
    "tonnetz": thin(librosa.feature.tonnetz(chroma=chroma)),
    "zcr": thin(librosa.feature.zero_crossing_rate(y)),
    "zcr short": thin(librosa.feature.zero_crossing_rate(y, frame_length=500, hop_length=130, center=False)),
    "rms": thin(librosa.feature.rms(y=y)),
    "rms reflect": thin(librosa.feature.rms(y=y, frame_length=1000, hop_length=300, pad_mode="reflect")),
    "rms of S": thin(librosa.feature.rms(S=S)),
    "centroid": thin(librosa.feature.spectral_centroid(y=y, sr=SR)),
    "bandwidth": thin(librosa.feature.spectral_bandwidth(y=y, sr=SR)),
    "bandwidth 1": thin(librosa.feature.spectral_bandwidth(S=S, sr=SR, p=1, norm=False)),
    "rolloff": thin(librosa.feature.spectral_rolloff(y=y, sr=SR)),
    "rolloff half": thin(librosa.feature.spectral_rolloff(S=S, sr=SR, roll_percent=0.5)),
    "flatness": thin(librosa.feature.spectral_flatness(y=y)),
    "contrast": thin(librosa.feature.spectral_contrast(y=y, sr=SR)),
    "contrast linear": thin(librosa.feature.spectral_contrast(S=S, sr=SR, linear=True, n_bands=4, fmin=300, quantile=0.1)),
    "yin": thin(librosa.yin(y, fmin=65, fmax=500, sr=SR)),
    "yin 1000": thin(librosa.yin(y, fmin=90, fmax=500, sr=SR, frame_length=1000, hop_length=250)),
    "pyin f0": thin(f0),
    "pyin voiced": thin(voiced),
    "pyin probability": thin(probability),
    "pyin short f0": thin(f0_short),
    "resize down": thin(resize(image, (16, 16), anti_aliasing=True)),
    "resize mixed": thin(resize(image, (100, 7), anti_aliasing=True), 300),
    "resize up": thin(resize(image[:3, :2], (8, 9), anti_aliasing=True)),
    "resize plain": thin(resize(image, (16, 16), anti_aliasing=False)),
    "study000": thin(resize(librosa.amplitude_to_db(S), (64, 64), anti_aliasing=True)),
    "study001": thin(picture(y), 450),
    "study002": thin(study002(y)),
    "study003": thin(librosa.power_to_db(librosa.feature.melspectrogram(y=padded, sr=16000), ref=np.max), 400),
    "study003-vector": thin(np.concatenate([
        librosa.feature.zero_crossing_rate(padded).ravel(), librosa.feature.rms(y=padded).ravel()
    ])),
    "study004": thin(study004(y, SR)),
}
versions = {"librosa": librosa.__version__, "numpy": np.__version__, "matplotlib": matplotlib.__version__}
print(json.dumps({"versions": versions, "arrays": golden}, separators=(",", ":")))
