/** A fresh project, with the packed package installed as npm installs it for an app. */
import { execFile } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const PKG = fileURLToPath(new URL("../../pkg", import.meta.url));
/** What is locked here is what a project gets, so that no test asks a registry. */
const LOCKED = fileURLToPath(new URL("node_modules", import.meta.url));

/**
 * Makes `folder` a project; gives the tarball that was installed.
 *
 * @param files - texts by path.
 * @param others - packages to install beside ours, with what they depend on.
 */
export async function project(folder, { files = {}, others = [] } = {}) {
  const manifest = { name: "fresh", version: "1.0.0", private: true, type: "module" };
  await write(folder, { "package.json": JSON.stringify(manifest), ...files });
  const tarball = await pack(folder);
  await npm(folder, ["install", "--offline", "--install-links", tarball, ...others.map((name) => join(LOCKED, name))]);
  return tarball;
}

export async function write(folder, files) {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

/** The files below a folder whose names end with `ending`. */
export async function filesIn(folder, ending) {
  const all = await readdir(folder, { recursive: true });
  return all.filter((path) => path.endsWith(ending));
}

/** Runs Node in a project; gives what it wrote. */
export async function node(folder, args) {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: folder });
  return { stdout, stderr };
}

async function pack(folder) {
  const output = await npm(PKG, ["pack", "--json", "--pack-destination", folder]);
  const [{ filename }] = Object.values(JSON.parse(output));
  return join(folder, filename);
}

async function npm(cwd, args) {
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  const { stdout } = await promisify(execFile)("npm", [...args, ...quiet], { cwd });
  return stdout;
}
