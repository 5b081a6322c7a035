import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";
import { packed } from "./packed.ts";
import { precache } from "./precache.ts";
import { preloadCore } from "./preload.ts";

/**
 * The page's content policy allows stylesheets from files only. The development server injects them
 * as `<style>` elements, so while developing, and only then, inline styles are let in.
 */
function developmentPolicy(): Plugin {
  return {
    name: "development-policy",
    apply: "serve",
    transformIndexHtml: (html) => html.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'"),
  };
}

/** Where `npm run dev` finds a running `landfall serve`. */
const server = process.env["LANDFALL_URL"] ?? "http://127.0.0.1:8787";

export default defineConfig({
  plugins: [svelte(), preloadCore(["index.html"]), precache("service-worker.js"), packed(), developmentPolicy()],
  build: {
    target: "es2022",
    // Data URLs would need a wider content policy, and the browser caches files well enough.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        index: "index.html",
        // For demonstrations: two devices on one page, and the app as one of them.
        "side-by-side": "side-by-side.html",
        device: "device.html",
        "service-worker": "src/service-worker.ts",
      },
      output: {
        // The worker's address is its identity and must never change; everything else is named by content.
        entryFileNames: (chunk) =>
          chunk.name === "service-worker" ? "service-worker.js" : "assets/[name]-[hash].js",
      },
    },
  },
  // The package finds its .wasm beside itself; pre-bundling would move the script away from it.
  optimizeDeps: { exclude: ["landfall"] },
  server: { proxy: { "/api": server, "/demo": server } },
});
