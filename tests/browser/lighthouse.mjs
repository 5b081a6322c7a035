/**
 * `node lighthouse.mjs`: Lighthouse's scores of the demo, a line for each page; ends with 1 if one is below 95.
 *
 * No spec, because performance is measured in time: on a machine that does something else it says something
 * about that. Lighthouse comes from npm when this is run, and is nothing that the tests need.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { world } from "./world.mjs";

const LIGHTHOUSE = "lighthouse@12.8.2";
const SCORE_MIN = 95;
const PAGES = [
  { path: "/", preset: "mobile" },
  { path: "/?user=ana", preset: "mobile" },
  { path: "/?user=ana", preset: "desktop" },
  { path: "/side-by-side.html", preset: "desktop" },
];

async function scores(port, url, preset) {
  const args = ["--yes", LIGHTHOUSE, url, `--port=${port}`, "--output=json", "--quiet"];
  if (preset === "desktop") args.push("--preset=desktop");
  const { stdout } = await promisify(execFile)("npx", args, { maxBuffer: 100_000_000 });
  const { categories, audits } = JSON.parse(stdout);
  const points = Object.entries(categories).map(([name, { score }]) => [name, Math.round(score * 100)]);
  const below = Object.values(audits).filter(({ score, scoreDisplayMode }) => scoreDisplayMode === "binary" && score === 0);
  return { points, below: below.map(({ id }) => id) };
}

const ends = [];
try {
  const { directory, server, another } = await world({ after: (end) => ends.push(end) });
  await another("measured", { args: ["--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"] });
  const [port] = (await readFile(join(directory, "measured", "DevToolsActivePort"), "utf8")).split("\n");
  for (const { path, preset } of PAGES) {
    const { points, below } = await scores(port, server.origin + path, preset);
    console.log(`${path} ${preset} ${points.map(([name, score]) => `${name}=${score}`).join(" ")} ${below.join(" ")}`.trim());
    if (points.some(([, score]) => score < SCORE_MIN)) process.exitCode = 1;
  }
} finally {
  for (const end of ends) await end();
}
