/** What the tests of one file share: a project with the package in it, and a browser. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before } from "node:test";
import { Chromium } from "../browser/chromium.mjs";
import { Workspace } from "../browser/workspace.mjs";
import { project } from "./project.mjs";

/**
 * Made before the first test of the file, gone after the last.
 *
 * @param prepare - is given the project's folder, once the package is in it.
 * @returns an object that gets `folder`, `tarball` and, unless it is not wanted, `browser`.
 */
export function fixture({ browser = true, prepare = async () => {}, ...options } = {}) {
  const shared = {};
  let workspace;
  before(async () => {
    workspace = await Workspace.make();
    const { directory } = workspace;
    shared.folder = join(directory, "project");
    await mkdir(shared.folder);
    shared.tarball = await project(shared.folder, options);
    await prepare(shared.folder);
    if (browser) shared.browser = workspace.keep(await Chromium.start(join(directory, "profile")));
  });
  after(() => workspace?.clear());
  return shared;
}
