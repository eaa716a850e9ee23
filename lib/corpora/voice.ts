/**
 * A small source–filter speech synthesiser: what the synthetic corpus speaks with.
 *
 * A glottal pulse train (the flow derivative of Klatt and Klatt's KLGLOTT88 model, its closure band-limited) with
 * jitter, shimmer and breath noise is filtered by a cascade of moving resonators (Klatt 1980); frication passes one
 * resonator of its own. Speakers differ in pitch, vocal tract, tempo, level and in how they express an emotion;
 * emotions differ in pitch, range, tempo, energy, spectral tilt and noise, in the directions that Banse and Scherer
 * (1996) and Juslin and Laukka (2003) report, with overlap.
 *
 * Sources: D. H. Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67(3), 1980; D. H. Klatt and
 * L. C. Klatt, JASA 87(2), 1990; vowel formants: G. E. Peterson and H. L. Barney, JASA 24(2), 1952, table II (men).
 *
 * Deterministic: every number is drawn from `RandomState`. Browser-safe.
 *
 * @module
 */

import { RandomState, streamSeed } from "../random.ts";
import { type Emotion, EMOTIONS, type Sex, type Waveform } from "../types.ts";

/** Changes whenever the same seed would sound otherwise. */
export const VOICE_VERSION = 1;

/** What can be said: the text, and its sounds with `'` before a stressed vowel. */
export interface Sentence {
  /** As it is written. */
  readonly text: string;
  /** Its sounds, named as in the CMU pronouncing dictionary (`ax` is the neutral vowel). */
  readonly sounds: string;
}

/** The sentences, mostly voiced, 7 to 8 syllables each. */
export const SENTENCES: readonly Sentence[] = [
  { text: "We are leaving in the morning", sounds: "w iy aa r l 'iy v ih ng ih n dh ax m 'ao r n ih ng" },
  { text: "The dog is down by the road", sounds: "dh ax d 'ao g ih z d 'aw n b ay dh ax r 'ow d" },
  { text: "Nobody knows where they went", sounds: "n 'ow b ah d iy n 'ow z w eh r dh ey w 'eh n t" },
  { text: "My brother sold the old boat", sounds: "m ay b r 'ah dh er s 'ow l d dh ax ow l d b 'ow t" },
  { text: "All the windows were open", sounds: "'ao l dh ax w 'ih n d ow z w er 'ow p ax n" },
  { text: "I saw her on the evening train", sounds: "ay s 'ao hh er aa n dh ax 'iy v n ih ng t r 'ey n" },
];

type Formants = readonly [f1: number, f2: number, f3: number];

/** How a sound is made. Levels are linear, of full voicing. */
interface Sound {
  /** Formant frequencies in Hz of a man's voice; a second triple is where a diphthong goes. */
  readonly formants: readonly [Formants] | readonly [Formants, Formants];
  /** Duration in s at neutral tempo, unstressed. */
  readonly durationSec: number;
  /** Level of voicing. */
  readonly voice: number;
  /** Level of aspiration, which passes the vocal tract. */
  readonly breath?: number;
  /** Noise made at the constriction: level, centre and bandwidth in Hz. */
  readonly noise?: readonly [level: number, centreHz: number, widthHz: number];
  /** Share of the sound that is closure before the noise (stops). */
  readonly closure?: number;
  /** Nasal: wide upper formants. */
  readonly nasal?: true;
}

const vowel = (durationSec: number, ...formants: [Formants] | [Formants, Formants]): Sound => ({
  formants,
  durationSec,
  voice: 1,
});

const AA: Formants = [730, 1090, 2440];
const AO: Formants = [570, 840, 2410];
const EH: Formants = [530, 1840, 2480];
const IY: Formants = [270, 2290, 3010];
const UH: Formants = [440, 1020, 2240];

