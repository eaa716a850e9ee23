/**
 * The page: its views, the worker, and what keeps it working without a network.
 *
 * @module
 */

/// <reference lib="dom" />

import { ClassroomView } from "./classroom.ts";
import { Client, PageError } from "./client.ts";
import { byId, showError } from "./dom.ts";
import { ListenView } from "./listen.ts";
import type { SiteInfo } from "./protocol.ts";
import { ResultsView } from "./results.ts";

const VIEWS = ["listen", "classroom", "results"] as const;

const site = JSON.parse(byId("site").textContent!) as SiteInfo;
const absolute = (path: string): string => new URL(path, document.baseURI).href;
const client = new Client(absolute(site.worker));
const listen = new ListenView(client, {
  ...site,
  worklet: absolute(site.worklet),
  bundles: site.bundles.map(({ id, path }) => ({ id, path: absolute(path) })),
});
const classroom = new ClassroomView(client);
const results = new ResultsView(site.results);

function route(moveFocus: boolean): void {
  const name = VIEWS.find((view) => location.hash === `#${view}`) ?? "listen";
  for (const view of VIEWS) byId(`view-${view}`).hidden = view !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const title = byId(`title-${name}`);
  document.title = `${title.textContent} – serlab`;
  if (moveFocus) {
    scrollTo(0, 0);
    title.focus({ preventScroll: true });
  }
  if (name === "results") void results.show();
  listen.redraw();
  classroom.redraw();
}

addEventListener("hashchange", () => {
  if (VIEWS.some((view) => location.hash === `#${view}`)) route(true);
});
route(false);

async function keepOffline(): Promise<void> {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  const note = byId("offline-state");
  const registration = await serviceWorker.register("sw.js", { updateViaCache: "none" });
  void serviceWorker.ready.then(() => {
    note.textContent = "Nothing you record or choose is sent anywhere. This page now works without a network.";
    document.documentElement.dataset["offline"] = "ready";
  });
  const offer = (): void => {
    if (!registration.waiting || !serviceWorker.controller) return;
    byId("update").hidden = false;
    byId("update-now").onclick = () => {
      serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
      registration.waiting?.postMessage("take over");
    };
  };
  offer();
  registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", offer));
}

try {
  await client.ask("start", { wasm: absolute(site.wasm) });
  await listen.start();
  performance.mark("serlab-ready");
  document.documentElement.dataset["ready"] = "true";
} catch (error) {
  byId("engine-state").textContent = "";
  showError(error instanceof PageError ? error.message : "The page could not be started; reload it.");
}
// After the first answer can be given: the rest of the site must not be in its way.
keepOffline().catch((error) => console.warn("This page will need a network:", error));
