/** The synthetic signal of tests/golden/make_features.py: whole numbers, sums and products, so equal in every language. */
export function synthetic(n: number): Float32Array {
  const out = new Float32Array(n);
  let phase = 0, seed = 1;
  for (let i = 0; i < n; i++) {
    phase = (phase + 21_000_000 + (i * 1200) % 20_000_000) % 2 ** 32;
    seed = Number((BigInt(seed) * 1664525n + 1013904223n) % 2n ** 32n);
    const x = phase / 2 ** 32 * 2 - 1;
    const parabola = 4 * x * (1 - Math.abs(x));
    const noise = seed / 2 ** 32 - 0.5;
    const beat = (i % 5000) / 5000;
    const envelope = 4 * beat * (1 - beat);
    if (i < 1500 || i >= n - 1200 || (9000 <= i && i < 10500)) continue;
    out[i] = envelope * (0.4 * parabola + 0.2 * x) + 0.01 * noise;
  }
  return out;
}
