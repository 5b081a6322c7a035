/** Every page and state of the demo, on phone and desktop, light and dark, as axe sees it: nothing to complain about. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";
import { DEVICES, SCHEMES } from "./devices.mjs";
import { tour } from "./tour.mjs";
import { world } from "./world.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds in the page and its frames: rule, place and reason, a line each. */
async function violations(page) {
  const found = [];
  for (const frame of page.frames()) {
    // By way of the debugger: the page's own policy, rightly, lets no foreign script in.
    await frame.evaluate(`${AXE}\nundefined`);
    const { violations } = await frame.evaluate(() => axe.run(document, { iframes: false, resultTypes: ["violations"] }));
    for (const { id, help, nodes } of violations) {
      for (const { target, failureSummary } of nodes) found.push(`${id} (${help}) at ${target.join(" ")}: ${failureSummary}`);
    }
  }
  return found;
}

for (const [device, options] of Object.entries(DEVICES)) {
  for (const colorScheme of SCHEMES) {
    test(`axe finds no violation in any state, ${device}, ${colorScheme}`, async (t) => {
      const parts = await world(t, { browser: { ...options, colorScheme, reducedMotion: "reduce" } });
      const found = [];
      let states = 0;
      await tour(parts, async (page, state) => {
        states += 1;
        for (const violation of await violations(page)) found.push(`${state}: ${violation}`);
      });
      assert.ok(states >= 20, `the tour has shown only ${states} states`);
      assert.deepEqual(found, []);
    });
  }
}
