/**
 * Faults that recordings have in life, put on clean ones: what a bundle's consequences are measured with.
 *
 * @module
 */

import { resample } from "../audio/resample.ts";
import type { AudioSource } from "../predict.ts";
import { stream } from "../random.ts";
import type { Waveform } from "../types.ts";

/** A fault that can be put on a recording. */
export interface Degradation {
  /** Identifier, by which warnings find what it costs. */
  readonly id: string;
  /** What is done, as a phrase after 'with'. */
  readonly describe: string;
  /** Puts it on a recording; `key` names the recording, for generators. */
  apply(wave: Waveform, key: string): Waveform | Promise<Waveform>;
  /** What a file with the fault is said to be, where that is told too, of its duration in seconds. */
  source?(durationSec: number): AudioSource;
}

/** Encodes a recording lossily and decodes it again. */
export type LossyCodec = (wave: Waveform) => Promise<Waveform>;

/** A recording with each sample changed. */
function mapped({ samples, sampleRateHz }: Waveform, change: (value: number, i: number) => number): Waveform {
  return { samples: samples.map(change), sampleRateHz };
}

/** Second-order Butterworth high-pass (bilinear transform), run forwards. */
function highPass({ samples, sampleRateHz }: Waveform, cutoffHz: number): Waveform {
  const k = Math.tan(Math.PI * cutoffHz / sampleRateHz), norm = 1 / (1 + Math.SQRT2 * k + k * k);
  const a1 = 2 * (k * k - 1) * norm, a2 = (1 - Math.SQRT2 * k + k * k) * norm;
  const out = new Float32Array(samples.length);
  let x1 = 0, x2 = 0, y1 = 0, y2 = 0;
  for (let i = 0; i < samples.length; i++) {
    const x = samples[i]!, y = norm * (x - 2 * x1 + x2) - a1 * y1 - a2 * y2;
    [x2, x1, y2, y1] = [x1, x, y1, y];
    out[i] = y;
  }
  return { samples: out, sampleRateHz };
}

/** µ-law to 8 bits and back (ITU-T G.711's curve, continuous form). */
function muLaw(value: number): number {
  const clipped = Math.max(-1, Math.min(1, value));
  const code = Math.round(127 * Math.sign(clipped) * Math.log1p(255 * Math.abs(clipped)) / Math.log(256)) / 127;
  return Math.sign(code) * (256 ** Math.abs(code) - 1) / 255;
}

/** Down to a rate and back: nothing above half of it is left. */
const throughRate = (rateHz: number) => (wave: Waveform): Waveform =>
  wave.sampleRateHz <= rateHz ? wave : resample(resample(wave, rateHz), wave.sampleRateHz);

/** The magnitude that a share of the samples reaches. */
function magnitudeReachedBy(samples: Float32Array, share: number): number {
  const sorted = samples.map(Math.abs).sort();
  return sorted[Math.max(0, Math.ceil(sorted.length * (1 - share)) - 1)] ?? 0;
}

/**
 * The loudest stretch of a recording.
 *
 * @param wave The recording.
 * @param seconds Length of the stretch; a shorter recording is returned whole.
 */
export function loudestStretch({ samples, sampleRateHz }: Waveform, seconds: number): Waveform {
  const length = Math.round(seconds * sampleRateHz);
  if (samples.length <= length) return { samples, sampleRateHz };
  let power = 0;
  for (let i = 0; i < length; i++) power += samples[i]! ** 2;
  let most = power, start = 0;
  for (let i = length; i < samples.length; i++) {
    power += samples[i]! ** 2 - samples[i - length]! ** 2;
    if (power > most) [most, start] = [power, i - length + 1];
  }
  return { samples: samples.slice(start, start + length), sampleRateHz };
}

const mp3Source = (durationSec: number): AudioSource => ({ container: "mp3", bytes: durationSec * 32_000 / 8 });

/**
 * The faults, in the order of the card.
 *
 * @param mp3 A codec for MP3 at 32 kbit/s; without one that fault is left out.
 */
