/**
 * The service worker: after the first load the page works without a network. It keeps exactly the files that the site
 * lists, each checked against its hash before it is kept, and asks the network for nothing else of the page.
 *
 * @module
 */

/** What the server puts before this script: every file of the site but the worker itself, and its SHA-256. */
interface Listing {
  readonly version: string;
  readonly files: readonly (readonly [path: string, sha256: string])[];
}

/** The part of a service worker's scope that is used here. */
interface Scope {
  readonly SERLAB: Listing;
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  readonly caches: {
    open(name: string): Promise<Cache>;
    keys(): Promise<string[]>;
    delete(name: string): Promise<boolean>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: string, listener: (event: WorkerEvent) => void): void;
}

/** A cache of responses. */
interface Cache {
  match(url: string): Promise<Response | undefined>;
  put(url: string, response: Response): Promise<void>;
}

/** Events of a service worker. */
interface WorkerEvent {
  readonly request: Request;
  readonly data: unknown;
  waitUntil(work: Promise<unknown>): void;
  respondWith(response: Promise<Response>): void;
}

const scope = globalThis as unknown as Scope;
const { version, files } = scope.SERLAB;
const CACHE = `serlab-${version}`;
const base = scope.registration.scope;
const urls = new Map(files.map(([path, hash]) => [new URL(path, base).href, hash]));
const start = new URL("index.html", base).href;

async function sha256(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function keep(cache: Cache, url: string, hash: string): Promise<void> {
  if (await cache.match(url)) return;
  const response = await fetch(url, { cache: "no-cache", credentials: "omit" });
  const bytes = await response.arrayBuffer();
  if (!response.ok || await sha256(bytes) !== hash) throw new Error(`${url} is not the file that was listed.`);
  await cache.put(url, new Response(bytes, { headers: response.headers }));
}

scope.addEventListener("install", (event) =>
  event.waitUntil((async () => {
    const cache = await scope.caches.open(CACHE);
    for (const [url, hash] of urls) await keep(cache, url, hash);
  })()));

scope.addEventListener("activate", (event) =>
  event.waitUntil((async () => {
    const old = (await scope.caches.keys()).filter((name) => name.startsWith("serlab-") && name !== CACHE);
    await Promise.all(old.map((name) => scope.caches.delete(name)));
    await scope.clients.claim();
  })()));

scope.addEventListener("message", (event) => {
  if (event.data === "take over") event.waitUntil(scope.skipWaiting());
});

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const url = new URL(request.url);
  url.hash = "";
  url.search = "";
  const wanted = request.mode === "navigate" && url.href === base ? start : url.href;
  if (!urls.has(wanted)) return;
  event.respondWith((async () => {
    const cache = await scope.caches.open(CACHE);
    return await cache.match(wanted) ?? await fetch(request);
  })());
});
