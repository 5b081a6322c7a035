import { type JsonPatch, merge, perform, plain, plainValue, pointer, split } from "./json.js";
import { type StandardSchema, validate } from "./schema.js";
import type { Network, Priority, WireChange, WireMutation, WirePatch } from "./wire.js";

/** How a write is to be sent. It never changes the order within one document. */
export interface WriteOptions {
  /** How urgently; `normal` if left out. What a write waits for becomes as urgent as the write. */
  readonly priority?: Priority;
  /** `unmetered`: not while the device says that its connection is paid for by volume; `any` if left out. */
  readonly network?: Network;
}

export interface InsertOptions extends WriteOptions {
  /** The document's id; a UUIDv7 if left out. */
  readonly id?: string;
}

/** What an update, or an operation on one field, asks for. */
export interface Edit {
  readonly patch: JsonPatch;
  readonly changes?: WireChange[];
}

/** A row without its id. */
export type Data = Record<string, unknown>;

/** Here, or to come. */
export type Later<T> = T | Promise<T>;

/** Goes on with what `later` is: at once, if it is here. @internal */
export function after<T, U>(later: Later<T>, next: (value: T) => U): Later<U> {
  return later instanceof Promise ? later.then(next) : next(later);
}

/**
 * Makes what the core takes of what an app asks for in one collection: copied, checked by the schema.
 *
 * @internal
 */
export class Intents {
  readonly collection: string;
  readonly schema: StandardSchema | undefined;

  constructor(collection: string, schema: StandardSchema | undefined) {
    this.collection = collection;
    this.schema = schema;
  }

  create(value: unknown, { id, ...options }: InsertOptions): Later<WireMutation> {
    const build = (data: unknown): WireMutation => ({
      op: "create",
      collection: this.collection,
      data: plain(data),
      ...(id !== undefined && { document: id }),
      ...urgency(options),
    });
    if (!this.schema) return build(value);
    // A schema may drop what it does not know, and an id must not get lost unseen.
    if ((value as { id?: unknown } | null)?.id !== undefined) return build(value);
    return after(validate(this.schema, value), build);
  }

  /**
   * What an edit writes.
   *
   * @param data - what the document is without the edit; `null` if there is none, or if that does not
   * matter: then nothing is checked.
   */
  edit(edit: Edit, data: Data | null): Later<WirePatch> {
    const build = (output?: unknown): WirePatch => {
      const { data, unset } = split(edit.patch, output);
      return { data, ...(unset.length > 0 && { unset }), ...(edit.changes && { changes: edit.changes }) };
    };
    if (!this.schema || !data) return build();
    const { patch, changes = [] } = edit;
    return after(validate(this.schema, changes.reduce(perform, merge(data, patch))), build);
  }

  /** As {@link Intents.edit}, as a mutation. */
  patch(document: string, edit: Edit, data: Data | null, options: WriteOptions): Later<WireMutation> {
    return after(this.edit(edit, data), (patch) => ({
      op: "patch",
      collection: this.collection,
      document,
      ...patch,
      ...urgency(options),
    }));
  }

  delete(document: string, options: WriteOptions): WireMutation {
    return { op: "delete", collection: this.collection, document, ...urgency(options) };
  }
}

/** An operation on a field, as an edit. @internal */
export function operation(op: WireChange["op"], field: string, value: unknown): Edit {
  return { patch: {}, changes: [{ path: pointer(field), op, value: plainValue(value, field) }] };
}

/** What a mutation leaves of a document. @internal */
export function result(mutation: WireMutation, before: Data | null): Data | null {
  switch (mutation.op) {
    case "create":
      return mutation.data;
    case "delete":
      return null;
    case "patch": {
      const removals = (mutation.unset ?? []).map((path) => ({ path, op: "unset" }));
      return [...removals, ...(mutation.changes ?? [])].reduce(perform, merge(before, mutation.data));
    }
  }
}

function urgency({ priority, network }: WriteOptions): WriteOptions {
  return { ...(priority && { priority }), ...(network && { network }) };
}
