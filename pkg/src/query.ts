import { LandfallError } from "./errors.js";
import { same } from "./json.js";
import { firstOf, orderOf } from "./order.js";
import type { AnyRow, Plan, Rows } from "./rows.js";
import type { Filter } from "./schema.js";
import { View } from "./view.js";
import type { WireSeek } from "./wire.js";

interface Terms {
  readonly filter: Readonly<Record<string, unknown>>;
  readonly field?: string;
  readonly descending?: boolean;
  readonly limit?: number;
}

/**
 * A question to a collection. It never changes: {@link Query.orderBy} and {@link Query.limit} give a
 * new one. It sees writes as soon as they are made, sent or not.
 */
export class Query<R extends { readonly id: string }> {
  readonly #rows: Rows;
  readonly #terms: Terms;
  readonly #matches: (row: AnyRow) => boolean;

  /** @internal */
  constructor(rows: Rows, terms: Terms) {
    this.#rows = rows;
    this.#terms = terms;
    this.#matches = matcher(terms.filter);
  }

  /**
   * Narrows the query to rows in which every given field equals the given value. Lists and objects are
   * compared whole. `null` finds `null`, not what is absent.
   *
   * @throws {@link LandfallError} `invalid_options` for `undefined`: a filter whose value got lost must
   * not become a query for everything.
   */
  where(filter: Filter<R>): Query<R> {
    return this.#with({ filter: { ...this.#terms.filter, ...filter } });
  }

  /**
   * Sorts by one field, instead of by id (which is the order of creation): absent < `null` < `false` <
   * `true` < numbers < text < lists and objects. Rows that are equal in it go by id. Text goes by code
   * units, not by the rules of a language.
   */
  orderBy(field: keyof R & string, direction: "asc" | "desc" = "asc"): Query<R> {
    if (direction !== "asc" && direction !== "desc") {
      throw new LandfallError("invalid_options", `no such direction: ${String(direction)}`);
    }
    return this.#with({ field, descending: direction === "desc" });
  }

  /**
   * Keeps the first `count` rows.
   *
   * @throws {@link LandfallError} `invalid_options` unless `count` is 0, 1, 2 …
   */
  limit(count: number): Query<R> {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new LandfallError("invalid_options", `not a limit: ${String(count)}`);
    }
    return this.#with({ limit: count });
  }

  /**
   * Whether both ask the same of the same collection, so that one answer serves both. For frameworks,
   * in which a query is made anew with every rendering.
   */
  equals(other: Query<R>): boolean {
    return this.#rows === other.#rows && same(this.#terms, other.#terms);
  }

  /**
   * The rows, in order; frozen.
   *
   * @throws {@link LandfallError} `storage_unavailable`, `closed`, `core_crashed`.
   */
  async all(): Promise<R[]> {
    const plan = this.#plan();
    return typed<R>(firstOf(await this.#rows.matching(plan), plan.order, plan.limit));
  }

  /**
   * How many rows {@link Query.all} gives.
   *
   * @throws {@link LandfallError} `storage_unavailable`, `closed`, `core_crashed`.
   */
  async count(): Promise<number> {
    const plan = this.#plan();
    return Math.min((await this.#rows.matching(plan)).length, plan.limit);
  }

  /**
   * Calls `listener` with the rows as soon as they are loaded, and again whenever they have changed,
   * by whatever cause, once for each turn. Never called from within `subscribe`, nor after the end.
   *
   * Every call has its own array; a row that did not change is the same object as before.
   *
   * With `onError`, a failure to load the rows and a crash of the core are told there, and nothing
   * comes after; without it they go to the global error handler. Closing the database just ends it.
   *
   * @returns what ends it.
   */
  subscribe(
    listener: (rows: R[]) => void,
    // An object, because stores of some frameworks pass a function of their own as second argument.
    { onError }: { readonly onError?: (error: LandfallError) => void } = {},
  ): () => void {
    const view = this.#view(listener, (reason) => {
      if (reason.code === "closed") return;
      if (!onError) throw reason;
      onError(reason);
    });
    return () => view.stop();
  }

  /**
   * Gives the rows, then again whenever they have changed. A loop that takes its time gets the newest
   * rows next, not each state in between. Ends when the database is closed.
   *
   * @throws {@link LandfallError} `storage_unavailable`, `core_crashed`.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<R[], void, undefined> {
    let newest: R[] | undefined;
    let end: LandfallError | undefined;
    let wake = (): void => {};
    const view = this.#view(
      (rows) => {
        newest = rows;
        wake();
      },
      (reason) => {
        end = reason;
        wake();
      },
    );
    try {
      for (;;) {
        if (newest) {
          const rows: R[] = newest;
          newest = undefined;
          yield rows;
        } else if (end) {
          if (end.code === "closed") return;
          throw end;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      view.stop();
    }
  }

  #view(shown: (rows: R[]) => void, failed: (reason: LandfallError) => void): View {
    return new View(this.#rows, this.#plan(), (rows) => shown(typed<R>(rows)), failed);
  }

  #plan(): Plan {
    const { filter, field, descending = false, limit = Infinity } = this.#terms;
    const { id } = filter;
    const one = typeof id === "string" ? id : undefined;
    return {
      matches: this.#matches,
      order: orderOf(field, descending),
      limit,
      id: one,
      seek: seek(this.#rows.indexes, filter, field, descending, limit),
    };
  }

  #with(terms: Partial<Terms>): Query<R> {
    return new Query(this.#rows, { ...this.#terms, ...terms });
  }
}

function matcher(filter: Readonly<Record<string, unknown>>): (row: AnyRow) => boolean {
  const wanted = Object.entries(filter);
  for (const [field, value] of wanted) {
    if (value === undefined) throw new LandfallError("invalid_options", `where: ${field} is undefined`);
  }
  return (row) => {
    for (const [field, value] of wanted) if (!same(row[field], value)) return false;
    return true;
  };
}

/** Beyond so many rows, reading all of them in one go is faster than each by its name. */
const WINDOW_MAX = 1_000;

/** What to ask an index for instead of reading everything, if there is one that helps. */
function seek(
  indexes: readonly string[],
  filter: Readonly<Record<string, unknown>>,
  field: string | undefined,
  descending: boolean,
  limit: number,
): WireSeek | undefined {
  for (const field of indexes) {
    const value = filter[field];
    if (value !== undefined && isScalar(value)) return { field, equals: JSON.stringify(value), count: 0 };
  }
  const free = Object.keys(filter).length === 0;
  if (free && field !== undefined && indexes.includes(field) && limit > 0 && limit <= WINDOW_MAX) {
    // Some more, for rows that leave the first ones.
    return { field, count: (descending ? -2 : 2) * limit };
  }
  return undefined;
}

function isScalar(value: unknown): value is string | number | boolean | null {
  return typeof value === "number" ? Number.isFinite(value) : value === null || ["string", "boolean"].includes(typeof value);
}

/** The one place where rows get the type that their schema gave them when they were written. */
function typed<R>(rows: readonly AnyRow[]): R[] {
  return rows as readonly unknown[] as R[];
}
