import type { Core } from "./core.js";
import type { LandfallError } from "./errors.js";
import { freeze, same } from "./json.js";
import { firstOf, type Order } from "./order.js";
import type { Json, WireRow, WireSeek } from "./wire.js";

/** A row before its type is known. */
export type AnyRow = { readonly [field: string]: Json } & { readonly id: string };

/** One row's step from what it was to what it is; `null` where there is none. */
export interface Change {
  readonly before: AnyRow | null;
  readonly after: AnyRow | null;
}

/** What a query asks for. */
export interface Plan {
  /** The only row that can match. */
  readonly id: string | undefined;
  readonly matches: (row: AnyRow) => boolean;
  readonly order: Order;
  /** `Infinity` for all. */
  readonly limit: number;
  /** What is enough to know, if an index can tell. */
  readonly seek: WireSeek | undefined;
}

/** Follows rows of a collection. */
export interface Watcher {
  changed(changes: readonly Change[]): void;
  /** What was known no longer counts: load the collection and look again. */
  stale(): void;
  ended(reason: LandfallError): void;
}

/**
 * The rows of one collection that this session has touched: parsed once, frozen, one object for each
 * version of a row.
 *
 * Invariant: what is here is what the core would answer. The core reports every change of a document
 * or collection from the moment it was asked for it, so an event that arrives while an answer is under
 * way is at least as new as the answer, and wins.
 *
 * @internal
 */
export class Rows {
  readonly #core: Core;
  readonly #collection: string;
  /** `null`: known not to exist. Once the collection is complete, only rows that exist are kept. */
  #known = new Map<string, AnyRow | null>();
  /** What was known before it became stale, so that a row that did not change keeps its object. */
  #stale: ReadonlyMap<string, AnyRow | null> = new Map();
  #complete = false;
  readonly #asking = new Set<{ readonly changed: Set<string>; stale: boolean }>();
  /** Loads under way, by document or by what an index was asked for; `undefined` is the whole collection. */
  readonly #loading = new Map<string | undefined, Promise<void>>();
  /** What indexes were asked for, and up to which row in that order all are known; `null` for all of it. */
  readonly #reached = new Map<string, AnyRow | null>();
  readonly #watchers = new Set<Watcher>();
  readonly indexes: readonly string[];

  constructor(core: Core, collection: string, indexes: readonly string[] = []) {
    this.#core = core;
    this.#collection = collection;
    this.indexes = indexes;
  }

  /** Whether the rows that a query asks for are known here. */
  knows(plan: Plan): boolean {
    return plan.id === undefined ? this.reaches(plan) : this.peek(plan.id) !== undefined;
  }

