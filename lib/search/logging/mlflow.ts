/**
 * Logging to an MLflow server by its REST API 2.0 (https://mlflow.org/docs/latest/rest-api.html).
 *
 * Everything is sent in the background, in order. A server that cannot be reached, or refuses, is named in one line, and
 * then nothing more is sent: a sweep never waits for its log.
 *
 * @module
 */

import { UsageError } from "../../errors.ts";
import { type LoggedRun, type LoggerOptions, type RunEnd, type RunLogger, valueText } from "./types.ts";

/** How to talk to the server. */
export interface MlflowOptions extends LoggerOptions {
  /** Name and password; default `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`, as MLflow's own client. */
  readonly user?: { readonly name: string; readonly password: string } | undefined;
  /** A bearer token; default `MLFLOW_TRACKING_TOKEN`. */
  readonly token?: string | undefined;
  /** Time for one request, ms; default 10 000. */
  readonly timeoutMs?: number | undefined;
}

// Limits of one runs/log-batch request and of its values, by the REST API's reference.
const MAX_METRICS = 1000, MAX_PARAMS = 100, MAX_PARAM_CHARS = 6000, MAX_TAG_CHARS = 5000;
// A log that falls so far behind would fill the memory.
const MAX_QUEUED = 20000;

const STATUS: Readonly<Record<RunEnd, string>> = { done: "FINISHED", pruned: "KILLED", failed: "FAILED" };

/** A name as MLflow takes it: letters, digits, `_ - . / ` and spaces. */
function safeName(name: string): string {
  return name.replaceAll(/[^\w\-. /]/g, "_");
}

/** Numbers as protocol buffers' JSON has them. */
function jsonNumber(value: number): number | string {
  return Number.isNaN(value) ? "NaN" : value === Infinity ? "Infinity" : value === -Infinity ? "-Infinity" : value;
}

/** What a refusal says, in a few words. */
function shortReason(text: string): string {
  let said = text;
  try {
    const { message, error_code } = JSON.parse(text) as { message?: string; error_code?: string };
    said = message || error_code || text;
  } catch { /* not JSON: a proxy's page, say */ }
  const line = said.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ").trim();
  return line.length > 200 ? `${line.slice(0, 200)} …` : line || "no reason given";
}

class Refused extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/** Why a request got no answer. */
function connectionReason(error: unknown, timeoutMs: number): string {
  if (error instanceof DOMException && error.name === "TimeoutError") return `no answer in ${timeoutMs / 1000} s`;
  const text = `${error instanceof Error ? `${error.message} ${error.cause ?? ""}` : error}`;
  if (/refused/i.test(text)) return "no server answers there (connection refused)";
  if (/dns|lookup|not known|resolve/i.test(text)) return "its name is not known";
  if (/certificate|tls|ssl/i.test(text)) return "the TLS connection failed";
  if (error instanceof Deno.errors.NotCapable) return "serlab was started without permission for the network";
  return "the connection failed";
}

/**
 * Logs runs to an MLflow server: one experiment a study or sweep, one run a trial, its settings as parameters, its
 * curves as metrics.
 *
 * @param url Address of the server, such as `http://127.0.0.1:5000`; name and password may stand in it.
 * @throws {UsageError} when it is no such address.
 */
