import { LandfallError } from "./errors.js";
import { isObject, type JsonPatch, merge, plain, plainPatch, split } from "./json.js";
import { Query } from "./query.js";
import type { AnyRow, Rows } from "./rows.js";
import { type Filter, type Patch, type Row, type StandardSchema, validate } from "./schema.js";
import type { Priority, WireMutation } from "./wire.js";
import type { Write, Writes } from "./write.js";

/** How urgently to send; `normal` if left out. It never changes the order within one document. */
export interface WriteOptions {
  readonly priority?: Priority;
}

export interface InsertOptions extends WriteOptions {
  /** The document's id; a UUIDv7 if left out. */
  readonly id?: string;
}

/**
 * The documents of one kind.
 *
 * Every write resolves once it is durable on this device, online or not, and not before; from then on
 * it survives a crash. Reads see it at once. Writes that are not awaited are saved in the order of the
 * calls.
 */
export class Collection<Input, Output> {
  readonly name: string;
  readonly #rows: Rows;
  readonly #writes: Writes;
  readonly #schema: StandardSchema | undefined;
  /** Settles when every write before has been handed to the core; there while one is being prepared. */
  #before: Promise<unknown> | undefined;

  /** @internal */
  constructor(name: string, rows: Rows, writes: Writes, schema: StandardSchema | undefined) {
    this.name = name;
    this.#rows = rows;
    this.#writes = writes;
    this.#schema = schema;
  }

  /**
   * Creates a document from what the schema makes of `value`.
   *
   * @throws {@link LandfallError} `schema_invalid`; `invalid_document` for what is not plain JSON or
   * has an `id` in it; `already_exists`; `storage_full`, `storage_unavailable`, `closed`,
   * `core_crashed`. Nothing is saved then.
   *
   * @example
   * ```ts
   * const write = await db.visits.insert({ site: "A1" });
   * await write.accepted({ timeout: 30_000 }); // optional: the server has it
   * ```
   */
  async insert(value: Input, { id, priority }: InsertOptions = {}): Promise<Write> {
    return one(this.#save(() => this.#create(value, id, priority)));
  }

  /**
   * Creates many documents, in one commit: all of them are saved, or none.
   *
   * @throws as {@link Collection.insert}.
   */
  async insertMany(values: readonly Input[], { priority }: WriteOptions = {}): Promise<Write[]> {
    if (values.length === 0) return [];
    return this.#save(() => {
      const creates = values.map((value) => this.#create(value, undefined, priority));
      return creates.some((create) => create instanceof Promise) ? Promise.all(creates) : (creates as WireMutation[]);
    });
  }

  /**
   * Merges `patch` deeply into a document. `undefined` is ignored, {@link unset} removes a path, lists
   * are replaced whole. With a schema, the result must satisfy it; only what the patch names is
   * written, so edits of other fields by others stay.
   *
   * @throws {@link LandfallError} `not_found`, and as {@link Collection.insert}.
   */
  async update(id: string, patch: Patch<Input>, { priority }: WriteOptions = {}): Promise<Write> {
    return one(
      this.#save(() => {
        const checked = plainPatch(patch);
        const build = (parts: ReturnType<typeof split>): WireMutation => ({
          op: "patch",
          collection: this.name,
          document: id,
          data: parts.data,
          ...(parts.unset.length > 0 && { unset: parts.unset }),
          ...(priority && { priority }),
        });
        const schema = this.#schema;
        if (!schema) return build(split(checked));
        const check = (row: AnyRow | null): WireMutation | Promise<WireMutation> => {
          // The core refuses it: it knows best whether there is such a document.
          if (!row) return build(split(checked));
          const output = validate(schema, merged(row, checked));
          if (output instanceof Promise) return output.then((value) => build(split(checked, value)));
          return build(split(checked, output));
        };
        const row = this.#before ? undefined : this.#rows.peek(id);
        if (row !== undefined) return check(row);
        return Promise.resolve(this.#before)
          .then(() => this.#rows.fetch(id))
          .then(check);
      }),
    );
  }

  /**
   * Deletes a document.
   *
   * @throws {@link LandfallError} `not_found`; `storage_full`, `storage_unavailable`, `closed`,
   * `core_crashed`. Nothing is saved then.
   */
  async delete(id: string, { priority }: WriteOptions = {}): Promise<Write> {
    return one(
      this.#save(() => ({ op: "delete", collection: this.name, document: id, ...(priority && { priority }) })),
    );
  }

  /**
   * The document, or `undefined`. A row that this session has read or written before is answered from
   * memory, as the same object until it changes.
   *
   * @throws {@link LandfallError} `storage_unavailable`, `closed`, `core_crashed`.
   */
  get(id: string): Promise<Row<Output> | undefined> {
    const row = this.#rows.peek(id);
    // No `await` when the row is here: it would double the time of a get.
    const answer =
      row === undefined
        ? this.#rows.fetch(id).then((found) => found ?? undefined)
        : Promise.resolve(row ?? undefined);
    return answer as Promise<unknown> as Promise<Row<Output> | undefined>;
  }

  /**
   * Starts a query: all rows, or those in which every given field equals the given value.
   *
   * @throws as {@link Query.where}.
   */
  where(filter: Filter<Row<Output>> = {}): Query<Row<Output>> {
    return new Query(this.#rows, { filter });
  }

  #create(
    value: unknown,
    id: string | undefined,
    priority: Priority | undefined,
  ): WireMutation | Promise<WireMutation> {
    const build = (data: unknown): WireMutation => ({
      op: "create",
      collection: this.name,
      data: plain(data),
      ...(id !== undefined && { document: id }),
      ...(priority && { priority }),
    });
    if (!this.#schema) return build(value);
    // A schema may drop what it does not know, and an id must not get lost unseen.
    if (isObject(value) && value["id"] !== undefined) return build(value);
    const output = validate(this.#schema, value);
    return output instanceof Promise ? output.then(build) : build(output);
  }

  /**
   * Hands the prepared mutations to the core in the order of the calls: at once if it can be, else
   * after those that are still being prepared (an asynchronous schema, an update of a row not loaded).
   */
  async #save(prepare: () => Mutations | Promise<Mutations>): Promise<Write[]> {
    const prepared = prepare();
    if (!this.#before && !(prepared instanceof Promise)) return this.#writes.save(list(prepared));
    const turn = Promise.all([prepared, this.#before]).then(([mutations]) => ({
      // Wrapped, so that the turn is over when the writes are handed over, not when they are durable.
      saved: this.#writes.save(list(mutations)),
    }));
    const over = Promise.allSettled([turn, this.#before]).then(() => {
      if (this.#before === over) this.#before = undefined;
    });
    this.#before = over;
    return (await turn).saved;
  }
}

type Mutations = WireMutation | WireMutation[];

function list(mutations: Mutations): WireMutation[] {
  return Array.isArray(mutations) ? mutations : [mutations];
}

async function one(writes: Promise<Write[]>): Promise<Write> {
  const [write] = await writes;
  if (!write) throw new LandfallError("core_crashed", "the core gave no receipt");
  return write;
}

/** The data of `row` with `patch` merged in, as a schema knows it: without the id. */
function merged(row: AnyRow, patch: JsonPatch): Record<string, unknown> {
  const { id: _, ...data } = row;
  return merge(data, patch);
}