  /** Whether the first of `sorted`, as many as the query shows, are the first of all rows that there are. */
  reaches(plan: Plan, sorted?: readonly AnyRow[]): boolean {
    const { id, seek, order, limit } = plan;
    if (this.#complete || id !== undefined) return true;
    const bound = seek && this.#reached.get(keyOf(seek));
    if (!bound) return bound === null;
    const last = (sorted ?? firstOf(this.filter(plan), order, limit))[limit - 1];
    return last !== undefined && order(last, bound) <= 0;
  }

  /** The row, `null` if there is none, `undefined` if that is not known here. */
  peek(id: string): AnyRow | null | undefined {
    const row = this.#known.get(id);
    return row === undefined && this.#complete ? null : row;
  }

  /** The row, asked of the core if it is not known here. */
  async fetch(id: string): Promise<AnyRow | null> {
    for (;;) {
      const row = this.peek(id);
      if (row !== undefined) return row;
      await this.#load(id);
    }
  }

  /** Loads what a query asks for, unless it is here. */
  async know(plan: Plan): Promise<void> {
    const { id, seek } = plan;
    for (let tries = 1; !this.knows(plan); tries *= 2) {
      try {
        // Rows may leave the first ones as fast as they are read, so it is more every time.
        await this.#load(id, seek && { ...seek, count: tries * seek.count });
      } catch (error) {
        // What is no id names no row.
        if (id === undefined || (error as LandfallError).code !== "invalid_document") throw error;
        this.#known.set(id, null);
      }
    }
  }

  /** As {@link Rows.filter}, once that is all there are. */
  async matching(plan: Plan): Promise<AnyRow[]> {
    // Something may have changed once more since it was known.
    do await this.know(plan);
    while (!this.knows(plan));
    return this.filter(plan);
  }

  /** Rows that match, in no order: of all that are known, or the one with the id. */
  filter({ id, matches }: Pick<Plan, "id" | "matches">): AnyRow[] {
    const rows: AnyRow[] = [];
    for (const row of id === undefined ? this.#known.values() : [this.peek(id)]) {
      if (row && matches(row)) rows.push(row);
    }
    return rows;
  }

  watch(watcher: Watcher): void {
    this.#watchers.add(watcher);
  }

  unwatch(watcher: Watcher): void {
    this.#watchers.delete(watcher);
  }

  /** Takes in what the core reports. */
  apply(reported: readonly WireRow[]): void {
    const changes: Change[] = [];
    for (const row of reported) {
      for (const ask of this.#asking) ask.changed.add(row.id);
      const before = this.#known.get(row.id) ?? null;
      const after = this.#keep(row);
      if (before !== after) changes.push({ before, after });
    }
    if (changes.length > 0) for (const watcher of this.#watchers) watcher.changed(changes);
  }

  /** Forgets everything: the core cannot name what changed. */
  invalidate(): void {
    // Without watchers nothing may ever load it again, and the old rows would stay for nothing.
    if (this.#watchers.size > 0 && (this.#complete || this.#reached.size > 0)) this.#stale = this.#known;
    this.#known = new Map();
    this.#complete = false;
    this.#reached.clear();
    for (const ask of this.#asking) ask.stale = true;
    for (const watcher of this.#watchers) watcher.stale();
  }

  /** Tells all watchers that nothing more will come, and leaves every later question to the core. */
  end(reason: LandfallError): void {
    this.#known = new Map();
    this.#complete = false;
    this.#reached.clear();
    for (const watcher of this.#watchers) watcher.ended(reason);
    this.#watchers.clear();
  }

  #load(id?: string, seek?: WireSeek): Promise<void> {
    // An id holds no control characters.
    const key = id ?? (seek && `\n${keyOf(seek)}`);
    let loading = this.#loading.get(key);
    if (!loading) {
      loading = (id === undefined && seek ? this.#find(seek) : this.#ask(id)).finally(() => this.#loading.delete(key));
      this.#loading.set(key, loading);
    }
    return loading;
  }

  async #ask(id: string | undefined): Promise<void> {
    const ask = { changed: new Set<string>(), stale: false };
    this.#asking.add(ask);
    try {
      const rows = await this.#core.load(this.#collection, id);
      // Rows that came as events came anew after whatever made them stale.
      if (ask.stale && (rows.length > 0 || id !== undefined)) return;
      const news = rows.filter((row) => !ask.changed.has(row.id));
      if (id === undefined) this.apply(news);
      else for (const row of news) this.#keep(row);
      if (id === undefined) this.#finish();
      else if (!this.#known.has(id)) this.#known.set(id, null);
    } finally {
      this.#asking.delete(ask);
    }
  }

  /** Asks an index. All rows come as events. */
  async #find(seek: WireSeek): Promise<void> {
    const ask = { changed: new Set<string>(), stale: false };
    this.#asking.add(ask);
    try {
      const reached = await this.#core.find(this.#collection, seek);
      if (ask.stale) return;
      if (reached === null) return this.#finish();
      this.#reached.set(keyOf(seek), reached === "" ? null : rowOf(seek.field, reached));
      if (this.#asking.size === 1) this.#stale = new Map();
    } finally {
      this.#asking.delete(ask);
    }
  }

  #finish(): void {
    this.#complete = true;
    this.#stale = new Map();
    for (const [id, row] of this.#known) if (row === null) this.#known.delete(id);
  }

  /** Puts a row where the next reader finds it, as the same object if nothing in it changed. */
  #keep({ id, data }: WireRow): AnyRow | null {
    if (data === null) {
      if (this.#complete) this.#known.delete(id);
      else this.#known.set(id, null);
      return null;
    }
    data["id"] = id;
    const old = this.#known.get(id) ?? this.#stale.get(id);
    const row = old && same(old, data) ? old : freeze(data as AnyRow);
    this.#known.set(id, row);
    return row;
  }
}

/** Names what an index is asked for, however many rows are asked for at a time. */
function keyOf(seek: WireSeek): string {
  return JSON.stringify([seek.field, seek.equals, Math.sign(seek.count)]);
}

/** What a key in an index says of its row: what is in front of its value and id is the same in all of them. */
function rowOf(field: string, key: string): AnyRow {
  const [value = "", id = ""] = key.split("\0").slice(-2);
  const text = value.slice(1);
  const kinds = [undefined, null, false, true, () => number(text), () => text.replace(/\x01./g, unescaped)];
  const read = kinds[Number(value[0])];
  return { [field]: typeof read === "function" ? read() : read, id } as AnyRow;
}

/** The bits of a number, so turned that greater numbers have greater ones. */
function number(hex: string): number {
  const bits = BigInt(`0x${hex}`);
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits >> 63n ? bits ^ (1n << 63n) : ~bits);
  return view.getFloat64(0);
}

function unescaped(pair: string): string {
  return pair === "\x01\x01" ? "\0" : "\x01";
}
