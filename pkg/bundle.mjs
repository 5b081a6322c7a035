// Makes the JavaScript that a page downloads: one minified file for each entry of the package.
//
// `node bundle.mjs` writes dist from src. `node bundle.mjs FILE` minifies FILE in its place: the glue stays a
// file of its own, because importing the package must load nothing.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { rolldown } from "rolldown";
import { minifySync } from "rolldown/utils";

const ENTRIES = ["index", "node", "components/index", "react"];
const [glue] = process.argv.slice(2);

if (glue) {
  const { code, errors } = minifySync(glue, readFileSync(glue, "utf8"), { module: true });
  if (errors.length > 0) throw new Error(`${glue}: ${errors[0].message}`);
  writeFileSync(glue, quoted(code));
} else {
  rmSync("dist", { recursive: true, force: true });
  mkdirSync("dist/components", { recursive: true });
  for (const entry of ENTRIES) {
    const bundle = await rolldown({
      input: { [entry]: `src/${entry}.ts` },
      external: [/\/wasm\/landfall_web\.js$/, /^node:/, "react"],
      platform: "neutral",
    });
    const { output } = await bundle.generate({ format: "es", minify: true, comments: false });
    if (output.length !== 1) throw new Error(`${entry}.ts makes more than one file`);
    await bundle.close();
    writeFileSync(`dist/${entry}.js`, quoted(output[0].code));
  }
}

/** The minifier writes names of files as `name`, and not every bundler looks for them there. */
function quoted(code) {
  return code.replace(/\b(import|new URL)\(`([^`$\\]*)`/g, '$1("$2"');
}
