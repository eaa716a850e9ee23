/**
 * A site in memory: every file it has, by path. What is not in it cannot be asked for, whatever a request says.
 *
 * @module
 */

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { packBundle } from "../bundle_archive.ts";
import { readBundleFiles } from "../bundle_files.ts";
import { type Bundle, decodeBundle } from "../bundle.ts";
import { FormatError, UsageError } from "../errors.ts";
import { readFileOr, sha256Hex, writeFileAtomic } from "../io.ts";
import type { SiteBundle, SiteInfo } from "../page/protocol.ts";
import type { BuiltApp } from "./build.ts";
import { compressed } from "./compress.ts";
import { PAGE_POLICY } from "./headers.ts";

/** A file of the site. */
export interface SiteFile {
  /** Its bytes. */
  readonly bytes: Uint8Array;
  /** The same by Brotli, where that is smaller. */
  readonly br?: Uint8Array;
  /** The same by gzip. */
  readonly gz?: Uint8Array;
  /** Its media type. */
  readonly type: string;
  /** Its entity tag: the hash of its bytes. */
  readonly etag: string;
  /** Whether its name holds its hash, so that it may be kept for ever. */
  readonly immutable: boolean;
}

/** All files of a site. */
export interface Site {
  /** What the page is told. */
  readonly info: SiteInfo;
  /** Files by path without a leading slash. */
  readonly files: ReadonlyMap<string, SiteFile>;
  /** The bundles, read and checked. */
  readonly bundles: ReadonlyMap<string, { readonly bundle: Bundle; readonly bytes: Uint8Array }>;
}

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json; charset=utf-8",
  serlab: "application/octet-stream",
  svg: "image/svg+xml",
  wasm: "application/wasm",
  wav: "audio/wav",
  webmanifest: "application/manifest+json; charset=utf-8",
};

function siteFile(path: string, bytes: Uint8Array, immutable: boolean, forms?: Pick<SiteFile, "br" | "gz">): SiteFile {
  const type = TYPES[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";
  return {
    bytes,
    type,
    etag: `"${sha256Hex(bytes).slice(0, 24)}"`,
    immutable,
    ...(forms ?? compressed(path, bytes, 6)),
  };
}

function readApp(folder: string): BuiltApp {
  const path = join(folder, "app.json");
  if (!existsSync(path)) {
    throw new FormatError(`${folder}: holds no built page; run: deno task page`);
  }
  const app = JSON.parse(new TextDecoder().decode(readFileOr(path, FormatError))) as BuiltApp;
  if (app.format !== "serlab-page" || app.version !== 1) {
    throw new FormatError(`${path}: is of another version; run: deno task page`);
  }
  return app;
}

const optional = (path: string): Uint8Array | undefined =>
  existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined;

/** JSON that may stand inside a script element. */
const inert = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c");

/**
 * Puts a built page and bundles together.
 *
 * @param appFolder The built page ({@linkcode buildApp}).
 * @param bundlePaths Folders or `.serlab` files of the bundles, the one to start with first.
 * @throws {FormatError} when the page has not been built, was changed, or a bundle does not read.
 * @throws {UsageError} when there is no bundle, or two are of one name.
 */
export async function assembleSite(appFolder: string, bundlePaths: readonly string[]): Promise<Site> {
  const app = readApp(appFolder);
  const files = new Map<string, SiteFile>();
  for (const [path, hash] of Object.entries(app.files)) {
    const bytes = readFileOr(join(appFolder, path), FormatError);
    if (sha256Hex(bytes) !== hash) throw new FormatError(`${appFolder}/${path}: was changed; run: deno task page`);
    const br = optional(join(appFolder, `${path}.br`)), gz = optional(join(appFolder, `${path}.gz`));
    files.set(path, siteFile(path, bytes, true, { ...(br && { br }), ...(gz && { gz }) }));
  }
  if (bundlePaths.length === 0) throw new UsageError("There is no bundle to serve; give one with --model.");
  const bundles = new Map<string, { bundle: Bundle; bytes: Uint8Array }>();
  const listed: SiteBundle[] = [];
  for (const folder of bundlePaths) {
    const id = basename(folder).replace(/\.serlab$/, "").replaceAll(/[^A-Za-z0-9._-]/g, "-");
    if (bundles.has(id)) throw new UsageError(`Two bundles are called ${id}; names must differ.`);
    const parts = readBundleFiles(folder);
    // Refuses a damaged bundle here, where its owner sees it, and not on a visitor's screen.
    const bundle = await decodeBundle(parts, id, { startTf: startTf });
    const bytes = packBundle(parts);
    bundles.set(id, { bundle, bytes });
    const path = `bundles/${id}-${sha256Hex(bytes).slice(0, 10)}.serlab`;
    files.set(path, siteFile(path, bytes, true));
    listed.push({ id, path });
  }
  const text = new TextEncoder();
  const manifest = text.encode(JSON.stringify({
    name: "serlab",
    short_name: "serlab",
    description: "What a small model hears in a voice, computed in this browser.",
    start_url: "../#listen",
    scope: "../",
    display: "standalone",
    background_color: "#f7f5f0",
    theme_color: "#1f5f6b",
    icons: [{ src: `../${app.parts.icon}`, sizes: "any", type: "image/svg+xml" }],
  }));
  const manifestPath = `assets/page-${sha256Hex(manifest).slice(0, 10)}.webmanifest`;
  files.set(manifestPath, siteFile(manifestPath, manifest, true));

  const { worker, worklet, wasm, results } = app.parts;
  const stable = { bundles: listed, examples: app.examples, results, worker, worklet, wasm };
  const version = sha256Hex(
    [app.html, app.serviceWorker, JSON.stringify(stable), ...[...files.values()].map(({ etag }) => etag)].join("\n"),
  ).slice(0, 12);
  const info: SiteInfo = { version, ...stable };
  const places: Readonly<Record<string, string>> = {
    csp: PAGE_POLICY,
    app: app.parts.app,
    style: app.parts.style,
    icon: app.parts.icon,
    manifest: manifestPath,
  };
  const html = text.encode(
    app.html.replace('"{{site}}"', () => inert(info)).replaceAll(/\{\{(\w+)\}\}/g, (_, name) => places[name]!),
  );
  files.set("index.html", siteFile("index.html", html, false));
  const list = [...files].map(([path, { bytes }]) => [path, sha256Hex(bytes)]);
  const listing = { version, files: list.sort(([a], [b]) => a! < b! ? -1 : 1) };
  const script = text.encode(`self.SERLAB=${JSON.stringify(listing)};\n${app.serviceWorker}`);
  files.set("sw.js", siteFile("sw.js", script, false));
  return { info, files, bundles };
}

/** A large model is checked with tf.js too; wasm needs nothing that a server should not be allowed. */
async function startTf(): Promise<void> {
  const { startEngine } = await import("../engine/tf.ts");
  await startEngine({ backend: "wasm" });
}

/**
 * Writes a site as files for any web server.
 *
 * @returns how many files were written.
 * @throws {WriteError} when one cannot be written.
 */
export function writeSite(site: Site, folder: string): number {
  for (const [path, { bytes }] of site.files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileAtomic(join(folder, path), bytes);
  }
  return site.files.size;
}
