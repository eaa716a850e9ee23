/**
 * Runs on the audio thread: hands on the microphone's samples, mono, as they come, up to a limit.
 *
 * @module
 */

/** What the worklet's scope has that TypeScript's DOM library does not name. */
interface WorkletScope {
  readonly sampleRate: number;
  AudioWorkletProcessor: new () => { readonly port: MessagePort };
  registerProcessor(name: string, processor: unknown): void;
}

/** Port of a worklet, as far as it is used here. */
interface MessagePort {
  postMessage(message: unknown, transfer?: ArrayBuffer[]): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
}

const scope = globalThis as unknown as WorkletScope;

/** Samples of a message: 1/47 s at 48 kHz, often enough for a level meter. */
const BLOCK = 1024;

/** Longest stretch of nothing at the start that is left out, s: until a microphone gives its first sample. */
const MOST_WAITING_SEC = 1;

class Tap extends scope.AudioWorkletProcessor {
  #block = new Float32Array(BLOCK);
  #filled = 0;
  #left: number;
  #ended = false;
  #waiting = Math.round(MOST_WAITING_SEC * scope.sampleRate);

  constructor(options: { readonly processorOptions: { readonly limit: number } }) {
    super();
    this.#left = options.processorOptions.limit;
    this.port.onmessage = () => this.#end();
  }

  #flush(): void {
    const part = this.#block.slice(0, this.#filled);
    this.#filled = 0;
    if (part.length > 0) this.port.postMessage(part, [part.buffer]);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#flush();
    this.port.postMessage("end");
  }

  /** Called by the browser for every 128 samples; false lets it forget the node. */
  process(inputs: readonly (readonly Float32Array[])[]): boolean {
    const channels = inputs[0];
    if (this.#ended) return false;
    if (!channels || channels.length === 0) return true;
    let first = 0;
    // Browsers give zeros before the microphone gives sound: digital silence that no room has.
    while (this.#waiting > 0 && first < channels[0]!.length) {
      if (channels.some((channel) => channel[first] !== 0)) this.#waiting = 0;
      else {
        this.#waiting--;
        first++;
      }
    }
    const n = Math.min(channels[0]!.length - first, this.#left);
    for (let i = first; i < first + n; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i]!;
      this.#block[this.#filled++] = sum / channels.length;
      if (this.#filled === BLOCK) this.#flush();
    }
    this.#left -= n;
    if (this.#left === 0) this.#end();
    return !this.#ended;
  }
}

scope.registerProcessor("serlab-tap", Tap);
