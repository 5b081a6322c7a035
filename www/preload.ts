import type { Plugin } from "vite";

/**
 * Tells the browser with the page itself that the core will be wanted. It is loaded on demand, so otherwise its
 * two files would be asked for one after the other, and only once all scripts have run.
 */
export function preloadCore(pages: readonly string[]): Plugin {
  return {
    name: "preload-core",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler(_html, { bundle, filename }) {
        if (!bundle || !pages.some((page) => filename.endsWith(page))) return [];
        const files = Object.values(bundle);
        const module = files.find(({ fileName }) => fileName.endsWith(".wasm"));
        const glue = files.find((file) => file.type === "chunk" && file.isDynamicEntry && file.name.startsWith("landfall"));
        if (!module || !glue) throw new Error("the core is not in the bundle");
        const link = (attributes: Record<string, string>) => ({ tag: "link", injectTo: "head" as const, attrs: attributes });
        return [
          link({ rel: "modulepreload", crossorigin: "", href: `/${glue.fileName}` }),
          link({ rel: "preload", as: "fetch", type: "application/wasm", crossorigin: "", href: `/${module.fileName}` }),
        ];
      },
    },
  };
}
