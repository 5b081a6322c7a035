import type { Core } from "./core.js";
import { LandfallError } from "./errors.js";
import type { Later } from "./intent.js";
import type { WireEntry, WireMutation, WireReceipt, WireSettled } from "./wire.js";

/** The longest that a timer can run; beyond it, browsers fire at once. */
const TIMER_MAX = 2 ** 31 - 1;

/** A write that is saved on this device. Whatever happens from here on, it is not lost silently. */
export class Write {
  /** The document written to. */
  readonly id: string;
  /** The mutation's own id, as in `db.outbox` and in the server's records. */
  readonly mutation: string;
  readonly #settlement: Settlement;

  /** @internal */
  constructor(receipt: WireReceipt, settlement: Settlement) {
    this.id = receipt.document;
    this.mutation = receipt.mutation;
    this.#settlement = settlement;
  }

  /**
   * Resolves once the server has accepted the write. Waiting is optional and never affects the write;
   * without a `timeout` (in milliseconds) it may take as long as the device stays offline.
   *
   * @throws {@link LandfallError} `needs_attention` when the server refused it: the write is kept in
   * `db.outbox`, and `cause` has the server's code. `discarded` when somebody discarded
   * it in time. `timeout` when there was no answer in time: the write is still on its way. `closed` or
   * `core_crashed` when nobody is left to tell: the write is still saved. `invalid_options` when the
   * database has no `url`.
   */
  accepted({ timeout = Infinity }: { readonly timeout?: number } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const forget = this.#settlement.then((refusal) => {
        clearTimeout(timer);
        if (refusal) reject(refusal);
        else resolve();
      });
      if (!forget || timeout === Infinity) return;
      timer = setTimeout(
        () => {
          forget();
          reject(new LandfallError("timeout", `not accepted within ${timeout} ms; the write is still on its way`));
        },
        Math.min(timeout, TIMER_MAX),
      );
    });
  }
}

/** How a write ended, or the writes of a transaction did, once all of them have. */
class Settlement {
  /** How many have not. */
  #left: number;
  #refusal: LandfallError | null = null;
  /** `null`: accepted. */
  #end: LandfallError | null | undefined;
  #waiting: Set<(refusal: LandfallError | null) => void> | undefined;

  constructor(count: number) {
    this.#left = count;
    if (count === 0) this.#end = null;
  }

