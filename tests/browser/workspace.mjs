/** A temporary folder and everything that runs on it, ended together. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class Workspace {
  #parts = [];
  directory;

  static async make() {
    const workspace = new Workspace();
    workspace.directory = await mkdtemp(join(tmpdir(), "landfall-"));
    return workspace;
  }

  /** Has a part stopped before the folder goes, and before the parts that were kept earlier. */
  keep(part) {
    this.#parts.push(part);
    return part;
  }

  /**
   * Stops every part, even where another cannot be stopped: one program that is left running would keep the
   * test runner waiting for ever. Nothing may use the folder in a hook of its own; which hook runs first is the
   * runner's affair.
   */
  async clear() {
    const failed = [];
    for (const part of this.#parts.splice(0).reverse()) {
      await Promise.resolve(part.stop()).catch((error) => failed.push(error));
    }
    // A browser's helpers end a moment after it, and write until then.
    await rm(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    if (failed.length > 0) throw new AggregateError(failed, "not everything could be stopped");
  }
}
