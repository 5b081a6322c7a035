import type { LandfallError } from "./errors.js";
import { report } from "./listeners.js";
import { type Order, search } from "./order.js";
import type { AnyRow, Change, Rows, Watcher } from "./rows.js";

/** What a query asks for. */
export interface Plan {
  readonly matches: (row: AnyRow) => boolean;
  readonly order: Order;
  /** `Infinity` for all. */
  readonly limit: number;
}

/**
 * The live answer to a query: every row that matches, sorted, of which the first `limit` are shown.
 *
 * A change moves one row by binary search. Rows beyond the limit are kept (a pointer each), so a row
 * that leaves the shown part is followed by the next without asking anybody.
 *
 * @internal
 */
export class View implements Watcher {
  readonly #rows: Rows;
  readonly #plan: Plan;
  readonly #shown: (rows: readonly AnyRow[]) => void;
  readonly #failed: (reason: LandfallError) => void;
  #sorted: AnyRow[] = [];
  /** What was called back with last. */
  #last: readonly AnyRow[] | undefined;
  #ready = false;
  #due = false;
  #stopped = false;

  /** Follows `rows` until {@link View.stop}; both callbacks come later, never from here. */
  constructor(
    rows: Rows,
    plan: Plan,
    shown: (rows: readonly AnyRow[]) => void,
    failed: (reason: LandfallError) => void,
  ) {
    this.#rows = rows;
    this.#plan = plan;
    this.#shown = shown;
    this.#failed = failed;
    // Before the first read, so that nothing can change in between unseen.
    rows.watch(this);
    void this.#fill();
  }

  stop(): void {
    this.#stopped = true;
    this.#rows.unwatch(this);
    this.#sorted = [];
    this.#last = undefined;
  }

  changed(changes: readonly Change[]): void {
    if (!this.#ready) return;
    // Beyond some share of all rows, moving one by one costs more than sorting once.
    if (changes.length * 4 > this.#sorted.length && changes.length > 100) this.#select();
    else for (const change of changes) this.#move(change);
    this.#deliver();
  }

  stale(): void {
    this.#ready = false;
    void this.#fill();
  }

  ended(reason: LandfallError): void {
    this.stop();
    report(this.#failed, reason);
  }

  async #fill(): Promise<void> {
    try {
      await this.#rows.all();
    } catch (error) {
      // `Rows` passes on what the core threw, and the core throws nothing else. After a crash the next core
      // is asked: if there is one, everything goes stale, and if not, everything ends.
      const reason = error as LandfallError;
      if (!this.#stopped && reason.code !== "core_crashed") this.ended(reason);
      return;
    }
    // Gone stale once more since: then another fill is under way.
    if (this.#stopped || !this.#rows.complete) return;
    this.#select();
    this.#ready = true;
    this.#deliver();
  }

  #select(): void {
    this.#sorted = this.#rows.filter(this.#plan.matches).sort(this.#plan.order);
  }

  #move({ before, after }: Change): void {
    const { matches, order } = this.#plan;
    const from = before && matches(before) ? search(this.#sorted, before, order) : -1;
    const stays = after !== null && matches(after);
    if (from >= 0 && stays && order(before as AnyRow, after) === 0) {
      this.#sorted[from] = after;
      return;
    }
    if (from >= 0) this.#sorted.splice(from, 1);
    if (stays) this.#sorted.splice(search(this.#sorted, after, order), 0, after);
  }

  /** Calls back once, however many changes one turn brings, and not at all if nothing shown changed. */
  #deliver(): void {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (this.#stopped || !this.#ready) return;
      const shown = this.#sorted.slice(0, this.#plan.limit);
      const last = this.#last;
      if (last?.length === shown.length && shown.every((row, i) => row === last[i])) return;
      this.#last = shown;
      report(this.#shown, shown);
    });
  }
}
