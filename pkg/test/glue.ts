/** Stands in for what wasm-bindgen generates. */

import { vi } from "vitest";
import type { CoreModule } from "../src/wire.js";
import { MemoryModule } from "./memory-core.js";

export const generated = new MemoryModule();
export const instantiate = vi.fn(async (_source: unknown): Promise<void> => {});

export default instantiate;
export const open: CoreModule["open"] = (options, auth, listener) => generated.open(options, auth, listener);
