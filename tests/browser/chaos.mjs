/** Users whom nobody can predict but from a seed, and what they were told is saved. */
import assert from "node:assert/strict";

/** Draws numbers from a seed, which it tells, so that a run can be had again with `LANDFALL_SEED`. */
export function chance(test) {
  const seed = Number(process.env.LANDFALL_SEED ?? Math.floor(Math.random() * 2 ** 31));
  test.diagnostic(`seed ${seed}`);
  let state = seed;
  /** Mulberry32. */
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count) => Math.floor(next() * count);
  return { below, pick: (list) => list[below(list.length)] };
}

/** What pages were told is saved. It outlives them. */
export class Saved {
  ids = new Set();
  #writers = 0;

  /** Has a page write a visit every `pause` milliseconds until it is gone; `count` at most. */
  async write(page, pause, count = Infinity) {
    this.#writers += 1;
    page.on("console", (message) => {
      const [word, id] = message.text().split(" ");
      if (word === "saved") this.ids.add(id);
    });
    await page.evaluate(
      ([name, pause, count]) => {
        const write = async (n) => {
          const id = `${name}-${n}`;
          await db.visits.insert({ site: "A1", n }, { id });
          console.log(`saved ${id}`);
          globalThis.written = n;
          if (n < count) setTimeout(write, pause, n + 1);
        };
        globalThis.written = 0;
        write(1);
      },
      [`tab${this.#writers}`, pause, Number.isFinite(count) ? count : Number.MAX_SAFE_INTEGER],
    );
  }

  /** Everything that was saved is on the server, unless the browser threw it away, and nothing is there twice. */
  async check(server, browser, test) {
    const documents = await server.documents("visits");
    const lost = [...this.ids].filter((id) => !documents.has(id));
    const times = await browser.thrownAway();
    if (times > 0) test.diagnostic(`the browser has thrown its database away ${times} times, with ${lost}`);
    else assert.deepEqual(lost, [], "lost");
    const changed = [...documents.values()].filter(({ version }) => version !== 1);
    assert.deepEqual(changed.map(({ document }) => document), [], "applied twice");
    return documents.size;
  }
}

/** Ends a page without a word, as a renderer that runs out of memory does. */
export async function crash(page) {
  const session = await page.context().newCDPSession(page);
  const crashed = new Promise((resolve) => page.once("crash", resolve));
  session.send("Page.crash").catch(() => {});
  await crashed;
}
