import { expect, test } from "vitest";
import { z } from "zod";
import type { CollectionOptions } from "../src/schema.js";
import type { WireOlder } from "../src/wire.js";
import { Visit, opened } from "./fixture.js";

type Migrate = NonNullable<CollectionOptions["migrate"]>;

/** What the core hears when it asks about `older`. */
async function answers(options: CollectionOptions, older: Partial<WireOlder>[]): Promise<unknown> {
  const { core, module } = await opened({ visits: { version: 2, ...options } });
  expect(module.opened[0]?.options.collections["visits"]?.migrates).toBe(true);
  const whole = older.map((one): WireOlder => ({ collection: "visits", from: 1, kind: "create", data: {}, ...one }));
  return core.ask(whole);
}

test("each document is brought to the declared version, and the function knows what it has in its hands", async () => {
  const migrate: Migrate = ({ name, ...rest }, from, kind) => ({ ...rest, title: name ?? null, from, kind });
  const given = await answers({ migrate }, [{ data: { name: "a", x: 1 } }, { data: { name: "b" }, kind: "patch", from: 7 }]);
  expect(given).toEqual([
    { x: 1, title: "a", from: 1, kind: "create" },
    { title: "b", from: 7, kind: "patch" },
  ]);
});

test("what throws, and what is no document, is a text, and the others are answered", async () => {
  const migrate = ((data: Record<string, unknown>) => {
    if (data["x"] === 1) throw new Error("no ones");
    if (data["x"] === 2) throw "no twos";
    return data["x"] === 3 ? undefined : data["x"] === 4 ? { at: new Date(0) } : data;
  }) as Migrate;
  const given = await answers({ migrate }, [1, 2, 3, 4, 5].map((x) => ({ data: { x } })));
  expect(given).toEqual(["no ones", "no twos", "a document is a plain object", "/at: Date is not JSON", { x: 5 }]);
});

test("a whole document has to satisfy the schema, and a part of one has not", async () => {
  const migrate: Migrate = (data) => data;
  const older: Partial<WireOlder>[] = [{ data: { site: " A1 " } }, { data: { site: "" } }, { data: { notes: "x" }, kind: "patch" }];
  const [whole, empty, part] = (await answers({ schema: Visit, migrate }, older)) as unknown[];
  expect(whole).toEqual({ site: "A1", done: false });
  expect(empty).toMatch(/^site: /);
  expect(part).toEqual({ notes: "x" });
});

test("a schema that takes its time is not waited for", async () => {
  const schema = z.object({ site: z.string().refine(async (site) => site !== "") });
  expect(await answers({ schema, migrate: (data) => data }, [{ data: { site: "" } }])).toEqual([{ site: "" }]);
});
