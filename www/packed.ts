import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import type { Plugin } from "vite";

/**
 * Writes `x.br` beside every file `x` that is named by its content: packed once and as well as it can be, which takes a server too
 * long to do for each visitor.
 */
export function packed(): Plugin {
  return {
    name: "packed",
    apply: "build",
    writeBundle({ dir }, bundle) {
      if (dir === undefined) throw new Error("the build has no folder");
      for (const [name, file] of Object.entries(bundle)) {
        if (!/^assets\/.*\.(js|css|wasm)$/.test(name)) continue;
        const content = Buffer.from(file.type === "chunk" ? file.code : file.source);
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
        writeFileSync(join(dir, `${name}.br`), brotliCompressSync(content, { params }));
      }
    },
  };
}
