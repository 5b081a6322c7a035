/** Where the things under test are. */
import { fileURLToPath } from "node:url";

const file = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const LANDFALL = process.env.LANDFALL_BIN ?? file("target/release/landfall");
export const FAULTPROXY = process.env.LANDFALL_FAULTPROXY ?? file("target/release/faultproxy");
export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** The demo page as built, and what its server is told. */
export const DEMO = file("www/dist");
export const DEMO_CONFIG = file("www/landfall.yaml");
/** Vectors of the protocol, and transcripts. */
export const GOLDEN = file("tests/golden");

export const SCREENSHOTS = file("www/screenshots");

/** The npm package: facade, core, and the core with bugs that the tests must notice. */
export const PKG = file("pkg/dist");
export const WASM = file("pkg/wasm");
export const WASM_PLANTED = file("pkg/wasm-planted");
