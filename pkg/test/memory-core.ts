/**
 * A core that keeps everything in memory and does what a test tells it, to test the facade's own logic.
 * The real one is tested in real browsers.
 */

import type {
  CoreDatabase,
  CoreModule,
  Json,
  WireAct,
  WireChange,
  WireEntry,
  WireEvents,
  WireMutation,
  WireOlder,
  WireOptions,
  WirePatch,
  WireReceipt,
  WireRow,
  WireState,
} from "../src/wire.js";
import { same } from "../src/json.js";
import { orderOf } from "../src/order.js";
import type { AnyRow } from "../src/rows.js";

export type Data = Record<string, Json>;
type Mutation = WireMutation & { document: string };

const GROUP_MAX = 100;

/** What a device keeps when the core is gone. */
export class Disk {
  /** What the server has confirmed, by collection and document. */
  readonly base = new Map<string, Map<string, Data>>();
  readonly entries: WireEntry[] = [];
  /** By id, of every entry that was written here. */
  readonly mutations = new Map<string, Mutation>();
  /** By id, of entries that have none because they are in the journal alone. */
  readonly fields = new Map<string, WireEntry["fields"]>();
  count = 0;
}

export class MemoryCore implements CoreDatabase {
  /** What was handed over, one element for each call of `write`. */
  readonly calls: WireMutation[][] = [];
  /** Whether each of the calls was a group. */
  readonly grouped: boolean[] = [];
  readonly commands: string[] = [];
  readonly acts: [id: string, act: WireAct][] = [];
  /** How often each collection (`visits`) or document (`visits/a`) was loaded. */
  readonly loads: string[] = [];
  /** Refuses the next call of `write`. */
  refusal: { code: string; message: string } | undefined;
  /** Answers wait here while it is there; {@link MemoryCore.release} gives them. */
  held: (() => void)[] | undefined;
  /** What the server answers; without it, it cannot be reached. */
  server: ((method: string, path: string, body?: Json) => Json) | undefined;
  closed = false;
  wireState: WireState = {
    online: true,
    phase: "idle",
    pending: 0,
    failed: 0,
    oldestPendingAt: null,
    lastSyncedAt: null,
    nextTryAt: null,
    progress: { done: 0, total: 0, bytes: 0 },
    breaker: "closed",
    clockSkewMs: 0,
    reason: null,
    leads: true,
    damaged: 0,
    lost: 0,
    dropped: 0,
    made: 0,
  };
  readonly #options: WireOptions;
  readonly #disk: Disk;
  readonly #listener: (events: string) => string | void;

  constructor(options: WireOptions, disk: Disk, listener: (events: string) => string | void) {
    this.#options = options;
    this.#disk = disk;
    this.#listener = listener;
  }

  get entries(): WireEntry[] {
    return this.#disk.entries;
  }

