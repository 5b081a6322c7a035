/** `node screenshots.mjs [DEVICE] [SCHEME]`: the demo in each of its states, for people to look at; into www/screenshots. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DEVICES, SCHEMES } from "./devices.mjs";
import { SCREENSHOTS } from "./products.mjs";
import { tour } from "./tour.mjs";
import { world } from "./world.mjs";

const [onlyDevice, onlyScheme] = process.argv.slice(2);

await mkdir(SCREENSHOTS, { recursive: true });
for (const [device, options] of Object.entries(DEVICES)) {
  if (onlyDevice && device !== onlyDevice) continue;
  for (const colorScheme of SCHEMES) {
    if (onlyScheme && colorScheme !== onlyScheme) continue;
    const ends = [];
    try {
      const browser = { ...options, colorScheme, reducedMotion: "reduce" };
      const parts = await world({ after: (end) => ends.push(end) }, { browser });
      await tour(parts, (page, state) => page.screenshot({ path: join(SCREENSHOTS, `${device}-${colorScheme}-${state}.png`) }));
    } finally {
      for (const end of ends) await end();
    }
  }
}
