import { LandfallError } from "./errors.js";
import { Members } from "./members.js";
import type { Collections } from "./schema.js";
import type { WireOptions } from "./wire.js";

/** What `open` takes. */
export interface Options<C extends Collections> {
  /** Names the database among others of the same app. */
  readonly name: string;
  /** Where the server is. Left out: the database is local only. */
  readonly url?: string;
  /**
   * Gives the access token, `null` when nobody is signed in; then writes are kept until somebody is.
   * Called only when a token is needed, and never again before it has answered.
   */
  readonly auth?: () => string | null | Promise<string | null>;
  /** Whose data it is. Another user gets another database, so nothing can mix. */
  readonly user?: string;
  /**
   * Whether what was written here while nobody was signed in, that is, without `user`, becomes this user's: it is
   * in this database when `open` resolves, and goes to the server as theirs. Where that cannot be done, `open`
   * rejects and everything is as it was.
   */
  readonly claimGuest?: boolean;
  readonly collections: C;
}

/** Names that `db` has, beside those of its prototype. */
const RESERVED: ReadonlySet<string> = new Set(["sync", "outbox", "conflicts"]);

/** What the core takes, from options that may come from untyped code. @internal */
export function check({ name, url, user, auth, collections }: Options<Collections>): WireOptions {
  if (!isName(name)) refuse("name: not a name");
  if (user !== undefined && !isName(user)) refuse("user: not a name");
  if (auth !== undefined && typeof auth !== "function") refuse("auth: not a function");
  const wire: WireOptions = { name, url: url === undefined ? null : address(url), user: user ?? null, collections: {} };
  for (const [collection, { schema, version = 1, migrate, parent = {}, fields = {}, indexes = [] }] of Object.entries(collections)) {
    if (!isName(collection) || RESERVED.has(collection) || collection in Members.prototype) {
      throw new LandfallError("invalid_collection", `a collection cannot be named ${JSON.stringify(collection)}`);
    }
    if (schema !== undefined && schema["~standard"]?.version !== 1) refuse(`${collection}: not a Standard Schema`);
    if (!Number.isSafeInteger(version) || version < 1) refuse(`${collection}: not a version: ${version}`);
    if (migrate !== undefined && typeof migrate !== "function") refuse(`${collection}: migrate is not a function`);
    for (const of of Object.values(parent)) {
      if (!Object.hasOwn(collections, of)) refuse(`${collection}: no such parent collection: ${of}`);
    }
    // Documents are found by their id anyway.
    if (indexes.some((field) => !isName(field) || field === "id")) refuse(`${collection}: no index over ${indexes}`);
    wire.collections[collection] = {
      version,
      parent: { ...parent },
      fields: { ...fields },
      indexes: [...indexes],
      migrates: migrate !== undefined,
    };
  }
  return wire;
}

function isName(name: unknown): boolean {
  return typeof name === "string" && name !== "";
}

/** One spelling for one server: the address decides which database it is. */
function address(url: string): string {
  try {
    // In a page, an address may be relative to it.
    const { protocol, origin, pathname } = new URL(url, globalThis.location?.href);
    if (protocol === "https:" || protocol === "http:") return origin + pathname.replace(/\/+$/, "");
  } catch {
    // Said below.
  }
  refuse(`url: not an http(s) address: ${url}`);
}

function refuse(message: string): never {
  throw new LandfallError("invalid_options", message);
}
