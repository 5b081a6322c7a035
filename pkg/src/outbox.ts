import type { Core } from "./core.js";
import { LandfallError } from "./errors.js";
import { type Export, exported, type Identity } from "./export.js";
import { Intents } from "./intent.js";
import { freeze, perform, plainPatch } from "./json.js";
import { Listeners } from "./listeners.js";
import type { Table } from "./members.js";
import type { Patch } from "./schema.js";
import type { Json, WireAct, WireEntry } from "./wire.js";
import type { Write, Writes } from "./write.js";

/**
 * A write that the server has not accepted: plain, frozen data, and what can be done about it. What is done to
 * one write of a transaction is done to all of it.
 *
 * `status`: `saved` here and to be sent, `sending`, `waiting` for another write (`because`) or for the network it
 * wants, `paused` until somebody signs in again, `accepted` and about to leave, or `needs_attention`: the server
 * refused it for the reason in `code`, `message` and `field`.
 */
export interface OutboxItem extends Readonly<Omit<WireEntry, "fields">> {
  /**
   * What was written, by JSON Pointer. `null` where very much is pending and this is not in memory: {@link Outbox.list}
   * reads it, and so does whatever reads the document.
   */
  readonly fields: readonly Readonly<NonNullable<WireEntry["fields"]>[number]>[] | null;

  /**
   * Sends it once more, as another write (the server never takes back its verdict on one). What is not refused
   * but on its way is tried now.
   *
   * @throws {@link LandfallError} `not_found` when it has left the outbox meanwhile; `storage_full`,
   * `storage_unavailable`, `closed`, `core_crashed`. Nothing has changed then.
   */
  retry(): Promise<Write>;

  /**
   * As {@link OutboxItem.retry}, with `patch` merged into what it writes, by the rules of an update: what the
   * document would be must satisfy the schema.
   *
   * @throws {@link LandfallError} `invalid_operation` for what does not need attention and for a delete;
   * `schema_invalid`, `invalid_document`; and as {@link OutboxItem.retry}.
   */
  edit(patch: Patch<Record<string, Json | undefined>>): Promise<Write>;

  /**
   * Forgets it: whoever sees the document sees it without this write. A discarded creation takes later writes
   * of that document with it.
   *
   * What may have reached the server is taken back there, if that is still possible: until the server has
   * answered the item stays, with `discarding`. Where it comes too late the write is `accepted`.
   *
   * @throws as {@link OutboxItem.retry}.
   */
  discard(): Promise<void>;

  /**
   * The write and those of its transaction, whole. Works whatever else fails.
   *
   * @throws {@link LandfallError} `closed`, `core_crashed`; `storage_unavailable` where `fields` is `null`: items of
   * {@link Outbox.list} have them.
   */
  export(): Export;
}

/** `db.outbox`: every write that is saved here and not accepted yet, in the order of writing. */
export class Outbox {
  readonly #core: Core;
  readonly #writes: Writes;
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #identity: Identity;
  readonly #listeners = new Listeners<readonly OutboxItem[]>(() => this.#items());
  /** Read when somebody asks, because most changes of an outbox nobody looks at. */
  #read: readonly OutboxItem[] | undefined;

  /** @internal */
  constructor(core: Core, writes: Writes, tables: ReadonlyMap<string, Table>, identity: Identity) {
    this.#core = core;
    this.#writes = writes;
    this.#tables = tables;
    this.#identity = identity;
  }

  /**
   * All items now, frozen; what needs attention comes last.
   *
   * @throws {@link LandfallError} `closed`, `core_crashed`, `storage_unavailable`.
   */
  async list(): Promise<readonly OutboxItem[]> {
    if (!this.#items().every(({ fields }) => fields)) {
      await this.#core.load("");
      this.#read = undefined;
    }
    return this.#items();
  }

  /**
   * Calls `listener` with the items at once, and again after every change.
   *
   * @returns what ends it.
   * @throws {@link LandfallError} `closed`, `core_crashed`.
   */
  subscribe(listener: (items: readonly OutboxItem[]) => void): () => void {
    return this.#listeners.add(listener);
  }

  /** @internal */
  changed(): void {
    this.#read = undefined;
    this.#listeners.changed();
  }

  /** @internal */
  end(): void {
    this.#read = undefined;
    this.#listeners.clear();
  }

  /** @internal */
  async again({ id, document }: OutboxItem, act: WireAct): Promise<Write> {
    const receipts = await this.#core.attend(id, act);
    return this.#writes.follow(receipts.length > 0 ? receipts : [{ document, mutation: id }]);
  }

  /** @internal */
  async edit(item: OutboxItem, given: unknown): Promise<Write> {
    const patch = plainPatch(given);
    const { collection, document, kind } = item;
    // What needs attention is in memory.
    const fields = item.fields ?? [];
    const { rows, intents } = this.#tables.get(collection) ?? { intents: new Intents(collection, undefined) };
    const row = intents.schema && (await rows?.fetch(document));
    const { id: _, ...data } = row ?? {};
    // A patch of what is not there cannot be judged here.
    const whole = row || kind === "create" ? fields.reduce<Record<string, unknown>>(perform, data) : null;
    return this.again(item, { act: "edit", ...(await intents.edit({ patch }, whole)) });
  }

  /** @internal */
  async discard(item: OutboxItem): Promise<void> {
    await this.#core.attend(item.id, { act: "discard" });
  }

  /** @internal */
  export({ id, group }: OutboxItem): Export {
    const passes = (item: Pick<OutboxItem, "id" | "group">): boolean => item.id === id || (group !== null && item.group === group);
    if (this.#items().some((item) => passes(item) && !item.fields)) {
      throw new LandfallError("storage_unavailable", "what this write says is not in memory; list() reads it");
    }
    return exported(this.#core.export(), this.#identity, passes);
  }

  #items(): readonly OutboxItem[] {
    if (this.#read) return this.#read;
    const items = this.#core.outbox().map((entry): OutboxItem => new Item(this, freeze(entry)) as unknown as OutboxItem);
    return (this.#read = Object.freeze(items));
  }
}

/** An entry with methods; on the prototype, so that what is seen of an item is its data. */
class Item implements Pick<OutboxItem, "retry" | "edit" | "discard" | "export"> {
  readonly #outbox: Outbox;

  constructor(outbox: Outbox, entry: WireEntry) {
    this.#outbox = outbox;
    Object.freeze(Object.assign(this, entry));
  }

  get #item(): OutboxItem {
    return this as unknown as OutboxItem;
  }

  retry(): Promise<Write> {
    return this.#outbox.again(this.#item, { act: "retry" });
  }

  edit(patch: unknown): Promise<Write> {
    return this.#outbox.edit(this.#item, patch);
  }

  discard(): Promise<void> {
    return this.#outbox.discard(this.#item);
  }

  export(): Export {
    return this.#outbox.export(this.#item);
  }
}
