// Makes the JavaScript that a page downloads: one minified file for each entry of the package.
//
// `node bundle.mjs` writes dist from src. `node bundle.mjs FILE NAMES` guards and minifies the glue FILE in its place, with
// the NAMES that its module goes by now: it stays a file of its own, because importing the package must load nothing.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { rolldown } from "rolldown";
import { minifySync } from "rolldown/utils";

const ENTRIES = ["index", "node", "components/index", "react"];
const [glue, names] = process.argv.slice(2);

if (glue) {
  const { code, errors } = minifySync(glue, renamed(guarded(readFileSync(glue, "utf8")), JSON.parse(readFileSync(names, "utf8"))), { module: true });
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

/**
 * Has the glue tell the core when it has trapped: a panic, an overflow, no memory. Nothing inside can, because a panic
 * of the module is no more than a trap, and the browser tells only whoever called.
 */
function guarded(code) {
  const marks = code.split(/(?<= = \w+)\.exports;/);
  // The first instance, and the one that takes the place of a dead one.
  if (marks.length !== 3) throw new Error(`the glue takes ${marks.length - 1} instances, not 2`);
  return `${marks.join(".exports; wasm = guard(wasm);")}\n${guard}`;
}

/** Every way into the module, with an eye on what comes out. The module itself throws nothing: it returns errors. */
function guard(exports) {
  let dead = false;
  const watched = (call) => (...args) => {
    try {
      return call(...args);
    } catch (trap) {
      if (!dead) {
        dead = true;
        abandon(String(trap?.stack ?? trap));
      }
      throw trap;
    }
  };
  const entries = Object.entries(exports);
  return Object.fromEntries(entries.map(([name, value]) => [name, typeof value === "function" ? watched(value) : value]));
}

/** What module and glue call each other, by the names that the module was given. */
function renamed(code, { imports, exports }) {
  const once = (text, old, now) => {
    const parts = text.split(old);
    if (parts.length !== 2) throw new Error(`the glue has ${parts.length - 1} of ${old}, not 1`);
    return parts.join(now);
  };
  const [[module]] = imports;
  // wasm-opt calls the first module so, and there is one.
  let text = once(code, `"${module}": import0`, '"a": import0');
  for (const [, old, now] of imports) text = once(text, new RegExp(`\\b${old}(?=: )`), now);
  const short = new Map(exports);
  return text.replace(/\bwasm\.(\w+)/g, (_, name) => {
    if (!short.has(name)) throw new Error(`the module has no ${name}`);
    return `wasm.${short.get(name)}`;
  });
}

/** The minifier writes names of files as `name`, and not every bundler looks for them there. */
function quoted(code) {
  return code.replace(/\b(import|new URL)\(`([^`$\\]*)`/g, '$1("$2"');
}
