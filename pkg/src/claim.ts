import type { CoreDatabase } from "./wire.js";

/** What {@link CoreDatabase.export} gives, as far as it matters here. */
interface Legacy {
  readonly client: string;
  readonly items: readonly { readonly entry: object; readonly place: unknown }[];
  /** How many writes are not among the items yet. */
  readonly unread: number;
  /** The last record of the journal that is known. */
  readonly through: number;
  readonly damaged: readonly unknown[];
}

/**
 * Moves what a guest wrote into the database of whoever signs in, and deletes the guest's. A crash on the way
 * loses nothing and doubles nothing: the next time goes on.
 *
 * @throws `storage_full`, `storage_unavailable`; then the guest's database is as it was.
 * @internal
 */
export async function claim(guest: CoreDatabase, into: CoreDatabase): Promise<void> {
  try {
    for (;;) {
      await guest.load("");
      const { client, items, through, damaged, unread } = JSON.parse(guest.export()) as Legacy;
      // Another tab has just written it.
      if (unread > 0) continue;
      const entries = items.map(({ entry, place }) => ({ ...entry, place }));
      if (entries.length > 0) await into.adopt(client, through, JSON.stringify({ entries }));
      // What cannot be read stays where it is; the rest is taken once, however often this runs.
      if (damaged.length > 0 || (await left(guest, through))) return;
    }
  } finally {
    guest.close();
  }
}

/** Whether the guest's database is gone; not if another tab has written to it meanwhile. */
async function left(guest: CoreDatabase, through: number): Promise<boolean> {
  try {
    await guest.leave(through);
    return true;
  } catch (error) {
    const { code } = error as { code?: unknown };
    // Another tab signs in as well, and has done all of this.
    if (code === "closed" || code === "signed_out") return true;
    if (code === "pending_writes") return false;
    throw error;
  }
}
