"""Makes audio_containers.json: small files in every container that lib/audio reads, and what they decode to.

Needs numpy, soundfile (libsndfile), ffmpeg, sox, metaflac and opusenc (Debian: ffmpeg sox flac opus-tools). All signals are our own.

    python make_audio.py

- `pcm`: 0.02 s of noise and tone at 8 kHz, one or two channels, in lossless encodings. `expected` is what
  soundfile.read(dtype="float32") gives (ffmpeg's float output where libsndfile does not read the container),
  little-endian float32, frames by channels.
- `lossy`: the voice of voice() in lossy codecs; the test synthesises the same voice and compares by SNR.
- `resample`: noise through soxr 1.1.0's HQ quality (what librosa.load 0.11 uses), for our resampler.
- `trim`: librosa.effects.trim 0.11 on noise bursts.
"""

import base64
import json
import subprocess
import tempfile
from pathlib import Path

import librosa
import numpy as np
import soundfile
import soxr

here = Path(__file__).parent
scratch = Path(tempfile.mkdtemp())


def run(*command):
    subprocess.run([str(part) for part in command], check=True, cwd=scratch)


def b64(data):
    return base64.b64encode(data).decode()


def f32(array):
    return b64(np.ascontiguousarray(array, "<f4").tobytes())


def voice(rate, seconds, channels):
    t = np.arange(round(rate * seconds)) / rate
    phase = 140 * t + 40 / (2 * np.pi * 1.3) * (1 - np.cos(2 * np.pi * 1.3 * t))
    envelope = np.minimum(1, np.minimum(t / 0.02, (seconds - t) / 0.05))
    columns = []
    for channel in range(channels):
        total = sum(np.sin(2 * np.pi * h * phase * (1 + 0.25 * channel)) / h for h in range(1, 21))
        columns.append((0.3 - 0.06 * channel) * envelope * total)
    return np.stack(columns, axis=1)


rng = np.random.default_rng(20240229)
n = 160
mono = (0.3 * np.sin(2 * np.pi * 440 * np.arange(n) / 8000) + 0.1 * rng.standard_normal(n))[:, None]
stereo = np.concatenate([mono, 0.5 * rng.standard_normal((n, 1)).clip(-1.9, 1.9)], axis=1)
soundfile.write(scratch / "source-mono.wav", mono, 8000, subtype="FLOAT")
soundfile.write(scratch / "source-stereo.wav", stereo, 8000, subtype="FLOAT")

pcm = []


def add_pcm(name, source, container, encoding, *command):
    path = scratch / name
    run(*[path if part == "OUT" else scratch / f"source-{source}.wav" if part == "IN" else part for part in command])
    if name.endswith(".flac"):
        run("metaflac", "--remove", "--block-type=PADDING", "--dont-use-padding", path)
    try:
        expected, rate = soundfile.read(path, dtype="float32", always_2d=True)
        assert rate == 8000
    except soundfile.LibsndfileError:
        raw = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-"], check=True, capture_output=True
        ).stdout
        expected = np.frombuffer(raw, "<f4").reshape(-1, 2 if source == "stereo" else 1)
    made = " ".join("out" if part == "OUT" else "in.wav" if part == "IN" else str(part) for part in command)
    pcm.append(
        {
            "name": name,
            "made": made,
            "container": container,
            "encoding": encoding,
            "channels": expected.shape[1],
            "expected": f32(expected),
            "data": b64(path.read_bytes()),
        }
    )


ff = ["ffmpeg", "-y", "-v", "error", "-i", "IN", "-bitexact"]
for codec, encoding in [
    ("pcm_u8", "pcm8"),
    ("pcm_s16le", "pcm16"),
    ("pcm_s24le", "pcm24"),
    ("pcm_s32le", "pcm32"),
    ("pcm_f32le", "float32"),
    ("pcm_f64le", "float64"),
    ("pcm_alaw", "alaw"),
    ("pcm_mulaw", "mulaw"),
]:
    add_pcm(f"{codec}.wav", "mono", "wav", encoding, *ff, "-c:a", codec, "OUT")
add_pcm("stereo.wav", "stereo", "wav", "pcm16", *ff, "-c:a", "pcm_s16le", "OUT")
add_pcm("extensible.wav", "stereo", "wav", "pcm24", *ff, "-c:a", "pcm_s24le", "OUT")
add_pcm("rf64.wav", "mono", "wav", "pcm16", *ff, "-c:a", "pcm_s16le", "-rf64", "always", "OUT")
add_pcm("tagged.wav", "mono", "wav", "pcm16", *ff[:-1], "-c:a", "pcm_s16le", "-metadata", "title=odd", "OUT")
add_pcm("sox.wav", "stereo", "wav", "pcm32", "sox", "IN", "-D", "-b", "32", "-e", "signed", "OUT")
for codec, encoding in [
    ("pcm_s8", "pcm8"),
    ("pcm_s16be", "pcm16"),
    ("pcm_s24be", "pcm24"),
    ("pcm_s32be", "pcm32"),
    ("pcm_s16le", "pcm16"),
    ("pcm_f32be", "float32"),
    ("pcm_f64be", "float64"),
    ("pcm_alaw", "alaw"),
    ("pcm_mulaw", "mulaw"),
]:
    add_pcm(f"{codec}.aiff", "mono", "aiff", encoding, *ff, "-c:a", codec, "OUT")
