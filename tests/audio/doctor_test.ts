import assert from "node:assert/strict";
import {
  audioContentHash,
  decodeAudio,
  type DecodedAudio,
  decodeWav,
  encodeWav,
  examineAudio,
  findDuplicates,
  resample,
} from "../../lib/audio/mod.ts";
import { readAudioBytes } from "../../lib/audio/load.ts";
import { RandomState } from "../../lib/random.ts";
import { fromBase64 } from "./signals.ts";

/** What a 16-bit WAV file of these samples decodes to. */
function recording(samples: Float32Array, sampleRateHz: number): DecodedAudio {
  return decodeWav(encodeWav({ samples, sampleRateHz }), "x.wav");
}

function speechLike(rate: number, seconds: number): Float32Array {
  // Noise whose level falls with frequency and swells four times a second.
  const white = new RandomState(7).standardNormal(rate * seconds);
  let low = 0;
  return Float32Array.from(white, (x, i) => {
    low = 0.9 * low + x;
    return 0.05 * (low + 0.3 * x) * (0.55 - 0.45 * Math.cos(2 * Math.PI * 4 * i / rate));
  });
}

Deno.test("level, peak and offset are those of the signal", () => {
  const sine = Float32Array.from({ length: 16000 }, (_, i) => 0.5 * Math.sin(2 * Math.PI * 440 * i / 16000) + 0.1);
  const report = examineAudio(recording(sine, 16000), "sine.wav");
  assert.ok(Math.abs(report.peakDbfs - 20 * Math.log10(0.6)) < 0.01, `${report.peakDbfs}`);
  assert.ok(Math.abs(report.rmsDbfs - 10 * Math.log10(0.125 + 0.01)) < 0.01, `${report.rmsDbfs}`);
  assert.ok(Math.abs(report.dcOffset - 0.1) < 1e-4);
  assert.match(report.warnings.join("\n"), /off centre: its mean is 0\.1000/);
  assert.deepEqual([report.file, report.sampleRateHz, report.channels, report.durationSec], ["sine.wav", 16000, 1, 1]);
});

Deno.test("clean full-band audio has no warnings", () => {
  for (const rate of [16000, 22050, 48000]) {
    const report = examineAudio(recording(speechLike(rate, 2), rate), "x.wav");
    assert.deepEqual(report.warnings, []);
    assert.ok(report.bandwidthHz > 0.95 * rate / 2, `${report.bandwidthHz} Hz of ${rate / 2}`);
    assert.equal(report.clippedRuns, 0);
  }
});

Deno.test("telephone speech at 48 kHz shows its 4 kHz, as 16-bit and as float", () => {
  const telephone = resample({ samples: speechLike(8000, 2), sampleRateHz: 8000 }, 48000).samples;
  const float: DecodedAudio = { channels: [telephone], sampleRateHz: 48000, container: "wav", encoding: "float32" };
  for (const decoded of [recording(telephone, 48000), float]) {
    const report = examineAudio(decoded, "phone.wav");
    assert.ok(report.bandwidthHz > 3600 && report.bandwidthHz < 4200, `${report.bandwidthHz} Hz`);
    assert.match(report.warnings.join("\n"), /nothing above (3\.\d|4\.[012]) kHz .*telephone speech/);
  }
});

Deno.test("runs at full scale are clipping, single peaks are not", () => {
  const sine = Float32Array.from({ length: 8000 }, (_, i) => Math.sin(2 * Math.PI * 100 * i / 8000));
  const loud = examineAudio(recording(sine.map((x) => 1.5 * x), 8000), "x.wav");
  assert.ok(loud.clippedRuns >= 199 && loud.clippedRuns <= 200, `${loud.clippedRuns}`);
  assert.ok(Math.abs(loud.clippedFraction - 2 * Math.acos(1 / 1.5) / Math.PI) < 0.02, `${loud.clippedFraction}`);
  assert.match(loud.warnings.join("\n"), /clipped: \d+ runs/);
  const peaks = new Float32Array(8000).fill(0.01);
  for (let i = 0; i < 8000; i += 50) peaks[i] = 1;
  assert.equal(examineAudio(recording(peaks, 8000), "x.wav").clippedRuns, 0);
});

