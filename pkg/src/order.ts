import type { AnyRow } from "./rows.js";

export type Order = (a: AnyRow, b: AnyRow) => number;

/**
 * A total order of rows by one field, then by id: nothing < null < false < true < numbers < text <
 * lists and objects. Text goes by UTF-16 code units, as in IndexedDB.
 *
 * Descending is the exact reverse, ids included, so that an index can be read from its other end.
 *
 * @internal
 */
export function orderOf(field: string | undefined, descending: boolean): Order {
  const ascending: Order = field === undefined ? byId : (a, b) => compare(a[field], b[field]) || byId(a, b);
  return descending ? (a, b) => ascending(b, a) : ascending;
}

function byId(a: AnyRow, b: AnyRow): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function compare(a: unknown, b: unknown): number {
  if (a === b) return 0;
  const difference = rank(a) - rank(b);
  if (difference !== 0) return difference;
  // Two containers: any order will do that is the same every time.
  const [left, right] = typeof a === "object" ? [JSON.stringify(a), JSON.stringify(b)] : [a as string, b as string];
  return left < right ? -1 : left > right ? 1 : 0;
}

function rank(value: unknown): number {
  if (value === undefined) return 0;
  if (value === null) return 1;
  if (typeof value === "boolean") return value ? 3 : 2;
  return typeof value === "number" ? 4 : typeof value === "string" ? 5 : 6;
}

/**
 * The first `count` of `rows`, in order; may put `rows` itself in order. Sorts no more than a few times `count`
 * at once, however many there are.
 *
 * @internal
 */
export function firstOf(rows: AnyRow[], order: Order, count: number): AnyRow[] {
  if (rows.length <= count) return rows.sort(order);
  let kept: AnyRow[] = [];
  let last: AnyRow | undefined;
  for (const row of rows) {
    if (last && order(row, last) > 0) continue;
    kept.push(row);
    if (kept.length < 4 * count) continue;
    kept = kept.sort(order).slice(0, count);
    last = kept[count - 1];
  }
  return kept.sort(order).slice(0, count);
}

/** Where `row` is in `sorted`, or where it would go. @internal */
export function search(sorted: readonly AnyRow[], row: AnyRow, order: Order): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (order(sorted[middle] as AnyRow, row) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
