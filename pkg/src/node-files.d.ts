/** The one function of Node that is used; all of Node's types would make its globals look available everywhere. */
declare module "node:fs/promises" {
  export function readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>;
}
