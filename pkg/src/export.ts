import type { Exported } from "./core.js";
import type { Json, WireEntry } from "./wire.js";

/** Everything that this device has and the server does not, as plain JSON: for support, or to be put in by hand. */
export interface Export {
  readonly format: "landfall-export";
  readonly version: 1;
  /** What `open` was called with. */
  readonly name: string;
  readonly url: string | null;
  readonly user: string | null;
  /** Unix milliseconds. */
  readonly exportedAt: number;
  readonly items: readonly ExportedItem[];
  /** Stored records that cannot be read, as they are. */
  readonly damaged: readonly Json[];
}

/** A write, whole. */
export interface ExportedItem {
  /** As `db.outbox` lists it. */
  readonly item: WireEntry;
  /** As it was made. */
  readonly entry: Json;
  /** As it was sent, if it was. */
  readonly sent: Json;
}

/** Whose database it is. */
export interface Identity {
  readonly name: string;
  readonly url: string | null;
  readonly user: string | null;
}

/**
 * @param passes - which items are wanted.
 * @internal
 */
export function exported({ items, damaged }: Exported, { name, url, user }: Identity, passes: (item: WireEntry) => boolean): Export {
  return {
    format: "landfall-export",
    version: 1,
    name,
    url,
    user,
    exportedAt: Date.now(),
    items: items.filter(({ item }) => passes(item)),
    damaged,
  };
}
