import type { Core } from "./core.js";
import { LandfallError } from "./errors.js";
import { freeze, keysOf, plainValue } from "./json.js";
import { Listeners } from "./listeners.js";
import type { Sync } from "./sync.js";
import type { Trace } from "./trace.js";
import type { Json } from "./wire.js";

/** A list holds at most so many, the newest. */
const LISTED_MAX = 1_000;

/** What one of two people wrote. */
export interface Side {
  readonly user: string;
  /** When it was written. */
  readonly at: number;
  /**
   * `null` where the field was removed or the document deleted; without a path, the fields that were changed, or
   * all of the document where its policy is `document-last-write-wins`.
   */
  readonly value: Json;
  readonly removed: boolean;
  readonly deleted: boolean;
}

/** Two people changed the same thing without knowing of each other. Plain and frozen. */
export interface Conflict {
  readonly id: string;
  readonly collection: string;
  readonly document: string;
  /** JSON Pointer; empty where it is about the whole document. */
  readonly path: string;
  /** The top-level field that `path` leads to or into. */
  readonly field: string;
  /** Where neither side is of the database's user, `mine` is the one that won, and so it is where both are. */
  readonly mine: Side;
  readonly theirs: Side;
  /** Which of the two stands; `null` where somebody has chosen a value of neither. */
  readonly winner: "mine" | "theirs" | null;
  /** When the server noticed. */
  readonly at: number;
  /** How the collection settles conflicts at once. */
  readonly policy: string;
  readonly resolved: { readonly by: string; readonly at: number } | null;
}

/** What a person decides: one of the two sides, or a value of neither. */
export type Choice = "mine" | "theirs" | { readonly value: Json };

/** A conflict as the server lists it. */
interface Recorded {
  id: string;
  collection: string;
  document: string;
  path: string;
  at: number;
  won: Side;
  lost: Side;
  policy: string;
  resolved: { by: string; at: number; choice: "won" | "lost" | "value" } | null;
}

interface Page {
  conflicts: Recorded[];
  cursor: string | null;
  more: boolean;
}

/** `db.conflicts`: what two people changed without knowing of each other. Both versions are kept on the server. */
export class Conflicts {
  readonly #core: Core;
  readonly #sync: Sync;
  readonly #trace: Trace;
  readonly #user: string | null;
  readonly #local: boolean;
  readonly #listeners = new Listeners<readonly Conflict[]>(() => this.#known);
  #known: readonly Conflict[];
  /** Which side won at first: what the server calls it, whatever stands now. */
  readonly #won = new Map<string, "mine" | "theirs">();
  #followers = 0;
  #unfollow = (): void => {};
  #asking: Promise<readonly Conflict[]> | undefined;
  /** Something has happened since the list under way was asked for. */
  #late = false;

  /** @internal */
  constructor(core: Core, sync: Sync, trace: Trace, { user, url }: { user: string | null; url: string | null }) {
    this.#core = core;
    this.#sync = sync;
    this.#trace = trace;
    this.#known = freeze(trace.left<Conflict[]>() ?? []);
    this.#user = user;
    this.#local = url === null;
  }

  /**
   * The newest 1,000 conflicts, newest first, those that are settled too, of documents that the user may read.
   * A database without a server has none.
   *
   * @throws {@link LandfallError} `unreachable` and what else a call of the server meets; `closed`, `core_crashed`.
   */
  list(): Promise<readonly Conflict[]> {
    return this.#ask();
  }

