import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // What the build generates is not there in a fresh clone, and these tests are not about it.
    alias: { "../wasm/landfall_web.js": fileURLToPath(new URL("test/glue.ts", import.meta.url)) },
  },
});
