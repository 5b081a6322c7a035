/** The real server on a database of its own, and what it has stored: the truth that tests compare with. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { DEMO_CONFIG, LANDFALL } from "./products.mjs";
import { Program } from "./program.mjs";

export class Server {
  #directory;
  #www;
  #program;
  #listen = "127.0.0.1:0";
  origin;

  /** @param www - the folder that it serves as the page. */
  constructor(directory, www) {
    this.#directory = directory;
    this.#www = www;
  }

  static async start(directory, www) {
    const server = new Server(directory, www);
    await server.start();
    return server;
  }

  /** Starts it, or starts it again on the same database and port. */
  async start() {
    const database = `sqlite://${join(this.#directory, "landfall.db")}`;
    const args = ["serve", "--listen", this.#listen, "--database", database, "--config", DEMO_CONFIG, "--www", this.#www];
    this.#program = new Program(LANDFALL, args, { cwd: this.#directory });
    this.origin = await this.#program.line("listening on ");
    this.#listen = new URL(this.origin).host;
  }

  async stop(signal) {
    await this.#program?.stop(signal);
  }

  /** What it wrote to its output. */
  get said() {
    return this.#program.said;
  }

  /** A token as an operator gets it. */
  token(user = "ada", seconds = 3_600) {
    const args = ["token", "--user", user, "--role", "worker", "--ttl", seconds];
    return execFileSync(LANDFALL, args, { cwd: this.#directory, encoding: "utf8" }).trim();
  }

  /** All documents of a collection, by id, as anybody who may read them pulls them. */
  async documents(collection, user) {
    const headers = { authorization: `Bearer ${this.token(user)}` };
    const documents = new Map();
    let cursor = "";
    for (let more = true; more; ) {
      const response = await fetch(`${this.origin}/api/v1/sync/pull${cursor && `?cursor=${cursor}`}`, { headers });
      if (!response.ok) throw new Error(`pull answered ${response.status}: ${await response.text()}`);
      const page = await response.json();
      for (const change of page.changes.filter((change) => change.collection === collection)) {
        if (change.kind === "document") documents.set(change.document, change);
        else documents.delete(change.document);
      }
      cursor = encodeURIComponent(page.cursor);
      more = page.more;
    }
    return documents;
  }
}
