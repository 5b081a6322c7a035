/**
 * `node bench/run.mjs [NAME…]`: our numbers beside floor B, from the same browser in the same run.
 *
 * Every figure is the median of interleaved rounds, each on a fresh profile and a fresh server. The
 * machine's mood changes from minute to minute, so only the ratio means something; above 1 is better than
 * the floor.
 */
import { bare, openBare, synced } from "../page.mjs";
import { world } from "../world.mjs";
import { documents } from "./document.mjs";
import { floor } from "./floor.mjs";
import * as ours from "./ours.mjs";

const ROUNDS = 5;

const BENCHES = {
  /** 100 pending writes, from going online until the last one is accepted. */
  drain: { count: 100, work: "drain", unit: "ms" },
  /** 1,000 single writes, one after the other. */
  w1: { count: 1_000, work: "oneByOne", unit: "/s" },
  /** 5,000 writes at once. */
  w3: { count: 5_000, work: "allAtOnce", unit: "/s" },
};

/** One contestant in a browser that has done nothing else. Resolves to milliseconds. */
async function measure(contestant, { work, count }) {
  const ends = [];
  try {
    const { server, browser } = await world({ after: (end) => ends.push(end) }, { www: bare });
    const page = await openBare(browser, server.origin);
    if (contestant === "floor") return await page.evaluate(floor, [work, documents(count)]);
    // Nothing may be sent while the device's own speed is measured; a drain starts when it is resumed.
    await synced(page);
    await page.evaluate(() => db.sync.pause());
    return await page.evaluate(ours[work], documents(count));
  } finally {
    for (const end of ends) await end();
  }
}

async function bench(name) {
  const { count, unit } = BENCHES[name];
  const took = { ours: [], floor: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? ["ours", "floor"] : ["floor", "ours"];
    for (const contestant of order) took[contestant].push(await measure(contestant, BENCHES[name]));
  }
  const figure = (milliseconds) => (unit === "ms" ? milliseconds : (count / milliseconds) * 1_000).toFixed(0) + unit;
  const [mine, least] = [median(took.ours), median(took.floor)];
  console.log(`${name} ours=${figure(mine)} floor=${figure(least)} ratio=${(least / mine).toFixed(2)}`);
}

function median(numbers) {
  return [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)];
}

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown}; there are ${Object.keys(BENCHES).join(", ")}`);
  process.exitCode = 2;
} else {
  for (const name of names.length > 0 ? names : Object.keys(BENCHES)) await bench(name);
}
