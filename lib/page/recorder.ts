/**
 * Recording: the microphone's own samples by an audio worklet, and beside it the browser's MediaRecorder, whose file is
 * taken where the worklet gives nothing.
 *
 * @module
 */

/// <reference lib="dom" />

import { PageError } from "./client.ts";

/** What was recorded: samples, or a file to decode. */
export type Recording =
  | { readonly kind: "samples"; readonly samples: Float32Array; readonly sampleRateHz: number }
  | { readonly kind: "file"; readonly bytes: Uint8Array; readonly type: string };

/** How to record. */
export interface RecordOptions {
  /** Script of the worklet. */
  readonly worklet: string;
  /** Longest recording, s. */
  readonly limitSec: number;
  /** Hears the peak of every block, in [0, 1], and how long the recording is, s. */
  readonly onLevel: (peak: number, seconds: number) => void;
}

/** Rate that is asked of the browser, Hz: that of the corpora that most bundles were trained on. */
const RATE_HZ = 48000;

/** What getUserMedia's refusals mean. */
const REFUSALS: Readonly<Record<string, string>> = {
  NotAllowedError:
    "The microphone may not be used: allow it for this page in the browser's settings, or choose a file.",
  NotFoundError: "No microphone was found: plug one in, or choose a file.",
  NotReadableError: "The microphone is in use by another program: close that, or choose a file.",
};

/** A recording under way. */
export class Recorder {
  readonly #stream: MediaStream;
  readonly #context: AudioContext;
  readonly #parts: Float32Array[] = [];
  readonly #chunks: Blob[] = [];
  #media: MediaRecorder | undefined;
  #tap: AudioWorkletNode | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #length = 0;
  #stopping = false;
  readonly #ended = Promise.withResolvers<void>();
  /** Resolves with the recording when it was stopped or reached its limit. */
  readonly done: Promise<Recording>;

  private constructor(stream: MediaStream, context: AudioContext) {
    this.#stream = stream;
    this.#context = context;
    this.done = this.#ended.promise.then(() => this.#finish());
  }

  /**
   * Asks for the microphone and starts.
   *
   * @throws {PageError} when there is no microphone to be had.
   */
  static async start(options: RecordOptions): Promise<Recorder> {
    const devices = navigator.mediaDevices as MediaDevices | undefined;
    if (!devices?.getUserMedia) {
      throw new PageError("This page cannot use a microphone: that takes https or localhost; choose a file instead.");
    }
    let stream: MediaStream;
    try {
      // What browsers do to make speech clearer changes what the features measure.
      const audio = {
        channelCount: 1,
        sampleRate: RATE_HZ,
        echoCancellation: false,
        noiseSuppression: false,
        autoGainControl: false,
      };
      stream = await devices.getUserMedia({ audio });
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      throw new PageError(REFUSALS[name] ?? "The microphone could not be opened; choose a file instead.", {
        cause: error,
      });
    }
    let recorder: Recorder | undefined;
    try {
      recorder = new Recorder(stream, await openContext(stream));
      await recorder.#run(options);
      return recorder;
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      if (error instanceof PageError) throw error;
      throw new PageError("The recording could not be started; choose a file instead.", { cause: error });
    }
  }

  async #run({ worklet, limitSec, onLevel }: RecordOptions): Promise<void> {
    const rate = this.#context.sampleRate;
    await this.#context.resume();
    const source = this.#context.createMediaStreamSource(this.#stream);
    const meter = (peak: number): void => onLevel(peak, this.#length / rate);
    if (this.#context.audioWorklet) {
      await this.#context.audioWorklet.addModule(worklet);
      this.#tap = new AudioWorkletNode(this.#context, "serlab-tap", {
        numberOfOutputs: 0,
        channelCount: 1,
        channelCountMode: "explicit",
        processorOptions: { limit: Math.round(limitSec * rate) },
      });
      this.#tap.port.onmessage = ({ data }: MessageEvent<Float32Array | "end">) => {
        if (data === "end") return this.#ended.resolve();
        this.#parts.push(data);
        this.#length += data.length;
        let peak = 0;
        for (const sample of data) peak = Math.max(peak, Math.abs(sample));
        meter(peak);
      };
      source.connect(this.#tap);
    }
    if (typeof MediaRecorder !== "undefined") {
      this.#media = new MediaRecorder(this.#stream, { audioBitsPerSecond: 128000 });
      this.#media.ondataavailable = ({ data }) => this.#chunks.push(data);
      this.#media.start(250);
    }
    if (this.#tap) return;
    if (!this.#media) throw new PageError("This browser cannot record; choose a file instead.");
    // Without a worklet the level comes from an analyser and the end from a clock.
    const analyser = new AnalyserNode(this.#context, { fftSize: 1024 });
    source.connect(analyser);
    const block = new Float32Array(1024), started = performance.now();
    const look = (): void => {
      const seconds = (performance.now() - started) / 1000;
      if (this.#stopping || seconds >= limitSec) return this.stop();
      analyser.getFloatTimeDomainData(block);
      this.#length = seconds * rate;
      meter(block.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0));
      this.#timer = setTimeout(look, 40);
    };
    look();
  }

  /** Ends the recording; what was heard so far is kept. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    clearTimeout(this.#timer);
    if (this.#tap) this.#tap.port.postMessage("stop");
    else this.#ended.resolve();
  }

  async #finish(): Promise<Recording> {
    this.#stopping = true;
    const media = this.#media;
    const stopped = new Promise<void>((resolve) => {
      if (!media || media.state === "inactive") return resolve();
      media.onstop = () => resolve();
      media.stop();
    });
    const samples = new Float32Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    this.#parts.reduce((at, part) => (samples.set(part, at), at + part.length), 0);
    const sampleRateHz = this.#context.sampleRate;
    const close = (): void => {
      for (const track of this.#stream.getTracks()) track.stop();
      void this.#context.close();
    };
    if (samples.length > 0) {
      void stopped.then(close);
      return { kind: "samples", samples, sampleRateHz };
    }
    await stopped;
    close();
    const bytes = new Uint8Array(await new Blob(this.#chunks).arrayBuffer());
    if (bytes.length === 0) throw new PageError("Nothing was recorded: the microphone gave no sound.");
    return { kind: "file", bytes, type: this.#chunks[0]!.type };
  }
}

/** A context at the rate that is wanted; where the browser cannot, at its own. */
async function openContext(stream: MediaStream): Promise<AudioContext> {
  const context = new AudioContext({ sampleRate: RATE_HZ, latencyHint: "interactive" });
  try {
    context.createMediaStreamSource(stream).disconnect();
    return context;
  } catch {
    // Some browsers refuse a microphone at another rate than the context's.
    await context.close();
    return new AudioContext({ latencyHint: "interactive" });
  }
}
