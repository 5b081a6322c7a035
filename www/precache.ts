import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import type { Plugin } from "vite";

/**
 * Writes the list of files that make up the shell into the service worker.
 *
 * The worker's source mentions `__PRECACHE__` once; in the build it becomes `[address, integrity]` pairs. Any
 * change to any file therefore changes the worker's bytes, which is how browsers notice a new version.
 */
export function precache(worker: string): Plugin {
  let publicDirectory = "";
  return {
    name: "precache",
    apply: "build",
    // After the plugin that writes index.html into the bundle.
    enforce: "post",
    configResolved(config) {
      publicDirectory = config.publicDir;
    },
    generateBundle: {
      // After Vite's own plugins too: the one that lists preloads changes scripts as late as this.
      order: "post",
      handler(_options, bundle) {
        const files = new Map<string, string>();
        for (const path of filesBelow(publicDirectory)) {
          files.set(relative(publicDirectory, path).split(sep).join("/"), integrity(readFileSync(path)));
        }
        for (const [name, file] of Object.entries(bundle)) {
          if (name !== worker) files.set(name, integrity(file.type === "chunk" ? file.code : file.source));
        }
        const script = bundle[worker];
        if (script?.type !== "chunk" || !script.code.includes("__PRECACHE__")) {
          throw new Error(`${worker} has no place for the list of files`);
        }
        if (script.imports.length > 0) throw new Error(`${worker} must stand alone; it imports ${script.imports}`);
        const list = [...files].map(([name, hash]) => [`/${name}`, hash]).sort();
        script.code = script.code.replace("__PRECACHE__", () => JSON.stringify(list));
      },
    },
  };
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

function integrity(content: string | Uint8Array): string {
  return `sha256-${createHash("sha256").update(content).digest("base64")}`;
}