add_pcm("stereo.aiff", "stereo", "aiff", "pcm16", "sox", "IN", "-D", "-b", "16", "OUT")
add_pcm("mono16.flac", "mono", "flac", "pcm16", *ff, "-c:a", "flac", "-sample_fmt", "s16", "OUT")
add_pcm("stereo16.flac", "stereo", "flac", "pcm16", *ff, "-c:a", "flac", "-sample_fmt", "s16", "OUT")
add_pcm("midside24.flac", "stereo", "flac", "pcm24", *ff, "-c:a", "flac", "-sample_fmt", "s32", "-ch_mode", "mid_side", "OUT")
add_pcm("leftside16.flac", "stereo", "flac", "pcm16", *ff, "-c:a", "flac", "-sample_fmt", "s16", "-ch_mode", "left_side", "OUT")
add_pcm("rightside16.flac", "stereo", "flac", "pcm16", *ff, "-c:a", "flac", "-sample_fmt", "s16", "-ch_mode", "right_side", "OUT")
add_pcm("verbatim8.flac", "mono", "flac", "pcm8", "sox", "IN", "-D", "-b", "8", "-C", "0", "OUT")

lossy = []


def add_lossy(name, rate, channels, container, encoding, *command):
    soundfile.write(scratch / "voice.wav", voice(rate, 0.3, channels), rate, subtype="PCM_16")
    path = scratch / name
    run(*[path if part == "OUT" else scratch / "voice.wav" if part == "IN" else part for part in command])
    made = " ".join("out" if part == "OUT" else "in.wav" if part == "IN" else str(part) for part in command)
    lossy.append(
        {
            "name": name,
            "made": made,
            "container": container,
            "encoding": encoding,
            "sourceRateHz": rate,
            "channels": channels,
            "data": b64(path.read_bytes()),
        }
    )


ff = ["ffmpeg", "-y", "-v", "error", "-i", "IN", "-bitexact"]
add_lossy("mono.mp3", 16000, 1, "mp3", "mp3", *ff[:-1], "-c:a", "libmp3lame", "-b:a", "96k", "OUT")
add_lossy("stereo.mp3", 44100, 2, "mp3", "mp3", *ff[:-1], "-c:a", "libmp3lame", "-b:a", "160k", "OUT")
add_lossy("mono.ogg", 16000, 1, "ogg-vorbis", "vorbis", *ff, "-c:a", "libvorbis", "-q:a", "9", "OUT")
add_lossy("stereo.ogg", 48000, 2, "ogg-vorbis", "vorbis", *ff, "-c:a", "libvorbis", "-q:a", "6", "OUT")
add_lossy("mono.opus", 16000, 1, "ogg-opus", "opus", "opusenc", "--quiet", "--bitrate", "64", "IN", "OUT")
add_lossy("stereo.opus", 48000, 2, "ogg-opus", "opus", "opusenc", "--quiet", "--bitrate", "128", "IN", "OUT")
add_lossy("mono.webm", 48000, 1, "webm-opus", "opus", *ff, "-c:a", "libopus", "-b:a", "64k", "OUT")
add_lossy("live.webm", 48000, 2, "webm-opus", "opus", *ff, "-c:a", "libopus", "-b:a", "128k", "-live", "1", "OUT")
add_lossy("mono.m4a", 16000, 1, "m4a", "aac", *ff, "-c:a", "aac", "-b:a", "64k", "OUT")
add_lossy("stereo.m4a", 44100, 2, "m4a", "aac", *ff, "-c:a", "aac", "-b:a", "128k", "OUT")
add_lossy("fragmented.mp4", 48000, 1, "m4a", "aac", *ff, "-c:a", "aac", "-b:a", "96k",
          "-movflags", "frag_keyframe+empty_moov", "OUT")
add_lossy("opus.mp4", 48000, 1, "m4a", "opus", *ff, "-c:a", "libopus", "-b:a", "64k", "OUT")
add_lossy("mono.aac", 16000, 1, "aac", "aac", *ff, "-c:a", "aac", "-b:a", "64k", "OUT")

resampled = []
for source, target in [
    (48000, 22050), (24414, 22050), (16000, 22050), (44100, 22050), (96000, 22050), (48000, 16000), (44100, 16000),
    (24414, 16000), (22050, 16000), (8000, 16000),
]:
    x = (0.1 * rng.standard_normal(500)).astype("<f4")
    y = soxr.resample(x, source, target, quality="HQ")
    resampled.append({"from": source, "to": target, "input": f32(x), "output": f32(y)})

trims = []
for top_db, frame_length, hop_length, lead, body, tail in [
    (60, 2048, 512, 5000, 9000, 7000), (30, 2048, 512, 0, 3000, 12000), (20, 1024, 256, 3000, 100, 3000),
    (60, 2048, 512, 0, 700, 0),
]:
    # Bursts that the test makes again: a tone, quiet before and after by 50 dB.
    i = np.arange(lead + body + tail)
    y = np.sin(0.05 * i).astype("<f4")
    y *= np.where((i >= lead) & (i < lead + body), np.float32(0.5), np.float32(0.5 * 10 ** (-50 / 20)))
    _, index = librosa.effects.trim(y, top_db=top_db, frame_length=frame_length, hop_length=hop_length)
    trims.append({"topDb": top_db, "frameLength": frame_length, "hopLength": hop_length, "lead": lead, "body": body,
                  "tail": tail, "index": [int(v) for v in index]})

made = {
    "soundfile": soundfile.__version__,
    "libsndfile": soundfile.__libsndfile_version__,
    "soxr": soxr.__version__,
    "librosa": librosa.__version__,
    "ffmpeg": subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True).stdout.split()[2],
}
(here / "audio_containers.json").write_text(
    json.dumps({"made": made, "pcm": pcm, "lossy": lossy, "resample": resampled, "trim": trims}, separators=(",", ":")) + "\n"
)
