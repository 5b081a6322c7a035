/** The network between page and server, and everything that can go wrong with it; see tests/faultproxy. */
import { FAULTPROXY } from "./products.mjs";
import { Program } from "./program.mjs";

/** Where writes are pushed, and where tokens come from. */
export const BATCH = "/api/v1/sync/batch";

/** A batch with writes in it; one without only asks what time it is. */
const WRITES = '"mutations":[{';

/** Longer than any backoff that a test runs into; nothing waits for it unless something is broken. */
const PATIENCE_MS = 100_000;

export class Proxy {
  #program;
  #control;
  /** What pages know as the server. */
  origin;

  static async start(upstream) {
    const proxy = new Proxy();
    proxy.#program = new Program(FAULTPROXY, ["--upstream", upstream]);
    proxy.#control = await proxy.#program.line("control on ");
    proxy.origin = await proxy.#program.line("listening on ");
    return proxy;
  }

  async stop() {
    await this.#program.stop();
  }

  /**
   * Adds a rule behind those that are there: `rule(BATCH, { kind: "cut_reply" }, 1)`.
   *
   * @param holds - only for requests whose body holds this text, where no rule without it fits.
   */
  async rule(path, fault, times, holds = path === BATCH ? WRITES : undefined) {
    await this.#ask("POST", "/rules", { path, fault, times, holds });
  }

  /** Forgets all rules, or those for exactly this path. */
  async clear(path) {
    await this.#ask("DELETE", path ? `/rules?path=${path}` : "/rules");
  }

  /** From here on nothing gets through, in either direction. */
  async goOffline() {
    await this.rule("/", { kind: "refuse" });
  }

  /** Ends that; rules that were added meanwhile are in force from the first exchange on. */
  async goOnline() {
    await this.clear("/");
  }

  /** Lets go what is held. */
  async release() {
    await this.#ask("POST", "/release");
  }

  /** The exchanges that fit: by `path`, `method`, `fault`, `stage`, `status`, `after`. */
  async log(filter = {}) {
    return this.#ask("GET", `/log?${query(filter)}`);
  }

  /** Resolves once `count` exchanges fit. */
  async until(filter, count = 1) {
    const response = await fetch(`${this.#control}/log?${query({ ...filter, count, timeout: PATIENCE_MS })}`);
    const found = await response.json();
    if (response.ok) return found;
    const all = (await this.log()).map(({ method, path, fault, stage, status }) => [method, path, fault, stage, status].join(" "));
    throw new Error(`${found.length} of ${count} exchanges fit ${query(filter)}:\n${all.join("\n")}`);
  }

  /** The batches with writes that were pushed, each with its mutations. */
  async batches() {
    const exchanges = (await this.log({ path: BATCH })).filter(({ request }) => request?.includes(WRITES));
    return exchanges.map((exchange) => ({ ...exchange, ...JSON.parse(exchange.request) }));
  }

  async #ask(method, path, body) {
    const response = await fetch(`${this.#control}${path}`, { method, body: body && JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`the proxy answered ${response.status} to ${method} ${path}: ${text}`);
    return JSON.parse(text);
  }
}

function query(filter) {
  return Object.entries(filter)
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}