  /** Calls back at the end, now if that is past. @returns what calls that off, if it is to come. */
  then(listener: (refusal: LandfallError | null) => void): (() => void) | undefined {
    if (this.#end !== undefined) return void listener(this.#end);
    const waiting = (this.#waiting ??= new Set());
    waiting.add(listener);
    return () => void waiting.delete(listener);
  }

  /** One of the writes has ended. */
  settle(refusal: LandfallError | null): void {
    // Of a transaction all are refused at once, and one of them says why.
    if (refusal && (refusal.cause as LandfallError | undefined)?.code !== "group_refused") this.#refusal = refusal;
    this.#refusal ??= refusal;
    this.#left -= 1;
    if (this.#left === 0) this.end(this.#refusal);
  }

  end(refusal: LandfallError | null): void {
    if (this.#end !== undefined) return;
    this.#end = refusal;
    for (const listener of this.#waiting ?? []) listener(refusal);
    this.#waiting = undefined;
  }
}

/**
 * Writes of this session that have not settled.
 *
 * @internal
 */
export class Writes {
  readonly #core: Core;
  readonly #saving: () => Promise<void> | undefined;
  /** Why nothing will ever be accepted; made once, because an error takes a picture of the stack. */
  readonly #local: LandfallError | undefined;
  readonly #open = new Map<string, Settlement>();
  #turn: Promise<unknown> | undefined;

  /** @param saving - called before a write is handed over; what it gives is waited for, and can refuse it. */
  constructor(core: Core, local: boolean, saving: () => Promise<void> | undefined) {
    this.#core = core;
    this.#local = local ? new LandfallError("invalid_options", "a database without url has no server") : undefined;
    this.#saving = saving;
  }

  /** Settles when every write before has been handed to the core; there while one is being prepared. */
  get turn(): Promise<unknown> | undefined {
    return this.#turn;
  }

  /** Saves what `prepare` gives, all of it or none, each as a write of its own. */
  async save(prepare: () => Later<WireMutation[]>): Promise<Write[]> {
    return (await this.#inTurn(prepare, false)).map((receipt) => this.follow([receipt]));
  }

  /** Saves one write that consists of `mutations`. */
  async group(mutations: WireMutation[]): Promise<Write> {
    if (mutations.length === 0) return new Write({ document: "", mutation: "" }, new Settlement(0));
    return this.follow(await this.#inTurn(() => mutations, true));
  }

  /** The write that consists of these mutations, by this session or another. */
  follow(receipts: readonly WireReceipt[]): Write {
    const [first] = receipts;
    if (!first) throw new LandfallError("core_crashed", "the core gave no receipt");
    const settlement = this.#open.get(first.mutation) ?? new Settlement(receipts.length);
    if (this.#local) settlement.end(this.#local);
    else for (const { mutation } of receipts) this.#open.set(mutation, settlement);
    return new Write(first, settlement);
  }

  /** Mutations that go on under another id, because what they wait for was mended. */
  rename(pairs: readonly (readonly [string, string])[]): void {
    for (const [old, id] of pairs) {
      const settlement = this.#open.get(old);
      if (!settlement) continue;
      this.#open.delete(old);
      this.#open.set(id, settlement);
    }
  }

  settle({ mutation, status, code, message }: WireSettled): void {
    const settlement = this.#open.get(mutation);
    if (!settlement) return;
    this.#open.delete(mutation);
    if (status === "accepted") return settlement.settle(null);
    if (status === "discarded") return settlement.settle(new LandfallError("discarded", "the write was discarded"));
    const cause = new LandfallError(code ?? "rejected", message ?? "refused by the server");
    settlement.settle(new LandfallError("needs_attention", `${cause.code}: ${cause.message}`, { cause }));
  }

  /** Takes in what came to its end while nobody here could hear of it: whatever is not in the outbox has. */
  compare(entries: readonly WireEntry[]): void {
    const pending = new Map(entries.map((entry) => [entry.id, entry]));
    for (const mutation of [...this.#open.keys()]) {
      const { status = "accepted", code = null, message = null } = pending.get(mutation) ?? {};
      if (status === "accepted" || status === "needs_attention") this.settle({ mutation, status, code, message });
    }
  }

  end(reason: LandfallError): void {
    for (const settlement of this.#open.values()) settlement.end(reason);
    this.#open.clear();
  }

  /**
   * Hands what `prepare` gives to the core, in the order of the calls: at once if it can be, else after those
   * that are still being prepared (an asynchronous schema, an update of a row that is not loaded).
   *
   * The order is that of all collections: a write waits for the creation of its parents if that was handed
   * over before. One call of the core for one call of the app: the core commits as one whatever is handed
   * to it meanwhile, and refuses a call as a whole, so joining calls here could fail one write for another.
   */
  async #inTurn(prepare: () => Later<WireMutation[]>, grouped: boolean): Promise<WireReceipt[]> {
    const hand = (mutations: WireMutation[]): Promise<WireReceipt[]> => {
      const write = (): Promise<WireReceipt[]> => this.#core.write(mutations, grouped);
      return this.#saving()?.then(write) ?? write();
    };
    const prepared = prepare();
    if (!this.#turn && !(prepared instanceof Promise)) return hand(prepared);
    // Wrapped, so that the turn is over when the writes are handed over, not when they are durable.
    const handed = Promise.all([prepared, this.#turn]).then(([mutations]) => ({ saved: hand(mutations) }));
    const over = Promise.allSettled([handed, this.#turn]).then(() => {
      if (this.#turn === over) this.#turn = undefined;
    });
    this.#turn = over;
    return (await handed).saved;
  }
}
