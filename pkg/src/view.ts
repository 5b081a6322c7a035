import type { LandfallError } from "./errors.js";
import { report } from "./listeners.js";
import { firstOf, search } from "./order.js";
import type { AnyRow, Change, Plan, Rows, Watcher } from "./rows.js";

/**
 * The live answer to a query: the rows that match, sorted, of which the first `limit` are shown.
 *
 * A change moves one row by binary search. Some rows beyond the limit are kept, so that a row that leaves
 * the shown part is followed by the next; once none of these is left, all rows are looked through again.
 * To keep all of them in order would take longer with every row that there is.
 *
 * @internal
 */
export class View implements Watcher {
  readonly #rows: Rows;
  readonly #plan: Plan;
  readonly #shown: (rows: readonly AnyRow[]) => void;
  readonly #failed: (reason: LandfallError) => void;
  #sorted: AnyRow[] = [];
  /** Whether rows that match are left out of `#sorted`: all that come behind its last. */
  #cut = false;
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
    this.#select();
    void this.#fill();
  }

  stop(): void {
    this.#stopped = true;
    this.#rows.unwatch(this);
    this.#sorted = [];
    this.#last = undefined;
  }

  changed(changes: readonly Change[]): void {
    // All rows are sorted once all are there; the first few are kept in order while the others come.
    if (!this.#ready && this.#room === Infinity) return;
    // Beyond some share of all rows, moving one by one costs more than sorting once.
    if (this.#room === Infinity && changes.length * 4 > this.#sorted.length && changes.length > 100) this.#select();
    else {
      for (const change of changes) {
        this.#move(change);
        if (!this.#cut || this.#sorted.length >= this.#plan.limit) continue;
        // With all changes in it, those to come included.
        this.#select();
        break;
      }
    }
    this.#deliver();
  }

  stale(): void {
    this.#ready = false;
    this.#select();
    void this.#fill();
  }

  ended(reason: LandfallError): void {
    this.stop();
    report(this.#failed, reason);
  }

  async #fill(): Promise<void> {
    try {
      // It may have changed, or have gone stale, since it was known.
      do await this.#rows.know(this.#plan);
      while (!this.#stopped && !this.#rows.knows(this.#plan));
    } catch (error) {
      // `Rows` passes on what the core threw, and the core throws nothing else. After a crash the next core
      // is asked: if there is one, everything goes stale, and if not, everything ends.
      const reason = error as LandfallError;
      if (!this.#stopped && reason.code !== "core_crashed") this.ended(reason);
      return;
    }
    if (this.#stopped) return;
    if (this.#room === Infinity || this.#plan.id !== undefined || this.#plan.seek) this.#select();
    this.#ready = true;
    this.#deliver();
  }

  /** How many rows are kept in order. */
  get #room(): number {
    return 2 * this.#plan.limit;
  }

  #select(): void {
    const rows = this.#rows.filter(this.#plan);
    this.#sorted = firstOf(rows, this.#plan.order, this.#room);
    this.#cut = this.#sorted.length < rows.length;
  }

  #move({ before, after }: Change): void {
    const { matches, order } = this.#plan;
    const at = before && matches(before) ? search(this.#sorted, before, order) : -1;
    // Behind all that are kept.
    const from = at === this.#sorted.length ? -1 : at;
    const stays = after !== null && matches(after);
    if (from >= 0 && stays && order(before as AnyRow, after) === 0) {
      this.#sorted[from] = after;
      return;
    }
    if (from >= 0) this.#sorted.splice(from, 1);
    if (stays) {
      const to = search(this.#sorted, after, order);
      if (to < this.#sorted.length || !this.#cut) this.#sorted.splice(to, 0, after);
    }
    if (this.#sorted.length > this.#room) {
      this.#sorted.pop();
      this.#cut = true;
    }
  }

  /** Calls back once, however many changes one turn brings, and not at all if nothing shown changed. */
  #deliver(): void {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (this.#stopped || !this.#ready) return;
      if (!this.#rows.reaches(this.#plan, this.#sorted)) {
        // What is known does not say which rows follow those that have left.
        this.#ready = false;
        return void this.#fill();
      }
      const shown = this.#sorted.slice(0, this.#plan.limit);
      const last = this.#last;
      if (last?.length === shown.length && shown.every((row, i) => row === last[i])) return;
      this.#last = shown;
      report(this.#shown, shown);
    });
  }
}
