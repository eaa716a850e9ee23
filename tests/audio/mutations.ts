/** A seeded generator of broken files: what the fuzz test and `tests/bench/fuzz_audio.ts` decode. */

import { readFileSync } from "node:fs";
import { RandomState } from "../../lib/random.ts";
import { fromBase64 } from "./signals.ts";

/** A whole file to start from. */
export interface Seed {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** One file of every container and encoding that is read. */
export function seeds(): Seed[] {
  const read = (name: string) => JSON.parse(readFileSync(new URL(`../golden/${name}`, import.meta.url), "utf8"));
  const { pcm, lossy } = read("audio_containers.json") as { pcm: { name: string; data: string }[]; lossy: typeof pcm };
  const { files, high } = read("aac.json") as { files: typeof pcm; high: typeof pcm };
  const { recordings } = read("audio_mediarecorder.json") as { recordings: { mimeType: string; data: string }[] };
  return [
    ...[...pcm, ...lossy, ...files, ...high].map(({ name, data }) => ({ name, bytes: fromBase64(data) })),
    ...recordings.map(({ mimeType, data }) => ({ name: mimeType, bytes: fromBase64(data) })),
  ];
}

/** Numbers that break parsers: zero, all ones, signs, sizes beyond any file. */
const EXTREMES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

/** Checksums of Ogg pages are made right again in half of the cases, so that what lies behind them is reached. */
function repairOgg(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 27 <= bytes.length && view.getUint32(at) === 0x4f676753;) {
    const segments = bytes[at + 26]!;
    let end = at + 27 + segments;
    for (let i = 0; i < segments; i++) end += bytes[at + 27 + i] ?? 0;
    if (end > bytes.length) return;
    view.setUint32(at + 22, 0, true);
    let crc = 0;
    for (let i = at; i < end; i++) {
      crc ^= bytes[i]! << 24;
      for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? crc << 1 ^ 0x04c11db7 : crc << 1;
    }
    view.setUint32(at + 22, crc >>> 0, true);
    at = end;
  }
}

/**
 * The mutation with a given number: always the same for the same number.
 *
 * @returns The broken file and, in its name, what was done to it.
 */
export function mutation(all: readonly Seed[], index: number): Seed {
  const random = new RandomState(index + 1);
  const draw = (below: number) => random.interval(Math.max(0, below - 1));
  const seed = all[draw(all.length)]!;
  let bytes = seed.bytes.slice();
  const done: string[] = [];
  // Headers lie at the start (and, in MP4, at the end): half of the blows fall there.
  const place = () =>
    draw(2)
      ? draw(bytes.length)
      : draw(2)
      ? draw(Math.min(120, bytes.length))
      : bytes.length - 1 - draw(Math.min(900, bytes.length));
  for (let count = 1 + draw(3); count > 0 && bytes.length > 0; count--) {
    switch (draw(7)) {
      case 0: {
        const flips = 1 + draw(8);
        for (let i = 0; i < flips; i++) {
          const at = place();
          bytes[at] = bytes[at]! ^ 1 << draw(8);
        }
        done.push(`${flips} bits flipped`);
        break;
      }
      case 1:
        bytes = bytes.slice(0, draw(bytes.length));
        done.push(`cut to ${bytes.length}`);
        break;
      case 2:
      case 3: {
        const at = place();
        const value = EXTREMES[draw(EXTREMES.length)]!;
        const width = [1, 2, 4][draw(3)]!;
        const little = draw(2) === 1;
        for (let i = 0; i < width && at + i < bytes.length; i++) {
          bytes[at + i] = value >>> 8 * (little ? i : width - 1 - i);
        }
        done.push(`${value} in ${width} bytes at ${at}`);
        break;
      }
      case 4: {
        const from = draw(bytes.length);
        const length = 1 + draw(Math.min(200, bytes.length - from));
        const next = new Uint8Array(bytes.length - length);
        next.set(bytes.subarray(0, from));
        next.set(bytes.subarray(from + length), from);
        bytes = next;
        done.push(`${length} bytes removed at ${from}`);
        break;
      }
      case 5: {
        const at = draw(bytes.length);
        const length = 1 + draw(300);
        const next = new Uint8Array(bytes.length + length);
        next.set(bytes.subarray(0, at));
        // Either the file's own bytes again, or noise.
        const own = draw(2) === 1;
        for (let i = 0; i < length; i++) next[at + i] = own ? bytes[(at + i) % bytes.length]! : draw(256);
        next.set(bytes.subarray(at), at + length);
        bytes = next;
        done.push(`${length} bytes put in at ${at}`);
        break;
      }
      case 6: {
        const other = all[draw(all.length)]!.bytes;
        const head = draw(Math.min(200, other.length));
        bytes.set(other.subarray(0, Math.min(head, bytes.length)));
        done.push(`the first ${head} bytes of another file`);
        break;
      }
    }
  }
  if (draw(2)) repairOgg(bytes);
  return { name: `${seed.name} #${index} (${done.join(", ")})`, bytes };
}