export function degradations(mp3: LossyCodec | null): Degradation[] {
  return [
    {
      id: "bandwidth-16000",
      describe: "nothing above 8 kHz (audio at 16 kHz)",
      apply: throughRate(16000),
    },
    {
      id: "bandwidth-8000",
      describe: "nothing above 4 kHz (audio at 8 kHz, as on a telephone)",
      apply: throughRate(8000),
    },
    {
      id: "telephone",
      describe: "a telephone line (300 Hz to 4 kHz, µ-law)",
      apply: (wave) => {
        const line = highPass(wave.sampleRateHz <= 8000 ? wave : resample(wave, 8000), 300);
        return resample(mapped(line, muLaw), wave.sampleRateHz);
      },
    },
    {
      id: "clipping",
      describe: "5 % of the samples clipped at full scale",
      apply: (wave) => {
        const limit = magnitudeReachedBy(wave.samples, 0.05);
        return limit === 0 ? wave : mapped(wave, (x) => Math.max(-1, Math.min(1, x / limit)));
      },
    },
    ...(mp3 ? [{ id: "mp3-32k", describe: "MP3 at 32 kbit/s", apply: mp3, source: mp3Source }] : []),
    {
      id: "short-0.5s",
      describe: "the loudest 0.5 s alone",
      apply: (wave) => loudestStretch(wave, 0.5),
    },
    {
      id: "quiet-30dB",
      describe: "30 dB less level",
      apply: (wave) => mapped(wave, (x) => Math.round(x * 10 ** (-30 / 20) * 32768) / 32768),
    },
    {
      id: "noise-20dB",
      describe: "white noise 20 dB below the voice",
      apply: (wave, key) => {
        const rng = stream(0, "degrade", "noise-20dB", key);
        let power = 0;
        for (const x of wave.samples) power += x * x;
        const level = Math.sqrt(power / wave.samples.length) / 10;
        return mapped(wave, (x) => x + level * rng.standardNormal());
      },
    },
  ];
}

/** A kind of sound that is no speech. */
export interface NotSpeech {
  /** Identifier. */
  readonly id: string;
  /** What it is. */
  readonly describe: string;
  /** Makes one example. */
  make(index: number, sampleRateHz: number): Waveform;
}

/** Three seconds of a function of time and of the example's own generator. */
function sound(
  id: string,
  index: number,
  sampleRateHz: number,
  make: (rng: ReturnType<typeof stream>) => (t: number) => number,
): Waveform {
  const at = make(stream(0, "not speech", id, index));
  return {
    samples: Float32Array.from({ length: 3 * sampleRateHz }, (_, i) => at(i / sampleRateHz)),
    sampleRateHz,
  };
}

/** A level from -45 to -15 dB of full scale, drawn anew for each example. */
const level = (rng: ReturnType<typeof stream>): number => 10 ** (rng.uniform(-45, -15) / 20);

/** Sounds that no emotion should be heard in. */
export const notSpeech: readonly NotSpeech[] = [
  {
    id: "silence",
    describe: "digital silence",
    make: (_, sampleRateHz) => ({ samples: new Float32Array(3 * sampleRateHz), sampleRateHz }),
  },
  {
    id: "white-noise",
    describe: "white noise at -45 to -15 dB",
    make: (index, rate) =>
      sound("white-noise", index, rate, (rng) => {
        const amplitude = level(rng);
        return () => amplitude * rng.standardNormal();
      }),
  },
  {
    id: "pink-noise",
    describe: "pink noise at -45 to -15 dB",
    make: (index, rate) =>
      sound("pink-noise", index, rate, (rng) => {
        // P. Kellet's three-pole filter of white noise, within 0.5 dB of 1/f.
        const amplitude = level(rng) / 3;
        let a = 0, b = 0, c = 0;
        return () => {
          const white = rng.standardNormal();
          a = 0.99765 * a + white * 0.0990460;
          b = 0.96300 * b + white * 0.2965164;
          c = 0.57000 * c + white * 1.0526913;
          return amplitude * (a + b + c + white * 0.1848);
        };
      }),
  },
  {
    id: "tone",
    describe: "one steady tone of 100 to 4000 Hz",
    make: (index, rate) =>
      sound("tone", index, rate, (rng) => {
        const amplitude = level(rng), frequency = 100 * 40 ** rng.uniform(0, 1);
        return (t) => amplitude * Math.SQRT2 * Math.sin(2 * Math.PI * frequency * t);
      }),
  },
  {
    id: "music",
    describe: "chords of plucked tones, four a second",
    make: (index, rate) =>
      sound("music", index, rate, (rng) => {
        const amplitude = level(rng);
        const chords = Array.from({ length: 12 }, () => {
          const root = 110 * 2 ** (rng.randint(0, 24) / 12);
          return [1, 5 / 4, 3 / 2].map((ratio) => root * ratio);
        });
        return (t) => {
          const since = t % 0.25, chord = chords[Math.min(11, Math.floor(t / 0.25))]!;
          let sum = 0;
          for (const frequency of chord) {
            for (let h = 1; h <= 6; h++) sum += Math.sin(2 * Math.PI * h * frequency * t) / h ** 1.5;
          }
          return amplitude * sum * Math.exp(-8 * since);
        };
      }),
  },
];
