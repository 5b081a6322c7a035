import { type DetailedHTMLProps, type HTMLAttributes, useState, useSyncExternalStore } from "react";
import type { Collection } from "./collection.js";
import type { LandfallConflicts, LandfallOutbox, LandfallStatus, Words } from "./components/index.js";
import type { Database } from "./database.js";
import type { LandfallError } from "./errors.js";
import type { Outbox, OutboxItem } from "./outbox.js";
import type { Query } from "./query.js";
import type { Collections, Filter, Row } from "./schema.js";
import type { SyncState } from "./sync.js";

/**
 * The rows of a query, live; `undefined` until they are loaded, on a server, and without a query.
 *
 * The query may be made while rendering: it is followed for as long as it asks for the same. Rows that
 * did not change are the same objects, so `memo` works on them.
 *
 * @throws {@link LandfallError} to the nearest error boundary, when the rows cannot be loaded.
 *
 * @example
 * ```tsx
 * const visits = useQuery(db.visits.where({ site }).orderBy("dueAt"));
 * ```
 */
export function useQuery<R extends { readonly id: string }>(
  query: Query<R> | null | undefined,
): readonly R[] | undefined {
  const answer = useLive(query ?? undefined, asksTheSame, follow);
  if (answer?.error) throw answer.error;
  return answer?.rows;
}

/**
 * One document, live: `null` if there is none, `undefined` until that is known.
 *
 * @throws as {@link useQuery}.
 */
export function useDocument<Input, Output>(
  collection: Collection<Input, Output> | null | undefined,
  id: string,
): Row<Output> | null | undefined {
  // Every row has this field; that a type parameter has it is more than the compiler can see.
  const filter = { id } as unknown as Filter<Row<Output>>;
  const rows = useQuery(collection?.where(filter).limit(1));
  return rows && (rows[0] ?? null);
}

/** `db.sync.state`, live; `undefined` on a server and without a database. */
export function useSync(db: Pick<Database<Collections>, "sync"> | null | undefined): SyncState | undefined {
  return useLive(db?.sync, Object.is, (sync) => ({
    first: sync.state,
    follow: (show) => sync.subscribe(show),
  }));
}

/** The items of `db.outbox`, live; none on a server and without a database. */
export function useOutbox(db: Pick<Database<Collections>, "outbox"> | null | undefined): readonly OutboxItem[] {
  return useLive(db?.outbox, Object.is, items) ?? NOTHING;
}

const NOTHING: readonly OutboxItem[] = [];

function items(outbox: Outbox): Source<readonly OutboxItem[]> {
  const follow = (show: (items: readonly OutboxItem[]) => void): (() => void) => {
    try {
      return outbox.subscribe(show);
    } catch (error) {
      // A parent that closes the database does so while its children are still there.
      if ((error as LandfallError).code !== "closed") throw error;
      return () => {};
    }
  };
  let first = NOTHING;
  // A listener is called at once: what is known now is shown by the first rendering.
  follow((items) => (first = items))();
  return { first, follow };
}

interface Answer<R> {
  readonly rows?: readonly R[];
  readonly error?: LandfallError;
}

function asksTheSame<R extends { readonly id: string }>(one: Query<R> | undefined, other: Query<R> | undefined): boolean {
  return one === other || (one !== undefined && other !== undefined && one.equals(other));
}

function follow<R extends { readonly id: string }>(query: Query<R>): Source<Answer<R>> {
  return {
    first: {},
    follow: (show) => query.subscribe((rows) => show({ rows }), { onError: (error) => show({ error }) }),
  };
}

interface Source<T> {
  /** What is known before anybody listens. */
  readonly first: T;
  /** Calls `show` with every new value; gives what ends it. */
  follow(show: (value: T) => void): () => void;
}

interface Live<T> {
  readonly value: () => T;
  readonly subscribe: (changed: () => void) => () => void;
}

/**
 * Follows `of` from the mount to the unmount, and from `of` to `of` when it is no longer the same.
 *
 * Nothing is started while rendering, which React may do twice or throw away; only its subscription
 * starts and ends something, in pairs.
 */
function useLive<Of, T>(
  of: Of | undefined,
  same: (one: Of | undefined, other: Of | undefined) => boolean,
  source: (of: Of) => Source<T>,
): T | undefined {
  const start = (): { of: Of | undefined; live: Live<T | undefined> } => ({
    of,
    live: of === undefined ? NONE : live(source(of)),
  });
  const [held, hold] = useState(start);
  let current = held;
  if (!same(held.of, of)) {
    current = start();
    // While rendering: React starts over with it before anybody sees the old value.
    hold(current);
  }
  return useSyncExternalStore(current.live.subscribe, current.live.value, unknown);
}

function live<T>(source: Source<T>): Live<T> {
  let value = source.first;
  return {
    value: () => value,
    subscribe: (changed) =>
      source.follow((next) => {
        value = next;
        changed();
      }),
  };
}

/** On a server, and while a page that it rendered is taken over. */
function unknown(): undefined {}

const NONE: Live<undefined> = { value: unknown, subscribe: () => () => {} };

/** Properties of an element, as React 19 sets them, beside those that every element has. */
type Props<E, Own extends keyof E> = DetailedHTMLProps<HTMLAttributes<E>, E> &
  Partial<Pick<E, Own>> & { words?: Partial<Words> };

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "landfall-status": Props<LandfallStatus, "db"> & { href?: string };
      "landfall-outbox": Props<LandfallOutbox, "db" | "describe"> & {
        editable?: boolean;
        "onlandfall-edit"?: (event: CustomEvent<OutboxItem>) => void;
        "onlandfall-export"?: (event: CustomEvent<OutboxItem>) => void;
      };
      "landfall-conflicts": Props<LandfallConflicts, "db" | "describe" | "user">;
    }
  }
}