export function mlflowLogger(url: string, options: MlflowOptions): RunLogger {
  const address = URL.canParse(url) ? new URL(url) : undefined;
  if (address === undefined || !/^https?:$/.test(address.protocol)) {
    // A password may stand in it.
    const shown = url.includes("@") ? "this" : url;
    throw new UsageError(`--mlflow takes the address of a server, such as http://127.0.0.1:5000, not ${shown}.`);
  }
  const env = (name: string): string | undefined => Deno.env.get(name) || undefined;
  const name = decodeURIComponent(address.username) || options.user?.name || env("MLFLOW_TRACKING_USERNAME");
  const password = decodeURIComponent(address.password) || options.user?.password || env("MLFLOW_TRACKING_PASSWORD");
  const token = options.token ?? env("MLFLOW_TRACKING_TOKEN");
  address.username =
    address.password =
    address.search =
    address.hash =
      "";
  const base = address.href.replace(/\/+$/, "");
  const headers: Record<string, string> = name !== undefined
    // Base64 of UTF-8, as RFC 7617 wants it.
    ? { authorization: `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${name}:${password ?? ""}`)))}` }
    : token !== undefined
    ? { authorization: `Bearer ${token}` }
    : {};
  const now = options.now ?? Date.now;
  const timeoutMs = options.timeoutMs ?? 10000;
  let broken = false, queued = 0, tail: Promise<void> = Promise.resolve();

  const giveUp = (reason: string): void => {
    if (broken) return;
    broken = true;
    options.onNotice(`MLflow: ${base}: ${reason}; no more is logged there.`);
  };
  const send = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const text = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body);
    const response = await fetch(`${base}/api/2.0/${path}`, {
      method,
      headers: text === null ? headers : { ...headers, "content-type": "application/json" },
      body: text,
      signal: AbortSignal.timeout(timeoutMs),
    });
    const said = await response.text();
    if (!response.ok) throw new Refused(response.status, shortReason(said));
    try {
      return said.trim() === "" ? {} : JSON.parse(said);
    } catch {
      throw new Refused(response.status, "it is no MLflow server");
    }
  };
  /** Does something after everything before it; what fails ends the logging, said once. */
  const enqueue = (work: () => Promise<void>): void => {
    if (broken) return;
    if (queued >= MAX_QUEUED) return giveUp("it is too slow for what there is to log");
    queued++;
    tail = tail.then(async () => {
      try {
        if (!broken) await work();
      } catch (error) {
        giveUp(
          error instanceof Refused
            ? error.status === 401 || error.status === 403
              ? "name, password or token is wrong"
              : `it refused (${error.status}: ${error.message.replace(/\.$/, "")})`
            : connectionReason(error, timeoutMs),
        );
      } finally {
        queued--;
      }
    });
  };

  const experiments = new Map<string, string>();
  const experimentId = async (experiment: string): Promise<string> => {
    const known = experiments.get(experiment);
    if (known !== undefined) return known;
    let id: string;
    try {
      id = String((await send("POST", "mlflow/experiments/create", { name: experiment })).experiment_id);
    } catch (error) {
      // It is there already: of an earlier run, or of another process just now.
      if (!(error instanceof Refused) || error.status !== 400) throw error;
      const path = `mlflow/experiments/get-by-name?experiment_name=${encodeURIComponent(experiment)}`;
      const found = (await send("GET", path)).experiment as { experiment_id: string; lifecycle_stage?: string };
      if (found.lifecycle_stage === "deleted") throw error;
      id = String(found.experiment_id);
    }
    experiments.set(experiment, id);
    return id;
  };

  return {
    start({ experiment, name: runName, params, tags = {} }): LoggedRun {
      let id = "", artifacts: string | null = null;
      // Metrics wait for one another, so that a short training is one request and not one an epoch.
      let waiting: { key: string; value: number | string; timestamp: number; step: number }[] = [];
      const flush = async (): Promise<void> => {
        while (waiting.length > 0 && id !== "") {
          const metrics = waiting.slice(0, MAX_METRICS);
          waiting = waiting.slice(MAX_METRICS);
          await send("POST", "mlflow/runs/log-batch", { run_id: id, metrics });
        }
      };
      const started = now();
      enqueue(async () => {
        const own = Object.entries(tags).map(([key, value]) => ({
          key: safeName(key),
          value: value.slice(0, MAX_TAG_CHARS),
        }));
        const answer = await send("POST", "mlflow/runs/create", {
          experiment_id: await experimentId(experiment),
          start_time: started,
          run_name: runName,
          tags: [{ key: "mlflow.source.name", value: "serlab" }, ...own],
        });
        const info = (answer.run as { info: { run_id: string; artifact_uri?: string } }).info;
        id = info.run_id;
        // A server that keeps artifacts itself names them so; other stores need their own clients.
        artifacts = info.artifact_uri?.startsWith("mlflow-artifacts:/")
          ? new URL(info.artifact_uri).pathname.replace(/^\/+/, "")
          : null;
        const all = Object.entries(params).map(([key, value]) => ({
          key: safeName(key),
          value: valueText(value).slice(0, MAX_PARAM_CHARS),
        }));
        for (let at = 0; at < all.length; at += MAX_PARAMS) {
          await send("POST", "mlflow/runs/log-batch", { run_id: id, params: all.slice(at, at + MAX_PARAMS) });
        }
      });
      return {
        metrics(step, values) {
          if (broken) return;
          const timestamp = now();
          for (const [key, value] of Object.entries(values)) {
            waiting.push({ key: safeName(key), value: jsonNumber(value), timestamp, step });
          }
          enqueue(flush);
        },
        artifact(file, content) {
          enqueue(async () => {
            if (artifacts === null) return;
            const path = file.split("/").map(encodeURIComponent).join("/");
            await send("PUT", `mlflow-artifacts/artifacts/${artifacts}/${path}`, content);
          });
        },
        end(status, reason) {
          const ended = now();
          enqueue(async () => {
            await flush();
            if (reason !== undefined) {
              await send("POST", "mlflow/runs/set-tag", {
                run_id: id,
                key: "serlab.reason",
                value: reason.slice(0, MAX_TAG_CHARS),
              });
            }
            await send("POST", "mlflow/runs/update", { run_id: id, status: STATUS[status], end_time: ended });
          });
        },
      };
    },
    close: async () => {
      // What is enqueued while the last is being sent counts too.
      for (let last: Promise<void> | undefined; last !== tail;) await (last = tail);
    },
  };
}