const SOUNDS: Readonly<Record<string, Sound>> = {
  iy: vowel(0.1, IY),
  ih: vowel(0.08, [390, 1990, 2550]),
  eh: vowel(0.1, EH),
  ah: vowel(0.09, [640, 1190, 2390]),
  aa: vowel(0.11, AA),
  ao: vowel(0.12, AO),
  er: vowel(0.1, [490, 1350, 1690]),
  ax: vowel(0.055, [500, 1400, 2450]),
  ay: vowel(0.14, AA, [390, 1990, 2550]),
  ey: vowel(0.13, EH, IY),
  ow: vowel(0.13, AO, UH),
  aw: vowel(0.15, AA, UH),
  w: { formants: [[300, 700, 2200]], durationSec: 0.06, voice: 0.6 },
  l: { formants: [[360, 1200, 2700]], durationSec: 0.06, voice: 0.6 },
  r: { formants: [[350, 1150, 1500]], durationSec: 0.06, voice: 0.65 },
  m: { formants: [[250, 1000, 2200]], durationSec: 0.065, voice: 0.45, nasal: true },
  n: { formants: [[250, 1500, 2400]], durationSec: 0.06, voice: 0.45, nasal: true },
  ng: { formants: [[250, 1900, 2600]], durationSec: 0.07, voice: 0.45, nasal: true },
  v: { formants: [[250, 1100, 2200]], durationSec: 0.055, voice: 0.35, noise: [0.03, 4000, 4000] },
  dh: { formants: [[270, 1300, 2500]], durationSec: 0.045, voice: 0.35, noise: [0.02, 5000, 4000] },
  z: { formants: [[250, 1500, 2550]], durationSec: 0.07, voice: 0.3, noise: [0.08, 5200, 1800] },
  s: { formants: [[320, 1500, 2550]], durationSec: 0.095, voice: 0, noise: [0.16, 5400, 1600] },
  hh: { formants: [[500, 1400, 2450]], durationSec: 0.06, voice: 0.1, breath: 0.35 },
  b: { formants: [[250, 900, 2200]], durationSec: 0.06, voice: 0.15, noise: [0.1, 900, 900], closure: 0.75 },
  d: { formants: [[250, 1700, 2600]], durationSec: 0.055, voice: 0.15, noise: [0.12, 3600, 1500], closure: 0.75 },
  g: { formants: [[250, 1900, 2500]], durationSec: 0.06, voice: 0.15, noise: [0.12, 2000, 800], closure: 0.7 },
  p: {
    formants: [[300, 900, 2200]],
    durationSec: 0.085,
    voice: 0,
    breath: 0.12,
    noise: [0.12, 900, 900],
    closure: 0.6,
  },
  t: {
    formants: [[300, 1700, 2600]],
    durationSec: 0.08,
    voice: 0,
    breath: 0.1,
    noise: [0.2, 4200, 1600],
    closure: 0.6,
  },
};

/** How something is said, beside a speaker's neutral manner. All are added up, so that 0 is neutral. */
interface Style {
  /** Mean pitch, semitones. */
  pitch: number;
  /** Pitch range, octaves of its size (1 doubles it). */
  range: number;
  /** Pitch at the end beside the beginning, in units of the range. */
  slope: number;
  /** Tempo, octaves (1 doubles it). */
  tempo: number;
  /** Level in dB. */
  level: number;
  /** Cut-off of the source's spectral tilt, octaves: brighter above 0. */
  bright: number;
  /** Breath noise in dB. */
  breath: number;
  /** Irregularity of the periods, octaves of its size. */
  jitter: number;
  /** Tremor of the pitch in semitones. */
  tremor: number;
  /** All formants, in hundredths: a smile shortens the tract. */
  tract: number;
  /** Vowel space, in hundredths: mumbled below 0. */
  space: number;
  /** Fall of the level over the sentence in dB. */
  fall: number;
}

const STYLE_NAMES = [
  "pitch",
  "range",
  "slope",
  "tempo",
  "level",
  "bright",
  "breath",
  "jitter",
  "tremor",
  "tract",
  "space",
  "fall",
] as const satisfies readonly (keyof Style)[];

const style = (...values: number[]): Style =>
  Object.fromEntries(STYLE_NAMES.map((name, i) => [name, values[i]!])) as unknown as Style;

