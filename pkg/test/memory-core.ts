/**
 * A core that keeps everything in memory and does what a test tells it, to test the facade's own logic.
 * The real one is tested in real browsers.
 */

import type {
  CoreDatabase,
  CoreModule,
  Json,
  WireEntry,
  WireEvents,
  WireMutation,
  WireOptions,
  WireReceipt,
  WireRow,
  WireState,
} from "../src/wire.js";

type Data = Record<string, Json>;

export class MemoryCore implements CoreDatabase {
  /** What was handed over, one element for each call of `write`. */
  readonly calls: WireMutation[][] = [];
  readonly commands: string[] = [];
  /** How often each collection (`visits`) or document (`visits/a`) was loaded. */
  readonly loads: string[] = [];
  readonly entries: WireEntry[] = [];
  /** Refuses the next call of `write`. */
  refusal: { code: string; message: string } | undefined;
  /** Answers wait here while it is there; {@link MemoryCore.release} gives them. */
  held: (() => void)[] | undefined;
  closed = false;
  wireState: WireState = {
    online: true,
    phase: "idle",
    pending: 0,
    failed: 0,
    oldestPendingAt: null,
    lastSyncedAt: null,
    nextTryAt: null,
    progress: { done: 0, total: 0, bytes: 0 },
    breaker: "closed",
    clockSkewMs: 0,
    reason: null,
    damaged: 0,
  };
  readonly #documents = new Map<string, Map<string, Data>>();
  readonly #listener: (events: string) => void;
  #count = 0;

  constructor(listener: (events: string) => void) {
    this.#listener = listener;
  }

  async write(json: string): Promise<string> {
    const mutations = JSON.parse(json) as WireMutation[];
    this.calls.push(mutations);
    const refusal = this.refusal;
    if (refusal) {
      this.refusal = undefined;
      throw refusal;
    }
    const rows: WireRow[] = [];
    const receipts = mutations.map((mutation): WireReceipt => {
      this.#count += 1;
      const document = mutation.document ?? `d${String(this.#count).padStart(6, "0")}`;
      rows.push(this.put(mutation.collection, document, this.#result(mutation, document)));
      return { document, mutation: `w:${this.#count}` };
    });
    this.emit({ rows });
    await this.#answered();
    return JSON.stringify(receipts);
  }

  async load(collection: string, document?: string): Promise<string> {
    this.loads.push(document === undefined ? collection : `${collection}/${document}`);
    const rows = [...this.#table(collection)]
      .filter(([id]) => document === undefined || id === document)
      .map(([id, data]): WireRow => ({ collection, id, data }));
    const reply = JSON.stringify(rows);
    await this.#answered();
    return reply;
  }

  outbox(): string {
    return JSON.stringify(this.entries);
  }

  state(): string {
    return JSON.stringify(this.wireState);
  }

  command(name: "now" | "pause" | "resume"): void {
    this.commands.push(name);
  }

  async attend(): Promise<string> {
    throw { code: "not_found", message: "no such item" };
  }

  export(): string {
    return JSON.stringify({ items: this.entries });
  }

  async request(): Promise<string> {
    throw { code: "unreachable", message: "no server" };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  async destroy(): Promise<void> {
    this.closed = true;
  }

  // === What a test does ===

  emit(events: WireEvents): void {
    this.#listener(JSON.stringify(events));
  }

  /** Changes a document without telling anybody. */
  put(collection: string, id: string, data: Data | null): WireRow {
    if (data === null) this.#table(collection).delete(id);
    else this.#table(collection).set(id, data);
    return { collection, id, data };
  }

  /** Changes documents as a pull would. */
  pull(collection: string, changes: Record<string, Data | null>): void {
    this.emit({ rows: Object.entries(changes).map(([id, data]) => this.put(collection, id, data)) });
  }

  progress(state: Partial<WireState>): void {
    this.wireState = { ...this.wireState, ...state };
    this.emit({ state: this.wireState });
  }

  hold(): void {
    this.held = [];
  }

  release(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const answer of held) answer();
  }

  async #answered(): Promise<void> {
    if (this.held) await new Promise<void>((resolve) => this.held?.push(resolve));
  }

  #table(collection: string): Map<string, Data> {
    let table = this.#documents.get(collection);
    if (!table) this.#documents.set(collection, (table = new Map()));
    return table;
  }

  #result(mutation: WireMutation, document: string): Data | null {
    if (mutation.op === "delete") return null;
    if (mutation.op === "create") return mutation.data;
    const current = this.#table(mutation.collection).get(document);
    if (!current) throw { code: "not_found", message: document };
    const merged = { ...current, ...mutation.data };
    for (const pointer of mutation.unset ?? []) delete merged[pointer.slice(1)];
    return merged;
  }
}

/** A module that keeps every core it opened. */
export class MemoryModule implements CoreModule {
  readonly opened: { core: MemoryCore; options: WireOptions; auth: (() => Promise<string | null>) | null }[] = [];
  /** Runs before the open is answered. */
  opening: (core: MemoryCore) => void | Promise<void> = () => {};

  async open(
    options: WireOptions,
    auth: (() => Promise<string | null>) | null,
    listener: (events: string) => void,
  ): Promise<CoreDatabase> {
    const core = new MemoryCore(listener);
    this.opened.push({ core, options, auth });
    await this.opening(core);
    return core;
  }

  get core(): MemoryCore {
    const last = this.opened.at(-1);
    if (!last) throw new Error("nothing was opened");
    return last.core;
  }
}
