import { onTestFinished } from "vitest";
import { z } from "zod";
import { type Database, openWith } from "../src/database.js";
import type { Collections } from "../src/schema.js";
import { type MemoryCore, MemoryModule } from "./memory-core.js";

export const Visit = z.object({
  site: z.string().trim().min(1),
  notes: z.string().optional(),
  done: z.boolean().default(false),
  photos: z.number().int().max(9).optional(),
  tags: z.array(z.string().max(5)).optional(),
  at: z.object({ floor: z.number().optional(), room: z.string().optional() }).optional(),
});

let count = 0;

/** Opens a database of its own for this test. */
export async function opened<const C extends Collections>(
  collections: C,
  url?: string,
  user?: string,
): Promise<{ db: Database<C>; core: MemoryCore; module: MemoryModule }> {
  const module = new MemoryModule();
  count += 1;
  const db = await openWith(async () => module, { name: `test ${count}`, ...(url && { url }), ...(user && { user }), collections });
  onTestFinished(() => db.close());
  return { db, core: module.core, module };
}

const collections = {
  visits: { schema: Visit, fields: { photos: "counter", tags: "set" } },
  notes: { fields: { count: "counter", labels: "set" } },
} as const;

/** `visits` with a schema, `notes` without one. */
export function inspections(): Promise<{
  db: Database<typeof collections>;
  core: MemoryCore;
  module: MemoryModule;
}> {
  return opened(collections, "https://sync.example.org");
}

/** Lets everything that is due happen: a task, after all microtasks. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** The code that a promise is rejected with. */
export function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "resolved",
    (error: unknown) => (error as { code?: unknown }).code ?? error,
  );
}
