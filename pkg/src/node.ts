import { readFile } from "node:fs/promises";
import { type Database, type Options, openWith } from "./database.js";
import type { Collections } from "./schema.js";
import { core } from "./wasm.js";

export * from "./index.js";

/** As in a browser, except that Node cannot fetch the core from a file: it is read. */
export function open<const C extends Collections>(options: Options<C>): Promise<Database<C>> {
  return openWith(() => core(() => readFile(new URL("../wasm/landfall_web_bg.wasm", import.meta.url))), options);
}
