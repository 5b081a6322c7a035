import { LandfallError } from "./errors.js";
import type { FieldMerge, Json } from "./wire.js";

/**
 * The part of Standard Schema v1 (standardschema.dev) that is used here. zod, valibot, arktype and
 * others implement it, so none of them is a dependency.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Outcome<Output> | Promise<Outcome<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type Outcome<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] };

/** One thing that is wrong with a value. */
export interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * Checks `value`: at once if the schema can, else with a promise.
 *
 * @returns the schema's output, which is what gets stored.
 * @throws {@link LandfallError} `schema_invalid` with every issue; the message names the first.
 * @internal
 */
export function validate(schema: StandardSchema, value: unknown): unknown {
  const outcome = schema["~standard"].validate(value);
  return outcome instanceof Promise ? outcome.then(output) : output(outcome);
}

function output(outcome: Outcome<unknown>): unknown {
  if (!outcome.issues) return outcome.value;
  const [first] = outcome.issues;
  const path = first?.path?.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
  const message = first?.message ?? "refused by the schema";
  throw new LandfallError("schema_invalid", path ? `${path}: ${message}` : message, { issues: outcome.issues });
}

// === The rest of this file is types ===

/**
 * What `open` is told about a collection.
 *
 * A schema must accept its own output, because an update validates the stored row with the patch
 * merged in. So `z.string().trim()` is fine, and a transform from text to number is not.
 */
export interface CollectionOptions {
  /** Any Standard Schema. Left out: rows are plain JSON objects. */
  readonly schema?: StandardSchema;
  /**
   * Fields to index, best such that hold numbers, `true`, `false`, `null` or short texts. A query reads no more than
   * it asks for where one of them has to equal a value, and where it sorts by one of them, has a limit and no
   * other condition. They are made in idle time once a first sync is complete; until then, a query reads the collection.
   */
  readonly indexes?: readonly string[];
  /** How a field merges where last write wins is not it. */
  readonly fields?: Readonly<Record<string, FieldMerge>>;
  /** The app's own version of this schema, 1 if left out; sent with every write. */
  readonly version?: number;
  /**
   * Brings what was written under an older version, and has not been sent, to this one: before `open` resolves, and
   * when a tab with an older version writes. What comes of it is stored before any of it is sent or seen.
   *
   * With `kind` `create`, `data` is a whole document, and what is returned has to satisfy the schema. With `patch` it is the
   * fields that an update writes, and nothing else: what is missing there is not missing in the document, so add no
   * defaults. An increment, an element that is added or removed, and a field that is removed are asked about one by one
   * as such a part, with the step, a list of the element, or `null`: where the same value comes back under
   * one other name, and nothing beside it, the operation goes to that field, else it stays where it is.
   *
   * A write for which it throws, or returns what is no document, is kept as it was in `db.outbox`, with
   * `migration_failed`: `retry` asks once more. What the server has refused is migrated as well. What was sent
   * goes again as it was, and what the server has confirmed is the server's to migrate. Without this, writes
   * go as they were, with their own version. It must not call the database.
   */
  readonly migrate?: (data: Record<string, Json>, from: number, kind: "create" | "patch") => Record<string, Json>;
  /** Field → collection of the document it names: a write waits for the creation of its parents. */
  readonly parent?: Readonly<Record<string, string>>;
}

export type Collections = Readonly<Record<string, CollectionOptions>>;

/** What the schema of `O` takes; any plain object without one. */
export type InputOf<O extends CollectionOptions> = O extends { readonly schema: StandardSchema<infer Input, unknown> }
  ? Input
  : Record<string, Json | undefined>;

/** What the schema of `O` gives and the collection stores. */
export type OutputOf<O extends CollectionOptions> = O extends { readonly schema: StandardSchema<infer _, infer Output> }
  ? Output
  : Record<string, Json>;

/** A document as it is read: frozen, one object for each version of it. */
export type Row<Output> = Readonly<Output> & { readonly id: string };

/** As a value in a patch: removes that path. */
export const unset: unique symbol = Symbol("landfall.unset");

/**
 * Part of a document, merged deeply into it. `undefined` is ignored; {@link unset} removes what need
 * not be there. Arrays are values and are replaced whole.
 */
export type Patch<T> = T extends object
  ? T extends readonly unknown[]
    ? T
    : { readonly [K in keyof T]?: Patch<T[K]> | Removal<T, K> | undefined }
  : T;

/** {@link unset} where a member may be absent. */
type Removal<T, K extends keyof T> = Record<never, never> extends Pick<T, K> ? typeof unset : never;

/** Names of fields that hold numbers. */
export type NumberField<T> = { [K in keyof T & string]-?: Extract<T[K], number> extends never ? never : K }[keyof T &
  string];

/** Names of fields that hold lists. */
export type ListField<T> = {
  [K in keyof T & string]-?: Extract<T[K], readonly unknown[]> extends never ? never : K;
}[keyof T & string];

/** What the list in a field holds. */
export type ElementOf<T, Field extends keyof T> = Extract<T[Field], readonly unknown[]>[number];

/** Fields that a row must equal, all of them. */
export type Filter<R> = { readonly [K in keyof R]?: R[K] };
