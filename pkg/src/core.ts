import { fromCore, LandfallError } from "./errors.js";
import type { CoreDatabase, WireEntry, WireMutation, WireReceipt, WireRow, WireState } from "./wire.js";

/**
 * The core of one database, with JSON and errors decoded.
 *
 * A core that panicked never answers what it was asked, so every call in flight is kept here and is
 * rejected by {@link Core.end}.
 *
 * @internal
 */
export class Core {
  readonly #database: CoreDatabase;
  readonly #ended: (reason: LandfallError) => void;
  readonly #inFlight = new Set<(reason: LandfallError) => void>();
  /** Why new calls are refused. */
  #refusal: LandfallError | undefined;
  #over = false;
  #idle = (): void => {};

  /** @param ended - called once, when the core is closed or crashed. */
  constructor(database: CoreDatabase, ended: (reason: LandfallError) => void) {
    this.#database = database;
    this.#ended = ended;
  }

  write(mutations: WireMutation[]): Promise<WireReceipt[]> {
    return this.#ask(() => this.#database.write(JSON.stringify(mutations), false));
  }

  load(collection: string, document?: string): Promise<WireRow[]> {
    return this.#ask(() => this.#database.load(collection, document));
  }

  outbox(): WireEntry[] {
    return JSON.parse(this.#run(() => this.#database.outbox())) as WireEntry[];
  }

  state(): WireState {
    return JSON.parse(this.#run(() => this.#database.state())) as WireState;
  }

  command(name: "now" | "pause" | "resume"): void {
    this.#run(() => this.#database.command(name));
  }

  /** A call of the server; the answer's body, parsed. */
  request<T>(method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
    return this.#ask(() => this.#database.request(method, path, body === undefined ? undefined : JSON.stringify(body)));
  }

  /** As {@link Core.close}, and deletes what is stored. */
  destroy(): Promise<void> {
    return this.close(true);
  }

  /** Refuses new calls at once, lets those in flight come to their end, then lets go of the storage. */
  async close(destroy = false): Promise<void> {
    if (this.#refusal) return;
    const reason = new LandfallError("closed", "the database is closed");
    this.#refusal = reason;
    if (this.#inFlight.size > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    try {
      if (!this.#over) await this.#answer(() => (destroy ? this.#database.destroy() : this.#database.close()));
    } finally {
      this.end(reason);
    }
  }

  /** Rejects everything in flight and everything to come. */
  end(reason: LandfallError): void {
    if (this.#over) return;
    this.#over = true;
    this.#refusal ??= reason;
    for (const reject of this.#inFlight) reject(reason);
    this.#inFlight.clear();
    this.#idle();
    this.#ended(reason);
  }

  async #ask<T>(run: () => Promise<string>): Promise<T> {
    return JSON.parse(await this.#run(() => this.#answer(run))) as T;
  }

  #answer<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const answer = run();
      this.#inFlight.add(reject);
      const settled = (): void => {
        this.#inFlight.delete(reject);
        if (this.#inFlight.size === 0) this.#idle();
      };
      answer.then(
        (value) => {
          resolve(value);
          settled();
        },
        (error: unknown) => {
          reject(fromCore(error));
          settled();
        },
      );
    });
  }

  #run<T>(run: () => T): T {
    if (this.#refusal) throw this.#refusal;
    try {
      return run();
    } catch (thrown) {
      const error = fromCore(thrown);
      if (error.code === "core_crashed") this.end(error);
      throw error;
    }
  }
}
