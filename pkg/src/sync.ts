import type { Core } from "./core.js";
import { LandfallError } from "./errors.js";
import { Listeners } from "./listeners.js";
import type { WireState } from "./wire.js";

/** How often, at most, the browser is asked how full it is. */
const MEASURE_EVERY_MS = 30_000;

/**
 * Room that new writes leave to those that are saved already: what is being sent, and what the server answers, has to
 * be noted down, or a full device would never become an emptier one.
 */
const RESERVE_BYTES = 1 << 20;

/** What the browser says about the place where writes are kept. */
export interface StorageState {
  /** `strict`: a saved write was flushed to the disk; `default`: this browser decides when it is. */
  readonly durability: "strict" | "default";
  /** Whether the browser promised not to evict the data; `null` when it does not say. */
  readonly persisted: boolean | null;
  /** Bytes used and allowed, for the whole origin; `null` when the browser does not say. */
  readonly usage: number | null;
  readonly quota: number | null;
  /**
   * Whether the browser has deleted what was kept here, as far as that can be known: it was gone when the database was
   * opened, or is gone since. What a tab still remembers is saved again, and what the server has is fetched again.
   */
  readonly evicted: boolean;
}

/** How things stand between this device and the server; a new frozen object for every change. */
export type SyncState = Readonly<Omit<WireState, "leads" | "made">> & { readonly storage: StorageState };

/** `db.sync`: what happens to writes after they are saved. */
export class Sync {
  readonly #core: Core;
  readonly #listeners = new Listeners<SyncState>(() => this.#state);
  readonly #settling = new Set<() => void>();
  /** How often the core may have found nothing stored without anything being lost. */
  readonly #new: number;
  #state: SyncState;
  #own: WireState;
  /** What the tab that drains said last, where that is another one. */
  #leader: WireState | undefined;
  /** Whether that tab has been asked for something, and has not answered. */
  #awaited = false;
  #asked = false;
  #measuredAt = -Infinity;

  /**
   * @param known - whether this database has been here before.
   * @internal
   */
  constructor(core: Core, known: boolean) {
    this.#core = core;
    this.#own = core.state();
    const { made } = this.#own;
    this.#new = known ? 0 : made;
    const durability =
      typeof IDBTransaction !== "undefined" && "durability" in IDBTransaction.prototype ? "strict" : "default";
    const storage = Object.freeze({ durability, persisted: null, usage: null, quota: null, evicted: made > this.#new } as const);
    this.#state = Object.freeze({ ...merged(this.#own, undefined), storage });
    void this.#measure();
  }

  /** The state now; the same object until something changes. */
  get state(): SyncState {
    return this.#state;
  }

  /**
   * Calls `listener` with the state at once, and again after every change.
   *
   * @returns what ends it.
   */
  subscribe(listener: (state: SyncState) => void): () => void {
    return this.#listeners.add(listener);
  }

  /**
   * Tries now instead of at `nextTryAt`. Resolves when the attempt has ended, whichever way; the state
   * says which. Nobody needs to call this: whatever is pending is sent in time.
   *
   * @throws {@link LandfallError} `closed`, `core_crashed`.
   */
  async now(): Promise<void> {
    if (this.#core.restarting) await this.#core.restarting;
    this.#core.command("now");
    const state = this.#core.state();
    this.#awaited = !state.leads;
    this.receive(state);
    if (this.#awaited || busy(this.#state)) await new Promise<void>((resolve) => this.#settling.add(resolve));
  }

  /**
   * Sends and fetches nothing until {@link Sync.resume}, in no tab: one that is opened later hears of it from those
   * that are open, and when all are closed it is over. Writes are saved as ever.
   */
  pause(): void {
    this.#core.command("pause");
  }

  /** Ends {@link Sync.pause}, and tries now. */
  resume(): void {
    this.#core.command("resume");
  }

  /** @internal */
  receive(state: WireState): void {
    this.#own = state;
    if (state.leads) {
      this.#leader = undefined;
      this.#awaited = false;
    }
    this.#told();
  }

  /**
   * The tab that drains says how that goes.
   *
   * @internal
   */
  follow(leader: WireState): void {
    if (this.#own.leads) return;
    this.#leader = leader;
    this.#awaited = false;
    this.#told();
  }

  /** The core has crashed, and starts anew. @internal */
  crashed(): void {
    this.#put({ ...this.#state, reason: "core_crashed" });
  }

  #told(): void {
    const { storage } = this.#state;
    const evicted = storage.evicted || this.#own.made > this.#new;
    const kept = evicted === storage.evicted ? storage : Object.freeze({ ...storage, evicted });
    this.#put({ ...merged(this.#own, this.#leader), storage: kept });
    if (this.#awaited || busy(this.#state)) return;
    for (const settled of this.#settling) settled();
    this.#settling.clear();
    void this.#measure();
  }

  /**
   * Asks the browser, once, to keep the data. With the first write, because then there is something to
   * lose, and because some browsers ask the user, who should know by now what for.
   *
   * @internal
   */
  async keep(): Promise<void> {
    if (this.#asked) return;
    this.#asked = true;
    try {
      await manager()?.persist();
      this.#measuredAt = -Infinity;
      await this.#measure();
    } catch {
      // Then it is not persisted, as `storage` says.
    }
  }

  /**
   * Refuses a new write where only the reserve is left; `undefined`: there is room.
   *
   * @internal
   */
  room(): Promise<void> | undefined {
    if (!scarce(this.#state)) return undefined;
    // What was measured a while ago may not be so any more.
    this.#measuredAt = -Infinity;
    return this.#measure().then(() => {
      if (scarce(this.#state)) throw new LandfallError("storage_full", "what is left of this device's room is needed to send what is saved");
    });
  }

  /** @internal */
  end(): void {
    for (const settled of this.#settling) settled();
    this.#settling.clear();
    this.#listeners.clear();
  }

  async #measure(): Promise<void> {
    const storage = manager();
    if (!storage || performance.now() - this.#measuredAt < MEASURE_EVERY_MS) return;
    this.#measuredAt = performance.now();
    try {
      const [persisted, { usage = null, quota = null }] = await Promise.all([storage.persisted(), storage.estimate()]);
      this.#put({ ...this.#state, storage: Object.freeze({ ...this.#state.storage, persisted, usage, quota }) });
    } catch {
      // The browser does not say, in private windows for one; then neither do we.
    }
  }

  #put(state: SyncState): void {
    this.#state = Object.freeze(state);
    this.#listeners.changed();
  }
}

/** What is pending is the same in all tabs; how sending goes, only the one knows that does it. */
function merged(own: WireState, leader: WireState | undefined): Omit<WireState, "leads" | "made"> {
  const { leads: _, made: __, ...state } = own;
  if (!leader) return state;
  const { online, phase, lastSyncedAt, nextTryAt, progress, breaker, clockSkewMs, reason } = leader;
  return { ...state, online, phase, lastSyncedAt, nextTryAt, progress, breaker, clockSkewMs, reason: state.reason ?? reason };
}

function busy({ phase }: Pick<WireState, "phase">): boolean {
  return phase === "pushing" || phase === "pulling" || phase === "first_sync";
}

function scarce({ storage: { usage, quota } }: SyncState): boolean {
  return usage !== null && quota !== null && quota - usage < RESERVE_BYTES;
}

/** Not there in Node, and only in secure contexts. */
function manager(): StorageManager | undefined {
  return typeof navigator === "undefined" ? undefined : (navigator.storage as StorageManager | undefined);
}