Deno.test("silence at the start, at the end and in between is measured", () => {
  const rate = 16000;
  const samples = new Float32Array(4 * rate);
  samples.set(speechLike(rate, 1), rate);
  samples.fill(0, 1.4 * rate, 1.5 * rate);
  const report = examineAudio(recording(samples, rate), "x.wav");
  assert.ok(Math.abs(report.leadingSilenceSec - 1) < 0.05, `${report.leadingSilenceSec}`);
  assert.ok(Math.abs(report.trailingSilenceSec - 2) < 0.1, `${report.trailingSilenceSec}`);
  assert.ok(report.silenceSec > 3.05 && report.silenceSec < 3.3, `${report.silenceSec}`);
  assert.match(report.warnings.join("\n"), /Most of it is silence: 3\.\d\d s of 4\.00 s/);
});

Deno.test("all-zero audio is reported, not refused", () => {
  const report = examineAudio(recording(new Float32Array(16000), 16000), "x.wav");
  assert.equal(report.allZero, true);
  assert.equal(report.peakDbfs, -Infinity);
  assert.equal(report.bandwidthHz, 0);
  assert.deepEqual(report.warnings, ["Every sample is zero: the file is silent."]);
});

Deno.test("a silent channel and channels that cancel each other are told", () => {
  const samples = speechLike(16000, 1);
  const base = { sampleRateHz: 16000, container: "wav", encoding: "float32" } as const;
  const half = examineAudio({ ...base, channels: [samples, new Float32Array(16000)] }, "x.wav");
  assert.match(half.warnings.join("\n"), /One of its channels is silent/);
  const opposed = examineAudio({ ...base, channels: [samples, samples.map((x) => -x)] }, "x.wav");
  assert.match(opposed.warnings.join("\n"), /cancel each other/);
});

Deno.test("the shortest files are examined too", () => {
  for (const length of [1, 2, 100, 2048, 2049]) {
    const report = examineAudio(recording(new Float32Array(length).fill(0.25), 8000), "x.wav");
    assert.ok(Number.isFinite(report.bandwidthHz));
    assert.equal(report.durationSec, length / 8000);
  }
});

Deno.test("equal sound in different containers is found as a duplicate", async () => {
  const golden: { pcm: { name: string; data: string }[] } = JSON.parse(
    Deno.readTextFileSync(new URL("../golden/audio_containers.json", import.meta.url)),
  );
  const names = ["pcm_s16le.wav", "pcm_s24le.wav", "pcm_s16be.aiff", "mono16.flac", "stereo16.flac"];
  const files = await Promise.all(names.map(async (file) => {
    const { data } = golden.pcm.find(({ name }) => name === file)!;
    return { file, hash: await audioContentHash(await decodeAudio(fromBase64(data), file)) };
  }));
  assert.deepEqual(findDuplicates(files), [["pcm_s16le.wav", "pcm_s16be.aiff", "mono16.flac"]]);
});

// The corpora's README names the silent file and the three pairs.
const corpora = new URL("../../../shared/corpora/CREMA-D/AudioWAV/", import.meta.url).pathname;
let present = true;
try {
  Deno.statSync(corpora);
} catch {
  present = false;
}
Deno.test({
  name: "CREMA-D's silent file and its three pairs of equal audio are found (needs ../shared/corpora)",
  ignore: !present,
  async fn() {
    const names = [...Deno.readDirSync(corpora)].map(({ name }) => name)
      .filter((name) => /^10(06_TIE|13_WSI|17_IWW|76_MTI|01_DFA)_/.test(name)).sort();
    const files: { file: string; hash: string }[] = [];
    const silent: string[] = [];
    for (const file of names) {
      const decoded = await decodeAudio(readAudioBytes(corpora + file), file);
      files.push({ file, hash: await audioContentHash(decoded) });
      if (examineAudio(decoded, file).allZero) silent.push(file);
    }
    assert.deepEqual(silent, ["1076_MTI_SAD_XX.wav"]);
    assert.deepEqual(findDuplicates(files), [
      ["1006_TIE_HAP_XX.wav", "1006_TIE_NEU_XX.wav"],
      ["1013_WSI_DIS_XX.wav", "1013_WSI_SAD_XX.wav"],
      ["1017_IWW_ANG_XX.wav", "1017_IWW_FEA_XX.wav"],
    ]);
  },
});
