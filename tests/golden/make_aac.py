"""Makes aac.json: small AAC files and what ffmpeg decodes them to, for lib/audio/aac.ts.

Needs numpy, soundfile, ffmpeg 5.1 and, for HE-AAC, fdkaac 1.0.0 with libfdk-aac 2.0.2 (Debian: contrib and non-free).
All signals are our own.

    python make_aac.py

- `files`: `expected` holds every `stride`-th frame of what `ffmpeg -i FILE -f f32le -` gives, little-endian float32,
  frames by channels. `noise` says whether the encoder was allowed to substitute noise, for which ffmpeg and Symphonia
  draw the same numbers. `pulses.aac` no encoder made: its bits are set here, because encoders at hand use no pulses.
- `high`: HE-AAC, announced (M4A) and not (ADTS); there the rate and length are compared.
"""

import base64
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

here = Path(__file__).parent
scratch = Path(tempfile.mkdtemp())
stride = 29
rng = np.random.default_rng(20261120)


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, cwd=scratch, capture_output=True).stdout


def b64(data):
    return base64.b64encode(data).decode()


def speech(rate, seconds):
    """Vowels and fricatives in turn, 0.15 s each, in a room with a little noise."""
    t = np.arange(round(rate * seconds)) / rate
    phase = 130 * t + 5 * np.sin(2 * np.pi * 1.7 * t)
    vowel = sum(np.cos(2 * np.pi * h * phase) / (1 + ((130 * h - 600) / 500) ** 2) for h in range(1, 24)) / 12
    hiss = np.diff(rng.standard_normal(len(t) + 1)) / 20
    turn = (t / 0.15) % 2
    return 0.7 * vowel * np.sin(np.pi * turn.clip(0, 1)) ** 2 + hiss * np.sin(np.pi * (turn - 1).clip(0, 1)) ** 2 \
        + 3e-4 * rng.standard_normal(len(t))


def clicks(rate, seconds):
    """A decaying tone that starts anew every 60 ms: short windows and noise shaping in time."""
    t = np.arange(round(rate * seconds)) / rate
    return 0.5 * np.exp(-200 * (t % 0.06)) * np.sin(2 * np.pi * 1500 * t) + 1e-3 * rng.standard_normal(len(t))


def bits(value, width):
    return format(value, f"0{width}b")


# Words of spectral codebook 1 for four values (ISO/IEC 14496-3, table 4.A.2), and the first offsets of scale factor
# bands at 44,100 Hz.
WORDS = {(0, 0, 0, 0): "0", (0, 0, 0, 1): "10100", (0, 0, 0, -1): "10010", (1, 0, 0, 0): "10000", (-1, 0, 0, 0): "10001",
         (1, 1, 1, 1): "11111110100"}
BANDS, VALUES = 26, 240


def channel():
    """A channel of a common window with four pulses among values of -1, 0 and 1 (tables 4.50, 4.52, 4.7)."""
    words = list(WORDS.values())
    section = bits(1, 4) + bits(BANDS, 5)
    pulses = "1" + bits(3, 2) + bits(5, 6)
    pulses += "".join(bits(rng.integers(32), 5) + bits(rng.integers(1, 16), 4) for _ in range(4))
    spectrum = "".join(words[rng.integers(len(words))] for _ in range(VALUES // 4))
    return bits(170, 8) + section + "0" * BANDS + pulses + "00" + spectrum


def pulses(units):
    """An ADTS stream of channel pairs whose bands are all mid and side."""
    stream = b""
    for _ in range(units):
        unit = "001" + "0000" + "1" + "0000" + bits(BANDS, 6) + "0" + "10" + channel() + channel() + "111"
        unit += "0" * (-len(unit) % 8)
        head = bits(0xFFF1, 16) + bits(1, 2) + bits(4, 4) + "0" + bits(2, 3) + "0000" + bits(7 + len(unit) // 8, 13)
        whole = head + bits(0x7FF, 11) + "00" + unit
        stream += int(whole, 2).to_bytes(len(whole) // 8, "big")
    return stream


files = []


def add(name, rate, columns, noise, bitrate, *more):
    soundfile.write(scratch / "in.wav", np.stack(columns, axis=1), rate, subtype="FLOAT")
    command = ["ffmpeg", "-y", "-v", "error", "-i", "in.wav", "-bitexact", "-c:a", "aac", "-aac_pns", int(noise), "-b:a",
               bitrate, *more, name]
    run(*command)
    raw = run("ffmpeg", "-v", "error", "-i", name, "-f", "f32le", "-c:a", "pcm_f32le", "-")
    decoded = np.frombuffer(raw, "<f4").reshape(-1, len(columns))[: len(columns[0])]
    files.append({
        "name": name, "made": " ".join(map(str, command)), "noise": noise, "sampleRateHz": rate, "channels": len(columns),
        "frames": len(columns[0]), "stride": stride, "expected": b64(np.ascontiguousarray(decoded[::stride]).tobytes()),
        "data": b64((scratch / name).read_bytes()),
    })


voice = speech(44100, 0.9)
add("noise.m4a", 48000, [speech(48000, 1.2)], True, "32k")
add("plain.m4a", 48000, [speech(48000, 0.3)], False, "64k")
add("low.m4a", 8000, [speech(8000, 0.6)], False, "24k")
add("noise-stereo.m4a", 44100, [voice[:26460], 0.8 * voice[:26460] + 0.1 * voice[400:26860]], True, "64k")
add("stereo.m4a", 44100, [voice[:13230], 0.8 * voice[:13230] + 0.1 * voice[400:13630]], False, "96k")
add("clicks.m4a", 32000, [clicks(32000, 0.4), 0.5 * clicks(32000, 0.4)], False, "96k")
add("surround.m4a", 44100, [(0.2 + 0.1 * c) * voice[1000 * c : 1000 * c + 6000] for c in range(6)], False, "192k")

(scratch / "pulses.aac").write_bytes(pulses(6))
raw = run("ffmpeg", "-v", "error", "-i", "pulses.aac", "-f", "f32le", "-c:a", "pcm_f32le", "-")
decoded = np.frombuffer(raw, "<f4").reshape(-1, 2)[1024:]
files.append({
    "name": "pulses.aac", "made": "by hand", "noise": False, "sampleRateHz": 44100, "channels": 2, "frames": len(decoded),
    "stride": stride, "expected": b64(np.ascontiguousarray(decoded[::stride]).tobytes()),
    "data": b64((scratch / "pulses.aac").read_bytes()),
})

high = []
soundfile.write(scratch / "in.wav", voice, 44100, subtype="PCM_16")
for name, more in [("high.m4a", []), ("high.aac", ["-f", "2"])]:
    run("fdkaac", "-S", "-p", "5", "-b", "24k", *more, "-o", name, "in.wav")
    high.append({"name": name, "made": " ".join(["fdkaac -S -p 5 -b 24k", *more]), "sampleRateHz": 44100,
                 "frames": len(voice), "data": b64((scratch / name).read_bytes())})

ffmpeg = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True).stdout.split()[2]
made = {"ffmpeg": ffmpeg, "fdkaac": "1.0.0", "libfdk-aac": "2.0.2", "numpy": np.__version__}
(here / "aac.json").write_text(json.dumps({"made": made, "files": files, "high": high}, separators=(",", ":")) + "\n")
