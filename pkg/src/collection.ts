import { LandfallError } from "./errors.js";
import { after, type Edit, type InsertOptions, type Intents, type Later, operation, type WriteOptions } from "./intent.js";
import { plainPatch } from "./json.js";
import { Query } from "./query.js";
import type { AnyRow, Rows } from "./rows.js";
import type { ElementOf, Filter, ListField, NumberField, Patch, Row } from "./schema.js";
import type { WireMutation } from "./wire.js";
import type { Write, Writes } from "./write.js";

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
  readonly #intents: Intents;

  /** @internal */
  constructor(rows: Rows, writes: Writes, intents: Intents) {
    this.name = intents.collection;
    this.#rows = rows;
    this.#writes = writes;
    this.#intents = intents;
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
  async insert(value: Input, options: InsertOptions = {}): Promise<Write> {
    return this.#one(() => this.#intents.create(value, options));
  }

  /**
   * Creates many documents, in one commit: all of them are saved, or none. On the server each is a write
   * of its own; see `db.transaction` for those that belong together.
   *
   * @throws as {@link Collection.insert}.
   */
  async insertMany(values: readonly Input[], { priority, network }: WriteOptions = {}): Promise<Write[]> {
    if (values.length === 0) return [];
    return this.#writes.save(() => {
      const creates = values.map((value) =>
        this.#intents.create(value, { ...(priority && { priority }), ...(network && { network }) }),
      );
      return creates.some((create) => create instanceof Promise) ? Promise.all(creates) : (creates as WireMutation[]);
    });
  }

  /**
   * Merges `patch` deeply into a document. `undefined` is ignored, {@link unset} removes a path, lists
   * are replaced whole, as is anything by an empty object. With a schema, the result must satisfy it; only what the patch names is
   * written, so edits of other fields by others stay.
   *
   * @throws {@link LandfallError} `not_found`; `invalid_operation` for a field that is declared to be
   * counted or to be a set; and as {@link Collection.insert}.
   */
  async update(id: string, patch: Patch<Input>, options: WriteOptions = {}): Promise<Write> {
    return this.#edit(id, { patch: plainPatch(patch) }, options);
  }

  /**
   * Adds `by`, which may be negative, to a number; what is absent counts from 0. In a field that is
   * declared as `counter` everybody's increments add up, in whatever order they arrive.
   *
   * @throws {@link LandfallError} `not_found`; `invalid_operation` for a field that is not a counter;
   * and as {@link Collection.insert}.
   */
  async increment(id: string, field: NumberField<Output>, by = 1, options: WriteOptions = {}): Promise<Write> {
    return this.#edit(id, operation("increment", field, by), options);
  }

  /**
   * Adds an element to a list that has each element once. In a field that is declared as `set`, elements
   * that others add at the same time are kept too.
   *
   * @throws {@link LandfallError} `not_found`; `invalid_operation` for a field that is not a set; and as
   * {@link Collection.insert}.
   */
  async add<Field extends ListField<Output>>(
    id: string,
    field: Field,
    element: ElementOf<Output, Field>,
    options: WriteOptions = {},
  ): Promise<Write> {
    return this.#edit(id, operation("add", field, element), options);
  }

  /**
   * Removes an element from a list; does nothing to a list that does not have it. Somebody who adds it
   * without knowing of this keeps it.
   *
   * @throws as {@link Collection.add}.
   */
  async remove<Field extends ListField<Output>>(
    id: string,
    field: Field,
    element: ElementOf<Output, Field>,
    options: WriteOptions = {},
  ): Promise<Write> {
    return this.#edit(id, operation("remove", field, element), options);
  }

  /**
   * Deletes a document.
   *
   * @throws {@link LandfallError} `not_found`; `storage_full`, `storage_unavailable`, `closed`,
   * `core_crashed`. Nothing is saved then.
   */
  async delete(id: string, options: WriteOptions = {}): Promise<Write> {
    return this.#one(() => this.#intents.delete(id, options));
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

  #edit(id: string, edit: Edit, options: WriteOptions): Promise<Write> {
    return this.#one(() => {
      const build = (row: AnyRow | null): Later<WireMutation> => {
        // Where there is no row the core refuses: it knows best whether there is such a document.
        const { id: _, ...data } = row ?? {};
        return this.#intents.patch(id, edit, row && data, options);
      };
      if (!this.#intents.schema) return build(null);
      const row = this.#writes.turn ? undefined : this.#rows.peek(id);
      if (row !== undefined) return build(row);
      return Promise.resolve(this.#writes.turn)
        .then(() => this.#rows.fetch(id))
        .then(build);
    });
  }

  async #one(prepare: () => Later<WireMutation>): Promise<Write> {
    const [write] = await this.#writes.save(() => after(prepare(), (mutation) => [mutation]));
    if (!write) throw new LandfallError("core_crashed", "the core gave no receipt");
    return write;
  }
}
