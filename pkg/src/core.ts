import { fromCore, LandfallError } from "./errors.js";
import type { ExportedItem } from "./export.js";
import type { CoreDatabase, Json, WireAct, WireEntry, WireMutation, WireReceipt, WireRow, WireSeek, WireState } from "./wire.js";

/** A core that crashes more often than this within {@link CALM_MS} is given up. */
const CRASHES_MAX = 3;
const CALM_MS = 60_000;

/** What the server does not have. */
export interface Exported {
  /** How many writes are left out, because they are in the journal alone. */
  readonly unread: number;
  readonly items: ExportedItem[];
  readonly damaged: Json[];
}

/**
 * The core of one database, with JSON and errors decoded.
 *
 * A core that panicked never answers what it was asked, so every call in flight is kept here and is
 * rejected by {@link Core.crash}; those that come later are the next core's.
 *
 * @internal
 */
export class Core {
  #database: CoreDatabase;
  readonly #ended: (reason: LandfallError) => void;
  /** The next core, while it is being started after a crash. */
  #next: Promise<void> | undefined;
  #paused = false;
  readonly #crashes: number[] = [];
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

  write(mutations: WireMutation[], grouped: boolean): Promise<WireReceipt[]> {
    return this.#ask(() => this.#database.write(JSON.stringify(mutations), grouped));
  }

  load(collection: string, document?: string): Promise<WireRow[]> {
    return this.#ask(() => this.#database.load(collection, document));
  }

  find(collection: string, { field, equals, count }: WireSeek): Promise<string | null> {
    return this.#ask(() => this.#database.load(collection, undefined, field, equals, count));
  }

  outbox(): WireEntry[] {
    return JSON.parse(this.#run(() => this.#database.outbox())) as WireEntry[];
  }

  /** Does something to an item of the outbox. */
  attend(id: string, act: WireAct): Promise<WireReceipt[]> {
    return this.#ask(() => this.#database.attend(id, JSON.stringify(act)));
  }

  /** What is in memory of it. */
  export(): Exported {
    return JSON.parse(this.#run(() => this.#database.export())) as Exported;
  }

  async exportAll(): Promise<Exported> {
    for (;;) {
      await this.load("");
      const exported = this.export();
      if (exported.unread === 0) return exported;
    }
  }

  state(): WireState {
    return JSON.parse(this.#run(() => this.#database.state())) as WireState;
  }

  command(name: "now" | "pause" | "resume"): void {
    if (name !== "now") this.#paused = name === "pause";
    if (name === "now" || !this.#next) this.#run(() => this.#database.command(name));
  }

  /** Resolves once a core that has crashed is followed by the next; `undefined` if there is nothing to wait for. */
  get restarting(): Promise<void> | undefined {
    return this.#next;
  }

  /** A call of the server; the answer's body, parsed. */
  request<T>(method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
    return this.#ask(() => this.#database.request(method, path, body === undefined ? undefined : JSON.stringify(body)));
  }

  /** Deletes what is stored and ends, if nothing is lost by it or if it may be. */
  async leave(discard: boolean): Promise<void> {
    await this.#next;
    await this.#run(() => this.#answer(() => this.#database.leave(discard ? Infinity : undefined)));
    this.end(new LandfallError("signed_out", "the user has signed out, and the database is deleted"));
  }

  /** Refuses new calls at once, lets those in flight come to their end, then lets go of the storage. */
  async close(): Promise<void> {
    if (this.#refusal) return;
    const reason = new LandfallError("closed", "the database is closed");
    this.#refusal = reason;
    if (this.#inFlight.size > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await this.#next;
    try {
      if (!this.#over) await this.#answer(async () => this.#database.close());
    } finally {
      this.end(reason);
    }
  }

  /**
   * Rejects everything in flight, and has what comes later done by the core that `restart` gives: one that
   * has read from storage all that was saved.
   *
   * @param restarted - called when there is one.
   */
  crash(reason: LandfallError, restart: () => Promise<CoreDatabase>, restarted: () => void): void {
    const now = performance.now();
    this.#crashes.push(now);
    if (this.#refusal || this.#crashes.filter((at) => now - at < CALM_MS).length > CRASHES_MAX) return this.end(reason);
    this.#reject(reason);
    const next = restart().then(
      (database) => {
        if (this.#next !== next) return void database.close();
        this.#database = database;
        this.#next = undefined;
        if (this.#paused) database.command("pause");
        restarted();
      },
      (error: unknown) => {
        if (this.#next === next) this.end(fromCore(error));
      },
    );
    this.#next = next;
  }

  /** Rejects everything in flight and everything to come. */
  end(reason: LandfallError): void {
    if (this.#over) return;
    this.#over = true;
    this.#next = undefined;
    this.#refusal ??= reason;
    this.#reject(reason);
    this.#ended(reason);
  }

  #reject(reason: LandfallError): void {
    for (const reject of this.#inFlight) reject(reason);
    this.#inFlight.clear();
    this.#idle();
  }

  async #ask<T>(run: () => Promise<string>): Promise<T> {
    if (this.#next) await this.#next;
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
    if (this.#next) throw new LandfallError("core_crashed", "the core is starting anew");
    try {
      return run();
    } catch (thrown) {
      const error = fromCore(thrown);
      // A trap that the core could not tell of itself.
      if (error.code === "core_crashed" && !this.#next) this.end(error);
      throw error;
    }
  }
}
