import type { Core } from "./core.js";
import { LandfallError } from "./errors.js";
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
   * `db.outbox`, and `cause` has the server's code. `timeout` when there was no answer in time: the
   * write is still on its way. `closed` or `core_crashed` when nobody is left to tell: the write is
   * still saved. `invalid_options` when the database has no `url`.
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

/** How a write ended, once it has. */
class Settlement {
  /** `null`: accepted. */
  #end: LandfallError | null | undefined;
  #waiting: Set<(refusal: LandfallError | null) => void> | undefined;

  /** Calls back at the end, now if that is past. @returns what calls that off, if it is to come. */
  then(listener: (refusal: LandfallError | null) => void): (() => void) | undefined {
    if (this.#end !== undefined) return void listener(this.#end);
    const waiting = (this.#waiting ??= new Set());
    waiting.add(listener);
    return () => void waiting.delete(listener);
  }

  end(refusal: LandfallError | null): void {
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
  readonly #saving: () => void;
  /** Why nothing will ever be accepted; made once, because an error takes a picture of the stack. */
  readonly #local: LandfallError | undefined;
  readonly #open = new Map<string, Settlement>();

  /** @param saving - called with every write that is handed over. */
  constructor(core: Core, local: boolean, saving: () => void) {
    this.#core = core;
    this.#local = local ? new LandfallError("invalid_options", "a database without url has no server") : undefined;
    this.#saving = saving;
  }

  /**
   * Hands mutations to the core, before returning; all of them become durable together, or none.
   *
   * One call of the core for one call of the app: the core commits as one whatever is handed to it
   * meanwhile, and refuses a call as a whole, so joining calls here could fail one write for another.
   */
  async save(mutations: WireMutation[]): Promise<Write[]> {
    const saved = this.#core.write(mutations);
    this.#saving();
    return (await saved).map((receipt) => {
      const settlement = new Settlement();
      if (this.#local) settlement.end(this.#local);
      else this.#open.set(receipt.mutation, settlement);
      return new Write(receipt, settlement);
    });
  }

  settle({ mutation, status, code, message }: WireSettled): void {
    const settlement = this.#open.get(mutation);
    if (!settlement) return;
    this.#open.delete(mutation);
    if (status === "accepted") return settlement.end(null);
    if (status === "discarded") return settlement.end(new LandfallError("discarded", "it was discarded"));
    const cause = new LandfallError(code ?? "rejected", message ?? "refused by the server");
    settlement.end(new LandfallError("needs_attention", `${cause.code}: ${cause.message}`, { cause }));
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
}
