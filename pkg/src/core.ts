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
  #end: LandfallError | undefined;

  /** @param ended - called once, when the core is closed or crashed. */
  constructor(database: CoreDatabase, ended: (reason: LandfallError) => void) {
    this.#database = database;
    this.#ended = ended;
  }

  write(mutations: WireMutation[]): Promise<WireReceipt[]> {
    return this.#call(() => this.#database.write(JSON.stringify(mutations)));
  }

  load(collection: string, document?: string): Promise<WireRow[]> {
    return this.#call(() => this.#database.load(collection, document));
  }

  outbox(): WireEntry[] {
    return this.#ask(() => JSON.parse(this.#database.outbox()) as WireEntry[]);
  }

  state(): WireState {
    return this.#ask(() => JSON.parse(this.#database.state()) as WireState);
  }

  command(name: "now" | "pause" | "resume"): void {
    this.#ask(() => this.#database.command(name));
  }

  /** Refuses new calls at once, lets those in flight come to their end, then lets go of the storage. */
  async close(): Promise<void> {
    if (this.#end) return;
    const reason = new LandfallError("closed", "the database is closed");
    this.#end = reason;
    try {
      await this.#database.close();
    } catch (error) {
      throw fromCore(error);
    } finally {
      this.#settle(reason);
    }
  }

  /** Rejects everything in flight and everything to come. */
  end(reason: LandfallError): void {
    if (this.#end) return;
    this.#end = reason;
    this.#settle(reason);
  }

  #settle(reason: LandfallError): void {
    for (const reject of this.#inFlight) reject(reason);
    this.#inFlight.clear();
    this.#ended(reason);
  }

  #call<T>(run: () => Promise<string>): Promise<T> {
    return new Promise((resolve, reject) => {
      const reply = this.#ask(run);
      this.#inFlight.add(reject);
      reply
        .then((text) => {
          this.#inFlight.delete(reject);
          resolve(JSON.parse(text) as T);
        })
        .catch((error: unknown) => {
          this.#inFlight.delete(reject);
          reject(fromCore(error));
        });
    });
  }

  #ask<T>(run: () => T): T {
    if (this.#end) throw this.#end;
    try {
      return run();
    } catch (thrown) {
      const error = fromCore(thrown);
      if (error.code === "core_crashed") this.end(error);
      throw error;
    }
  }
}
