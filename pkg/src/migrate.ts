import { plain } from "./json.js";
import { type Collections, validate } from "./schema.js";
import type { WireOlder } from "./wire.js";

/**
 * What the app makes of documents of older versions, as the core wants to hear it.
 *
 * @internal
 */
export function migrated(collections: Collections, older: readonly WireOlder[]): string {
  return JSON.stringify(older.map((one) => attempt(collections, one)));
}

/** The document, or a text that says why there is none. */
function attempt(collections: Collections, { collection, from, kind, data }: WireOlder): unknown {
  try {
    const { migrate, schema } = collections[collection] ?? {};
    const newer = plain(migrate?.(data, from, kind));
    // A part of a document cannot be judged, and a schema that takes its time comes too late.
    const checked = kind === "create" && schema ? validate(schema, newer) : newer;
    if (!(checked instanceof Promise)) return plain(checked);
    checked.catch(() => {});
    return newer;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