  /**
   * Calls `listener` with the conflicts that are known, at once; with what the server has whenever something was
   * synchronised; and after a decision. A device that is offline keeps the list that it has, over a reload too.
   *
   * @returns what ends it.
   */
  subscribe(listener: (conflicts: readonly Conflict[]) => void): () => void {
    const stop = this.#listeners.add(listener);
    this.#followers += 1;
    if (this.#followers === 1) this.#follow();
    let stopped = false;
    return () => {
      if (stopped) return;
      stopped = true;
      stop();
      this.#followers -= 1;
      if (this.#followers === 0) this.#unfollow();
    };
  }

  /**
   * Settles a conflict for everybody: keeps what stands, or has the server write the other side, or a value of
   * neither, over it. Every device gets that with its next pull; this one asks for it at once.
   *
   * A decision is made on the server, so it needs the network and is not kept for later.
   *
   * @throws {@link LandfallError} `unreachable`; `conflict_resolved` when somebody has settled it in another way;
   * `forbidden`, `not_found`; what a write can be refused for: `validation_failed`, `gone`, …;
   * `invalid_document` for a value that is no JSON.
   */
  async resolve(id: string, choice: Choice): Promise<void> {
    const decision = decided(choice);
    if (!this.#won.has(id)) await this.list().catch(advised);
    const won = this.#won.get(id);
    if (!won) throw new LandfallError("not_found", "there is no such conflict");
    let reply: { conflict: Recorded };
    try {
      reply = await this.#request("POST", "resolve", { id, ...decision(won) });
    } catch (error) {
      // Somebody was faster: what they chose is what is to be seen.
      if ((error as LandfallError).code === "conflict_resolved") this.#changed();
      throw error;
    }
    const settled = this.#read(() => this.#seen(reply.conflict));
    this.#put(this.#known.map((one) => (one.id === id ? settled : one)));
    if (this.#asking) this.#late = true;
    if (!this.#core.restarting) this.#core.command("now");
  }

  /** @internal */
  end(): void {
    this.#unfollow();
    this.#listeners.clear();
  }

  /** Asks for the list now, and again whenever something was synchronised. */
  #follow(): void {
    let at: number | null | undefined;
    this.#unfollow = this.#sync.subscribe(({ lastSyncedAt }) => {
      if (lastSyncedAt === at) return;
      at = lastSyncedAt;
      this.#changed();
    });
  }

  #changed(): void {
    // What cannot be reached now is asked for again when there has been contact.
    if (this.#followers > 0) this.#ask().catch(() => {});
  }

  /** One request for all who ask meanwhile; what they get is from after they asked. */
  #ask(): Promise<readonly Conflict[]> {
    if (this.#asking) this.#late = true;
    this.#asking ??= this.#fetch().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #fetch(): Promise<readonly Conflict[]> {
    if (this.#local) return this.#known;
    do {
      this.#late = false;
      const found: Conflict[] = [];
      let cursor: string | null = "";
      while (cursor !== null && found.length < LISTED_MAX) {
        const page: Page = await this.#request("GET", `conflicts?cursor=${encodeURIComponent(cursor)}`);
        found.push(...this.#read(() => page.conflicts.map((conflict) => this.#seen(conflict))));
        cursor = page.more && page.cursor !== cursor ? page.cursor : null;
      }
      // An answer from before a decision must not take that back.
      if (!this.#late) this.#put(found.slice(0, LISTED_MAX));
    } while (this.#late);
    return this.#known;
  }

  #put(conflicts: readonly Conflict[]): void {
    if (JSON.stringify(conflicts) === JSON.stringify(this.#known)) return;
    this.#known = Object.freeze(conflicts);
    this.#trace.leave(JSON.stringify(conflicts));
    this.#listeners.changed();
  }

  #request<T>(method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
    const request = this.#core.request<T>(method, `/api/v1/sync/${path}`, body);
    return request.catch(method === "POST" ? advised : readable);
  }

  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      return readable(error);
    }
  }

  /** A conflict from where the database's user stands. */
  #seen(recorded: Recorded): Conflict {
    const { id, collection, document, path, at, policy, resolved } = recorded;
    const [won, lost] = [side(recorded.won), side(recorded.lost)];
    const mineLost = lost.user === this.#user && won.user !== this.#user;
    const stands = resolved?.choice === "lost" ? lost : won;
    const [mine, theirs] = mineLost ? [lost, won] : [won, lost];
    this.#won.set(id, mineLost ? "theirs" : "mine");
    return freeze({
      ...{ id, collection, document, path, at, policy, mine, theirs },
      field: keysOf(path)[0] ?? "",
      winner: resolved?.choice === "value" ? null : stands === mine ? "mine" : "theirs",
      resolved: resolved && { by: resolved.by, at: resolved.at },
    });
  }
}

function side({ user, at, value, removed, deleted }: Side): Side {
  return { user, at, value, removed, deleted };
}

/** What to tell the server, by which side won. */
function decided(choice: unknown): (won: "mine" | "theirs") => { choice: string; value?: Json } {
  if (choice === "mine" || choice === "theirs") return (won) => ({ choice: choice === won ? "won" : "lost" });
  if (typeof choice === "object" && choice !== null && "value" in choice) {
    const value = plainValue(choice.value, "value");
    return () => ({ choice: "value", value });
  }
  throw new LandfallError("invalid_options", 'a conflict is settled with "mine", "theirs" or { value }');
}

/** An answer that is no JSON, or not what was asked for, is not one of our server's. */
function readable(error: unknown): never {
  if (error instanceof LandfallError) throw error;
  throw new LandfallError("not_ours", "something else than the server has answered", { cause: error });
}

function advised(error: unknown): never {
  if ((error as Partial<LandfallError>).code !== "unreachable") return readable(error);
  const message = "a conflict is settled on the server: connect, then choose again";
  throw new LandfallError("unreachable", message, { cause: error });
}
