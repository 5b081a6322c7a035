import type { Core } from "./core.js";
import type { LandfallError } from "./errors.js";
import { freeze, same } from "./json.js";
import type { Json, WireRow } from "./wire.js";

/** A row before its type is known. */
export type AnyRow = { readonly [field: string]: Json } & { readonly id: string };

/** One row's step from what it was to what it is; `null` where there is none. */
export interface Change {
  readonly before: AnyRow | null;
  readonly after: AnyRow | null;
}

/** Follows a collection that was loaded as a whole. */
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
  /** Loads under way, by document; `undefined` is the whole collection. */
  readonly #loading = new Map<string | undefined, Promise<void>>();
  readonly #watchers = new Set<Watcher>();

  constructor(core: Core, collection: string) {
    this.#core = core;
    this.#collection = collection;
  }

  /** Whether a row is known here, or the whole collection. */
  knows(id: string | undefined): boolean {
    return id === undefined ? this.#complete : this.peek(id) !== undefined;
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

  /** Loads a row, or the whole collection, unless it is here. */
  async know(id: string | undefined): Promise<void> {
    while (!this.knows(id)) {
      try {
        await this.#load(id);
      } catch (error) {
        // What is no id names no row.
        if (id === undefined || (error as LandfallError).code !== "invalid_document") throw error;
        this.#known.set(id, null);
      }
    }
  }

  /** Rows that pass, in no order: of all that are known, or the one with this id. */
  filter(matches: (row: AnyRow) => boolean, id: string | undefined): AnyRow[] {
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
    if (this.#watchers.size > 0 && this.#complete) this.#stale = this.#known;
    this.#known = new Map();
    this.#complete = false;
    for (const ask of this.#asking) ask.stale = true;
    for (const watcher of this.#watchers) watcher.stale();
  }

  /** Tells all watchers that nothing more will come, and leaves every later question to the core. */
  end(reason: LandfallError): void {
    this.#known = new Map();
    this.#complete = false;
    for (const watcher of this.#watchers) watcher.ended(reason);
    this.#watchers.clear();
  }

  #load(id?: string): Promise<void> {
    let loading = this.#loading.get(id);
    if (!loading) {
      loading = this.#ask(id).finally(() => this.#loading.delete(id));
      this.#loading.set(id, loading);
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