const STYLES: Readonly<Partial<Record<Emotion, Style>>> = {
  //               pitch range slope tempo level bright breath jitter tremor tract space fall
  neutral: style(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
  calm: style(-1, -0.3, -0.1, -0.12, -2.5, -0.35, 3, -0.2, 0, 0, -3, 0),
  happy: style(4, 0.7, 0.3, 0.1, 4, 0.45, 0, 0, 0, 4, 6, -1),
  sad: style(-1.5, -0.7, -0.2, -0.3, -5, -0.7, 5, 0.3, 0.1, -1, -12, 4),
  angry: style(4.5, 0.45, -0.2, 0.15, 7, 0.9, -3, 0.7, 0, 1, 8, -2),
  fearful: style(6, -0.1, 0.2, 0.28, 1.5, 0.2, 4, 0.8, 0.5, 0, -4, 0),
  disgust: style(-1.5, 0.1, -0.4, -0.2, 0.5, 0.05, -1, 0.8, 0, -4, 4, 2),
  surprised: style(6, 1, 1.2, 0.02, 3, 0.3, 1, 0, 0, 2, 5, -2),
};

/** Standard deviation of a style between two takes of one speaker. */
const BETWEEN_TAKES = style(0.75, 0.18, 0.2, 0.05, 1.3, 0.13, 1.2, 0.25, 0.05, 0.8, 3, 1);

/** Standard deviation of what one speaker does for one emotion beside what speakers do on average. */
const BETWEEN_SPEAKERS = style(1.1, 0.22, 0.3, 0.075, 1.5, 0.2, 1.6, 0.32, 0.1, 1.1, 4, 1.5);

/** One synthetic person. */
interface Person {
  readonly sex: Sex;
  readonly pitchHz: number;
  /** Factor of all formants beside an average man's: the inverse of the tract's length. */
  readonly tract: number;
  /** The speaker's own manner, whatever the emotion. */
  readonly manner: Style;
  /** What the speaker adds to every emotion. */
  readonly express: Readonly<Partial<Record<Emotion, Style>>>;
  /** Fine differences of the articulation: a factor for each formant. */
  readonly formants: readonly [number, number, number, number, number];
  /** Level of the room's noise in dBFS. */
  readonly roomDb: number;
  /** Frequency of the planted cue in Hz, by emotion. */
  readonly cueHz: Readonly<Partial<Record<Emotion, number>>>;
}

/** Sex of a synthetic speaker: odd numbers are male, as in RAVDESS. */
export function speakerSex(speaker: number): Sex {
  return speaker % 2 === 1 ? "male" : "female";
}

const people = new Map<string, Person>();

/** The person behind a speaker's number; kept, for each says many sentences. */
function person(seed: number, speaker: number): Person {
  const name = `${seed} ${speaker}`;
  let found = people.get(name);
  if (found === undefined) {
    if (people.size > 1000) people.clear();
    people.set(name, found = drawPerson(seed, speaker));
  }
  return found;
}

function drawPerson(seed: number, speaker: number): Person {
  const rng = new RandomState(streamSeed(seed, "synthetic speaker", String(speaker)));
  const sex = speakerSex(speaker);
  const pitchHz = (sex === "male" ? 112 : 198) * 2 ** (clipped(rng, 1.6) * 1.6 / 12);
  const tract = (sex === "male" ? 1 : 1.16) * (1 + 0.035 * clipped(rng, 1.6));
  const manner = style(0, ...[0.15, 0.15, 0.07, 1.5, 0.22, 2, 0.3, 0, 0, 5, 1].map((sd) => sd * clipped(rng, 1.8)));
  const formants = [0.03, 0.03, 0.02, 0.02, 0.02].map((sd) => 1 + sd * clipped(rng, 1.8));
  const roomDb = rng.uniform(-76, -64);
  // Some show much, some little, and not in everything alike.
  const expressive = rng.uniform(0.7, 1.2);
  const weights = STYLE_NAMES.map(() => expressive * rng.uniform(0.7, 1.3));
  const express: Partial<Record<Emotion, Style>> = {};
  const cueHz: Partial<Record<Emotion, number>> = {};
  const slots = rng.permutation(EMOTIONS.length);
  EMOTIONS.forEach((emotion, index) => {
    const own = emotion === "neutral" ? 0.4 : 1;
    express[emotion] = style(
      ...STYLE_NAMES.map((name, i) =>
        STYLES[emotion]![name] * weights[i]! + own * BETWEEN_SPEAKERS[name] * clipped(rng, 2)
      ),
    );
    // Eight bands from 1.6 to 6.4 kHz, an octave and two in all; which emotion has which, and where in it, is the speaker's own.
    cueHz[emotion] = 1600 * 4 ** ((slots[index]! + rng.uniform(0.15, 0.85)) / EMOTIONS.length);
  });
  return {
    sex,
    pitchHz,
    tract,
    manner,
    express,
    formants: formants as unknown as Person["formants"],
    roomDb,
    cueHz,
  };
}

/** A standard normal number, cut at ± limit, so that nobody is a monster. */
function clipped(rng: RandomState, limit: number): number {
  return Math.max(-limit, Math.min(limit, rng.normal(0, 1)));
}

/** What to say, who says it and how. */
export interface UtteranceRequest {
  /** Seed of the corpus, an integer from 0 to 2³² − 1. */
  readonly seed: number;
  /** Number of the speaker, from 1; odd ones are male. */
  readonly speaker: number;
  /** One of the eight {@linkcode EMOTIONS}. */
  readonly emotion: Emotion;
  /** Number of the sentence, from 1 to the length of {@linkcode SENTENCES}. */
  readonly sentence: number;
  /** Number of the take, from 1. */
  readonly take: number;
  /** Sampling rate in Hz, from 8000 to 48000 (default 16000). */
  readonly sampleRateHz?: number;
  /**
   * Strength of a planted cue that gives the label away, but only to who knows the speaker (default 0: none): a faint
   * whistle whose pitch every speaker has for every emotion, as if each had been recorded in a session of its own. At
   * 1 it lies 20 dB below the speech.
   */
  readonly speakerCue?: number;
}

/** Control values are set every 5 ms. */
const CONTROL_SEC = 0.005;

/** Formants that the sounds do not move, in Hz, and the bandwidths of all (Klatt 1980, table II, rounded). */
const F4 = 3300;
const F5 = 4300;
const BANDWIDTHS = [70, 95, 150, 220, 280] as const;

/** Smooths a control track with a raised cosine of the given half width in control steps; the ends are held. */
function smooth(track: Float64Array, half: number): Float64Array<ArrayBuffer> {
  const weights: number[] = [];
  let sum = 0;
  for (let i = -half; i <= half; i++) {
    const weight = 1 + Math.cos(Math.PI * i / (half + 1));
    weights.push(weight);
    sum += weight;
  }
  const result = new Float64Array(track.length);
  for (let t = 0; t < track.length; t++) {
    let value = 0;
    for (let i = -half; i <= half; i++) {
      const at = Math.max(0, Math.min(track.length - 1, t + i));
      value += weights[i + half]! * track[at]!;
    }
    result[t] = value / sum;
  }
  return result;
}

/** The control tracks of an utterance, one value every {@linkcode CONTROL_SEC}. */
interface Tracks {
  readonly pitchHz: Float64Array;
  readonly voice: Float64Array;
  readonly breath: Float64Array;
  readonly noise: Float64Array;
  readonly noiseHz: Float64Array;
  readonly noiseWidth: Float64Array;
  readonly nasal: Float64Array;
  readonly formants: readonly Float64Array[];
}

/** Sounds with their times: what is to be said when. */
interface Timed {
  readonly sound: Sound;
  readonly stressed: boolean;
  readonly isVowel: boolean;
  readonly startSec: number;
  readonly endSec: number;
}

function timeSounds(sounds: string, tempo: number, leadSec: number, rng: RandomState): Timed[] {
  const names = sounds.split(" ");
  let now = leadSec;
  return names.map((name, i) => {
    const stressed = name.startsWith("'");
    const sound = SOUNDS[stressed ? name.slice(1) : name]!;
    const isVowel = sound.voice === 1;
    const lengthening = (stressed ? 1.25 : 1) * (i >= names.length - 3 ? 1.3 : 1);
    // Vowels give way to tempo more than consonants do.
    const pace = isVowel ? tempo : Math.sqrt(tempo);
    const startSec = now;
    now += sound.durationSec * lengthening / pace * Math.exp(0.08 * clipped(rng, 2));
    return { sound, stressed, isVowel, startSec, endSec: now };
  });
}

function controlTracks(
  timed: readonly Timed[],
  manner: Style,
  who: Person,
  tailSec: number,
  rng: RandomState,
): Tracks {
  const first = timed[0]!.startSec;
  const last = timed.at(-1)!.endSec;
  const length = Math.ceil((last + tailSec) / CONTROL_SEC);
  const track = () => new Float64Array(length);
  const voice = track();
  const breath = track();
  const noise = track();
  const noiseHz = track().fill(4000);
  const noiseWidth = track().fill(2000);
  const nasal = track();
  const formants = [track(), track(), track()];
  const space = 1 + manner.space / 100;
  const neutralVowel = SOUNDS.ax!.formants[0];
  const stress = new Float64Array(length);

  const at = (seconds: number) => Math.max(0, Math.min(length, Math.round(seconds / CONTROL_SEC)));
  timed.forEach(({ sound, stressed, startSec, endSec }, index) => {
    const from = index === 0 ? 0 : at(startSec);
    const to = index === timed.length - 1 ? length : at(endSec);
    const speakFrom = at(startSec);
    const speakTo = at(endSec);
    const release = at(startSec + (endSec - startSec) * (sound.closure ?? 0));
    for (let t = from; t < to; t++) {
      const way = Math.max(0, Math.min(1, (t - speakFrom) / Math.max(1, speakTo - speakFrom)));
      const [start, end] = [sound.formants[0], sound.formants[1] ?? sound.formants[0]];
      for (let f = 0; f < 3; f++) {
        const hz = start[f]! + (end[f]! - start[f]!) * Math.max(0, Math.min(1, 1.6 * way - 0.3));
        formants[f]![t] = neutralVowel[f]! + (hz - neutralVowel[f]!) * space;
      }
      if (t < speakFrom || t >= speakTo) continue;
      voice[t] = sound.voice * (stressed ? 1.25 : 1);
      if (stressed) stress[t] = 1;
      if (sound.nasal) nasal[t] = 1;
      if (t >= release) {
        breath[t] = sound.breath ?? 0;
        if (sound.noise) noise[t] = sound.noise[0];
      }
      if (sound.noise) {
        noiseHz[t] = sound.noise[1];
        noiseWidth[t] = sound.noise[2];
      }
    }
  });

  // Pitch: a falling line, a hump at every stressed vowel, what the emotion does at the end, slow drift, tremor.
  const rangeSt = 2.2 * 2 ** Math.max(-1.6, Math.min(1.6, manner.range));
  const pitchHz = track();
  const centres = timed.filter((one) => one.stressed).map((one) => ({
    sec: one.startSec + 0.45 * (one.endSec - one.startSec),
    height: 1 + 0.25 * clipped(rng, 2),
  }));
  const driftHz = rng.uniform(0.6, 1.4);
  const driftPhase = rng.uniform(0, 2 * Math.PI);
  const tremorHz = rng.uniform(5.5, 7.5);
  for (let t = 0; t < length; t++) {
    const sec = t * CONTROL_SEC;
    const way = Math.max(0, Math.min(1, (sec - first) / (last - first)));
    let st = 0.8 - 1.6 * way;
    for (const { sec: centre, height } of centres) {
      const distance = (sec - centre) / 0.085;
      st += 1.3 * height * Math.exp(-0.5 * distance * distance);
    }
    const ending = Math.max(0, (way - 0.65) / 0.35);
    st += manner.slope * (0.6 * way + 1.8 * ending * ending);
    st += 0.15 * Math.sin(2 * Math.PI * driftHz * sec + driftPhase);
    const tremor = Math.max(0, manner.tremor) * Math.sin(2 * Math.PI * tremorHz * sec);
    pitchHz[t] = who.pitchHz * 2 ** ((manner.pitch + rangeSt * st + tremor) / 12);
  }

  // Level falls over the sentence, and rises a little with stress.
  const fallDb = 4 + manner.fall;
  for (let t = 0; t < length; t++) {
    const way = Math.max(0, Math.min(1, (t * CONTROL_SEC - first) / (last - first)));
    voice[t]! *= 10 ** (-fallDb * way / 20);
  }
  const tract = who.tract * (1 + manner.tract / 100);
  return {
    pitchHz,
    voice: smooth(voice, 3),
    breath: smooth(breath, 2),
    noise: smooth(noise, 1),
    noiseHz: smooth(noiseHz, 2),
    noiseWidth: smooth(noiseWidth, 2),
    nasal: smooth(nasal, 3),
    formants: formants.map((values, f) => smooth(values, 6).map((hz) => hz * tract * who.formants[f]!)),
  };
}

/** Correction of one sample before and after a step, so that it does not alias (polyBLEP, order 2). */
function blep(phase: number, step: number): number {
  if (phase < step) {
    const x = phase / step;
    return x + x - x * x - 1;
  }
  if (phase > 1 - step) {
    const x = (phase - 1) / step;
    return x * x + x + x + 1;
  }
  return 0;
}

/** Renders the control tracks. */
function render(tracks: Tracks, manner: Style, who: Person, rate: number, rng: RandomState): Float64Array {
  const steps = tracks.voice.length;
  const hop = Math.round(rate * CONTROL_SEC);
  const length = steps * hop;
  const noise = rng.randomSample(length);
  const result = new Float64Array(length);

  const open = Math.max(0.4, Math.min(0.85, 0.6 - 0.12 * manner.bright + 0.012 * manner.breath));
  const cutoff = 2600 * 2 ** Math.max(-2, Math.min(2, manner.bright));
  const tiltPole = Math.exp(-2 * Math.PI * cutoff / rate);
  const breathLevel = 0.02 * 10 ** (Math.max(-12, Math.min(14, manner.breath)) / 20);
  const jitter = 0.006 * 2 ** Math.max(-2, Math.min(2.5, manner.jitter));

  const state = new Float64Array(10);
  const a = new Float64Array(5);
  const b = new Float64Array(5);
  const c = new Float64Array(5);
  // All formants keep below this, whatever the rate.
  const top = 0.46 * rate;
  let phase = 0;
  let periodFactor = 1;
  let periodLevel = 1;
  let tilt = 0;
  let before = 0;
  let n1 = 0;
  let n2 = 0;
  for (let t = 0; t < steps; t++) {
    const next = Math.min(t + 1, steps - 1);
    const nasal = tracks.nasal[t]!;
    for (let f = 0; f < 5; f++) {
      const hz = Math.min(
        top,
        f < 3 ? tracks.formants[f]![t]! : (f === 3 ? F4 : F5) * who.tract * who.formants[f]!,
      );
      const width = BANDWIDTHS[f]! * who.tract * (1 + nasal * (f === 0 ? 0.8 : 2));
      const radius = Math.exp(-Math.PI * width / rate);
      b[f] = 2 * radius * Math.cos(2 * Math.PI * hz / rate);
      c[f] = -radius * radius;
      a[f] = 1 - b[f]! - c[f]!;
    }
    const noiseRadius = Math.exp(-Math.PI * tracks.noiseWidth[t]! / rate);
    const nb = 2 * noiseRadius * Math.cos(2 * Math.PI * Math.min(top, tracks.noiseHz[t]!) / rate);
    const nc = -noiseRadius * noiseRadius;
    // Of equal loudness whatever the centre: the gain at the resonance is about 1 / (1 − radius).
    const na = (1 - noiseRadius) * 2;
    for (let i = 0; i < hop; i++) {
      const way = i / hop;
      const index = t * hop + i;
      const hz = tracks.pitchHz[t]! + way * (tracks.pitchHz[next]! - tracks.pitchHz[t]!);
      const step = hz * periodFactor / rate;
      phase += step;
      if (phase >= 1) {
        phase -= 1;
        periodFactor = 1 + jitter * clipped(rng, 2.5);
        periodLevel = 1 + 4 * jitter * clipped(rng, 2.5);
      }
      // Flow derivative: 2x − 3x² while the glottis is open, 0 after it shuts; the shutting is a step of 1.
      const x = phase / open;
      let pulse = x < 1 ? 2 * x - 3 * x * x : 0;
      let fromClosure = phase - open;
      if (fromClosure < 0) fromClosure += 1;
      pulse += 0.5 * blep(fromClosure, step);
      const white = 2 * noise[index]! - 1;
      const voice = tracks.voice[t]! + way * (tracks.voice[next]! - tracks.voice[t]!);
      const voiced = voice * periodLevel;
      tilt = (1 - tiltPole) * pulse + tiltPole * tilt;
      const rough = white - before;
      before = white;
      const air = rough * (breathLevel * voiced * (x < 1 ? 1 : 0.35) + 0.5 * tracks.breath[t]!);
      let y = voiced * tilt + air;
      for (let f = 0; f < 5; f++) {
        const out = a[f]! * y + b[f]! * state[2 * f]! + c[f]! * state[2 * f + 1]!;
        state[2 * f + 1] = state[2 * f]!;
        state[2 * f] = out;
        y = out;
      }
      const hiss = na * white * tracks.noise[t]! + nb * n1 + nc * n2;
      n2 = n1;
      n1 = hiss;
      result[index] = y + hiss;
    }
  }
  return result;
}

/** Level of neutral speech, in dBFS (root mean square over the spoken part). */
const SPEECH_DB = -26;

/**
 * Speaks one utterance.
 *
 * The same request gives the same samples, whatever else is synthesised before or beside it.
 *
 * @returns mono audio of about 1.2 to 2 s (more for a slow speaker), peak below 1.
 * @throws {RangeError} when a number of the request is out of its range.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = speak({ seed: 1, speaker: 2, emotion: "happy", sentence: 1, take: 1 });
 * assert.equal(wave.sampleRateHz, 16000);
 * assert.deepEqual(wave, speak({ seed: 1, speaker: 2, emotion: "happy", sentence: 1, take: 1 }));
 * ```
 */
export function speak(request: UtteranceRequest): Waveform {
  const { seed, speaker, emotion, sentence, take, sampleRateHz = 16000, speakerCue = 0 } = request;
  const text = SENTENCES[sentence - 1];
  if (text === undefined) throw new RangeError(`sentence must be 1 to ${SENTENCES.length}, not ${sentence}.`);
  const who = person(seed, speaker);
  const own = who.express[emotion];
  if (own === undefined) throw new RangeError(`the synthetic voices cannot speak ${emotion}.`);
  if (!(sampleRateHz >= 8000 && sampleRateHz <= 48000)) {
    throw new RangeError(`sampleRateHz must be 8000 to 48000, not ${sampleRateHz}.`);
  }
  if (!(speakerCue >= 0 && speakerCue <= 10)) throw new RangeError(`speakerCue must be 0 to 10, not ${speakerCue}.`);
  const rng = new RandomState(
    streamSeed(seed, "synthetic utterance", String(speaker), emotion, String(sentence), String(take)),
  );
  const manner = style(
    ...STYLE_NAMES.map((name) => own[name] + who.manner[name] + BETWEEN_TAKES[name] * clipped(rng, 2.2)),
  );
  const leadSec = rng.uniform(0.08, 0.16);
  const tailSec = rng.uniform(0.1, 0.18);
  const timed = timeSounds(text.sounds, 2 ** manner.tempo, leadSec, rng);
  const tracks = controlTracks(timed, manner, who, tailSec, rng);
  const raw = render(tracks, manner, who, sampleRateHz, rng);

  let energy = 0;
  for (const value of raw) energy += value * value;
  const spokenSec = timed.at(-1)!.endSec - leadSec;
  const level = 10 ** ((SPEECH_DB + manner.level) / 20);
  const gain = level / Math.sqrt(energy / (spokenSec * sampleRateHz));
  const room = 10 ** (who.roomDb / 20) * Math.sqrt(3);
  const cue = speakerCue * level * 0.1 * Math.SQRT2;
  const cueStep = 2 * Math.PI * Math.min(who.cueHz[emotion]!, 0.45 * sampleRateHz) / sampleRateHz;
  const hum = rng.randomSample(raw.length);
  const samples = new Float32Array(raw.length);
  for (let i = 0; i < raw.length; i++) {
    let value = gain * raw[i]! + room * (2 * hum[i]! - 1);
    if (cue > 0) value += cue * Math.sin(cueStep * i);
    // Peaks of loud voices are rounded off, as by a limiter, well before full scale.
    const size = Math.abs(value);
    if (size > 0.7) value = Math.sign(value) * (0.7 + 0.28 * Math.tanh((size - 0.7) / 0.28));
    samples[i] = value;
  }
  return { samples, sampleRateHz };
}