  async write(json: string, grouped: boolean): Promise<string> {
    const mutations = JSON.parse(json) as WireMutation[];
    this.calls.push(mutations);
    this.grouped.push(grouped);
    const refusal = this.refusal;
    this.refusal = undefined;
    if (refusal) throw refusal;
    if (grouped && mutations.length > GROUP_MAX) throw { code: "group_too_large", message: "too many" };
    const group = grouped && mutations.length > 1 ? `w:${this.#disk.count + 1}` : null;
    const written: WireEntry[] = [];
    try {
      for (const mutation of mutations) written.push(this.#enter(mutation, group));
    } catch (reason) {
      for (const { id } of written) this.#forget(id);
      throw reason;
    }
    this.emit({ rows: written.map((entry) => this.#row(entry)), outbox: true });
    await this.#answered();
    return JSON.stringify(written.map(receipt));
  }

  async load(collection: string, document?: string, field?: string, equals?: string, count = 0): Promise<string> {
    if (field !== undefined) return this.#find(collection, field, equals, count);
    if (collection === "") {
      for (const item of this.entries) item.fields ??= this.#disk.fields.get(item.id) ?? null;
      await this.#answered();
      return "[]";
    }
    this.loads.push(document === undefined ? collection : `${collection}/${document}`);
    const written = this.entries.filter((entry) => entry.collection === collection).map((entry) => entry.document);
    const ids = document === undefined ? new Set([...this.#table(collection).keys(), ...written]) : [document];
    const rows = [...ids].map((id) => this.#row({ collection, document: id })).filter(({ data }) => data !== null);
    const reply = JSON.stringify(rows);
    await this.#answered();
    return reply;
  }

  outbox(): string {
    return JSON.stringify(this.entries);
  }

  async attend(id: string, json: string): Promise<string> {
    const act = JSON.parse(json) as WireAct;
    this.acts.push([id, act]);
    const item = this.entries.find((entry) => entry.id === id);
    if (!item || item.status === "accepted") throw { code: "not_found", message: "no such item" };
    const refused = item.status === "needs_attention";
    if (act.act === "edit" && (!refused || item.kind === "delete")) throw { code: "invalid_operation", message: "" };
    if (act.act === "retry" && !refused) return "[]";
    const unit = this.entries.filter((entry) => entry.id === id || (item.group !== null && entry.group === item.group));
    const again: WireEntry[] = [];
    for (const old of unit) {
      const mutation = this.#forget(old.id);
      if (!mutation || act.act === "discard") continue;
      const group = again[0]?.id ?? `w:${this.#disk.count + 1}`;
      again.push(this.#enter(act.act === "edit" && old === item ? mended(mutation, act) : mutation, old.group && group));
    }
    const discarded = act.act === "discard" ? unit : [];
    this.emit({
      rows: unit.map((entry) => this.#row(entry)),
      outbox: true,
      settled: discarded.map((entry) => ({ mutation: entry.id, status: "discarded", code: null, message: null })),
    });
    await this.#answered();
    return JSON.stringify(again.map(receipt));
  }

  export(): string {
    const items = this.entries.map((item) => ({ item, entry: this.#disk.mutations.get(item.id) ?? null, sent: null }));
    return JSON.stringify({ client: "c", unread: 0, through: this.#disk.count, items, damaged: [] });
  }

  state(): string {
    return JSON.stringify(this.wireState);
  }

  command(name: "now" | "pause" | "resume"): void {
    this.commands.push(name);
  }

  async request(method: "GET" | "POST", path: string, body?: string): Promise<string> {
    if (!this.server) throw { code: "unreachable", message: "no server" };
    const reply = this.server(method, path, body === undefined ? undefined : (JSON.parse(body) as Json));
    await this.#answered();
    return JSON.stringify(reply);
  }

  close(): void {
    this.closed = true;
  }

  async adopt(_client: string, _through: number, record: string): Promise<void> {
    const { entries } = JSON.parse(record) as { entries: Mutation[] };
    const adopted = entries.map((entry) => this.#enter(entry, null));
    this.emit({ rows: adopted.map((entry) => this.#row(entry)), outbox: true });
  }

  async leave(through?: number): Promise<void> {
    if (this.closed) throw { code: "closed", message: "" };
    const behind = through === undefined ? this.entries.length > 0 : this.#disk.count > through;
    if (behind) throw { code: "pending_writes", message: `not on the server yet: ${this.entries.length}` };
    this.closed = true;
    this.#disk.base.clear();
    this.#disk.entries.length = 0;
  }

  // === What a test does ===

  emit(events: WireEvents): void {
    this.#listener(JSON.stringify(events));
  }

  /** Has the page bring documents to its version. */
  ask(migrate: WireOlder[]): Json {
    return JSON.parse(this.#listener(JSON.stringify({ migrate })) as string) as Json;
  }

  /** Changes what the server has confirmed of a document, without telling anybody. */
  put(collection: string, id: string, data: Data | null): WireRow {
    if (data === null) this.#table(collection).delete(id);
    else this.#table(collection).set(id, data);
    return this.#row({ collection, document: id });
  }

  /** Changes documents as a pull would. */
  pull(collection: string, changes: Record<string, Data | null>): void {
    this.emit({ rows: Object.entries(changes).map(([id, data]) => this.put(collection, id, data)) });
  }

  progress(state: Partial<WireState>): void {
    this.wireState = { ...this.wireState, ...state };
    this.emit({ state: this.wireState });
  }

  /** The server has accepted a write. */
  accept(id: string): void {
    const mutation = this.#forget(id);
    if (mutation) this.put(mutation.collection, mutation.document, applied(this.#base(mutation), mutation));
    this.emit({ outbox: true, settled: [{ mutation: id, status: "accepted", code: null, message: null }] });
  }

  /** The server has refused a write: it is kept, and leaves the view unless it created the document. */
  refuse(id: string, code: string): void {
    const at = this.entries.findIndex((entry) => entry.id === id);
    const [entry] = this.entries.splice(at, 1) as [WireEntry];
    const refused: WireEntry = { ...entry, status: "needs_attention", code, message: `refused: ${code}` };
    this.entries.push(refused);
    this.emit({
      rows: [this.#row(entry)],
      outbox: true,
      settled: [{ mutation: id, status: "needs_attention", code, message: refused.message }],
    });
  }

  hold(): void {
    this.held = [];
  }

  /** The core has been started anew, and what a write says is in the journal alone. */
  forget(id: string): void {
    for (const item of this.entries) {
      if (item.id !== id) continue;
      this.#disk.fields.set(id, item.fields);
      item.fields = null;
    }
    this.emit({ outbox: true });
  }

  release(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const answer of held) answer();
  }

  /** What an index names, and what is pending. */
  async #find(collection: string, field: string, equals: string | undefined, count: number): Promise<string> {
    this.loads.push(`${collection}?${field}=${equals ?? count}`);
    const pending = this.entries.filter((entry) => entry.collection === collection).map((entry) => entry.document);
    const confirmed: AnyRow[] = [...this.#table(collection)].map(([id, data]) => ({ ...data, id }));
    const room = Math.abs(count) + pending.length;
    const named = equals
      ? confirmed.filter((row) => same(row[field], JSON.parse(equals)))
      : confirmed.sort(orderOf(field, count < 0)).slice(0, room);
    const last = !equals && named.length === room ? named.at(-1) : undefined;
    await this.#answered();
    // Read before the answer, and told as they are now, as the core does.
    this.emit({ rows: [...named.map(({ id }) => id), ...pending].map((document) => this.#row({ collection, document })) });
    return JSON.stringify(last ? `${collection}\0${field}\0${encoded(last[field])}\0${last.id}` : "");
  }

  async #answered(): Promise<void> {
    if (this.held) await new Promise<void>((resolve) => this.held?.push(resolve));
  }

  #table(collection: string): Map<string, Data> {
    let table = this.#disk.base.get(collection);
    if (!table) this.#disk.base.set(collection, (table = new Map()));
    return table;
  }

  #base({ collection, document }: Subject): Data | null {
    return this.#table(collection).get(document) ?? null;
  }

  /** What the app sees: what is confirmed, with what is pending on top. */
  #row({ collection, document }: Subject): WireRow {
    let data = this.#base({ collection, document });
    for (const entry of this.entries) {
      if (entry.collection !== collection || entry.document !== document) continue;
      const mutation = this.#disk.mutations.get(entry.id);
      const seen = entry.status !== "needs_attention" || entry.kind === "create";
      if (mutation && seen) data = applied(data, mutation);
    }
    return { collection, id: document, data };
  }

  /** Makes an outbox entry of a mutation that makes sense. */
  #enter(asked: WireMutation, group: string | null): WireEntry {
    const n = this.#disk.count + 1;
    const mutation: Mutation = { ...asked, document: asked.document ?? `d${String(n).padStart(6, "0")}` };
    const { op: kind, collection, document } = mutation;
    const exists = this.#row(mutation).data !== null;
    if (kind === "create" && exists) throw { code: "already_exists", message: document };
    if (kind !== "create" && !exists) throw { code: "not_found", message: document };
    const fields = fieldsOf(mutation);
    for (const { path, op } of fields) this.#check(kind, collection, path, op);
    const entry: WireEntry = {
      id: `w:${n}`, kind, collection, document, group, status: "saved", code: null, message: null, field: null,
      attempts: 0, savedAt: n, because: null, discarding: false, fields,
    };
    this.#disk.count = n;
    this.#disk.mutations.set(entry.id, mutation);
    this.entries.push(entry);
    return entry;
  }

  /** Whether the field merges in a way that has this operation. */
  #check(kind: WireEntry["kind"], collection: string, path: string, op: string): void {
    const merge = this.#options.collections[collection]?.fields[path.slice(1)];
    const wanted = merge === "counter" ? ["increment"] : merge === "set" ? ["add", "remove"] : ["set", "unset"];
    if (kind === "patch" && !wanted.includes(op)) throw { code: "invalid_operation", message: `${path}: ${op}` };
  }

  #forget(id: string): Mutation | undefined {
    const at = this.entries.findIndex((entry) => entry.id === id);
    if (at >= 0) this.entries.splice(at, 1);
    const mutation = this.#disk.mutations.get(id);
    this.#disk.mutations.delete(id);
    return mutation;
  }
}

/** A value as an index has it. */
function encoded(value: Json | undefined): string {
  if (typeof value === "string") return `5${value.replaceAll("\x01", "\x01\x02").replaceAll("\0", "\x01\x01")}`;
  if (typeof value !== "number") return String([undefined, null, false, true].indexOf(value as null));
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value + 0);
  const bits = view.getBigUint64(0);
  const turned = value < 0 ? BigInt.asUintN(64, ~bits) : bits | (1n << 63n);
  return `4${turned.toString(16).padStart(16, "0")}`;
}

interface Subject {
  collection: string;
  document: string;
}

function receipt({ id, document }: WireEntry): WireReceipt {
  return { document, mutation: id };
}

function applied(before: Data | null, mutation: Mutation): Data | null {
  if (mutation.op === "delete") return null;
  if (mutation.op === "create") return mutation.data;
  const after = { ...before, ...mutation.data };
  for (const path of mutation.unset ?? []) delete after[path.slice(1)];
  for (const change of mutation.changes ?? []) after[change.path.slice(1)] = changed(after[change.path.slice(1)], change);
  return after;
}

function changed(before: Json | undefined, { op, value }: WireChange): Json {
  if (op === "increment") return Number(before ?? 0) + Number(value);
  const others = (Array.isArray(before) ? before : []).filter((one) => JSON.stringify(one) !== JSON.stringify(value));
  return op === "add" ? [...others, value] : others;
}

/** A refused write with an edit in it. */
function mended(mutation: Mutation, { data, unset = [] }: WirePatch): Mutation {
  if (mutation.op === "delete") return mutation;
  const merged = { ...mutation.data, ...data };
  for (const path of unset) delete merged[path.slice(1)];
  return { ...mutation, data: merged };
}

function fieldsOf(mutation: Mutation): NonNullable<WireEntry["fields"]> {
  if (mutation.op === "delete") return [];
  const set = Object.entries(mutation.data).map(([key, value]) => ({ path: `/${key}`, op: "set", value }));
  if (mutation.op === "create") return set;
  const unset = (mutation.unset ?? []).map((path) => ({ path, op: "unset" }));
  return [...set, ...unset, ...(mutation.changes ?? [])];
}

/** A module that keeps every core it opened. */
export class MemoryModule implements CoreModule {
  readonly opened: { core: MemoryCore; options: WireOptions; auth: (() => Promise<string | null>) | null }[] = [];
  /** Runs before the open is answered. */
  opening: (core: MemoryCore) => void | Promise<void> = () => {};
  /** What every database keeps between two cores, if that matters. */
  disks: Map<string, Disk> | undefined;

  async open(
    options: WireOptions,
    auth: (() => Promise<string | null>) | null,
    listener: (events: string) => string | void,
  ): Promise<CoreDatabase> {
    const name = JSON.stringify([options.name, options.url, options.user]);
    const disk = this.disks?.get(name) ?? new Disk();
    this.disks?.set(name, disk);
    const core = new MemoryCore(options, disk, listener);
    this.opened.push({ core, options, auth });
    await this.opening(core);
    return core;
  }

  get core(): MemoryCore {
    const last = this.opened.at(-1);
    if (!last) throw new Error("nothing was opened");
    return last.core;
  }
}
