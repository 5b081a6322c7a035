/** Programs that a test starts: each is up once it has said so, and gone before the test ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** What is still running, should the test runner itself end early. */
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class Program {
  #child;
  #exit;
  #said = [];
  #looks = new Set();

  constructor(command, args, options) {
    this.#child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    running.add(this.#child);
    this.#exit = once(this.#child, "exit").finally(() => running.delete(this.#child));
    this.#exit.catch(() => {});
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.#said.push(line);
        for (const look of this.#looks) look(line);
      });
    }
  }

  /** Everything it has written, for when a test fails. */
  get said() {
    return this.#said.join("\n");
  }

  /** Resolves to what stands behind `prefix` in its output, as soon as that is written. */
  async line(prefix) {
    return new Promise((resolve, reject) => {
      const look = (line) => line.startsWith(prefix) && resolve(line.slice(prefix.length).trim());
      this.#said.forEach(look);
      this.#looks.add(look);
      this.#exit.then(
        () => reject(new Error(`it ended before it said "${prefix}":\n${this.said}`)),
        (error) => reject(error),
      );
    });
  }

  /** Asks it to end, or ends it, and waits until it is gone. */
  async stop(signal = "SIGTERM") {
    if (!running.has(this.#child)) return;
    this.#child.kill(signal);
    await this.#exit;
  }
}
