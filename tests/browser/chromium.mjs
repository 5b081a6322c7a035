/** A real Chromium on a profile of its own, that can be killed as a battery or an out-of-memory killer does it. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { CHROMIUM } from "./products.mjs";
import { Program } from "./program.mjs";

/** What every one of them is started with. */
export const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-default-apps",
  "--disable-crash-reporter",
  "--disable-breakpad",
];

export class Chromium {
  #profile;
  #options;
  #pids = [];
  #program;
  #begun = 0;
  context;

  /**
   * @param options - Playwright's, or `natural`: without what Playwright changes for the sake of tests. Then only
   * one tab is visible, others can be frozen, and pages go to the back/forward cache.
   */
  constructor(profile, options) {
    this.#profile = profile;
    this.#options = options;
  }

  static async start(profile, options = {}) {
    const browser = new Chromium(profile, options);
    await browser.start();
    return browser;
  }

  /** Starts it, or starts it again on the same profile. */
  async start() {
    if (this.#options.natural) return this.#startNatural();
    this.context = await chromium.launchPersistentContext(this.#profile, {
      executablePath: CHROMIUM,
      headless: true,
      args: ARGS,
      ...this.#options,
    });
    const session = await this.context.browser().newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    await session.detach();
    this.#pids = processInfo.filter(({ type }) => type === "browser").map(({ id }) => id);
    if (this.#pids.length !== 1) throw new Error("which process is the browser?");
  }

  async #startNatural() {
    const own = ["--headless", "--remote-debugging-port=0", `--user-data-dir=${this.#profile}`, "about:blank"];
    this.#program = new Program(CHROMIUM, [...ARGS, ...own]);
    const address = await this.#program.line("DevTools listening on ");
    const browser = await chromium.connectOverCDP(address, { noDefaults: true });
    [this.context] = browser.contexts();
  }

  /** A page with nothing in it yet. */
  async page() {
    return this.context.newPage();
  }

  /** Ends every process of it at once, without a chance to write or to say good-bye. */
  async kill() {
    const closed = new Promise((resolve) => this.context.once("close", resolve));
    this.#begun += await this.#begins();
    // Playwright starts the browser as the leader of a process group, and its children stay in it.
    process.kill(-this.#pids[0], "SIGKILL");
    await closed;
  }

  /**
   * How often it has found its IndexedDB damaged by a kill, and thrown all of it away: about once in a hundred kills on a
   * machine with too much to do (Chromium 148). No page can prevent that, or knows more than that nothing is there.
   */
  async thrownAway() {
    return this.#begun + (await this.#begins()) - 1;
  }

  /** 1 if IndexedDB, as LevelDB tells it in its log, has begun with nothing since the browser was started. */
  async #begins() {
    const folder = join(this.#profile, "Default", "IndexedDB");
    const names = await readdir(folder).catch(() => []);
    const logs = names.filter((name) => name.endsWith(".leveldb")).map((name) => readFile(join(folder, name, "LOG"), "utf8").catch(() => ""));
    return (await Promise.all(logs)).some((log) => log.includes("Creating DB")) ? 1 : 0;
  }

  async stop() {
    if (this.#program) return this.#program.stop("SIGKILL");
    await this.context.close();
  }
}
