import { beforeEach, expect, test, vi } from "vitest";
import { codeOf } from "./fixture.js";
import { generated, instantiate } from "./glue.js";

beforeEach(() => {
  // A fresh page: the one instance belongs to the module. The stand-in stays the one imported here.
  vi.resetModules();
  vi.doMock("./glue.js", () => ({ default: instantiate, open: generated.open.bind(generated) }));
  instantiate.mockClear();
});

const collections = { visits: {} };

test("importing the package instantiates nothing, and a hundred databases share one instance", async () => {
  const { open } = await import("../src/index.js");
  expect(instantiate).not.toHaveBeenCalled();
  const names = Array.from({ length: 100 }, (_, i) => `database ${i}`);
  const databases = await Promise.all(names.map((name) => open({ name, collections })));
  expect(instantiate).toHaveBeenCalledTimes(1);
  // In a browser the generated code finds the file beside itself.
  expect(instantiate).toHaveBeenCalledWith(undefined);
  expect(generated.opened).toHaveLength(100);
  await Promise.all(databases.map((db) => db.close()));
});

test("a core that could not be loaded is loaded again by the next open", async () => {
  const { open } = await import("../src/index.js");
  instantiate.mockRejectedValueOnce(new TypeError("offline"));
  expect(await codeOf(open({ name: "x", collections }))).toBe("core_unavailable");
  const db = await open({ name: "x", collections });
  await db.close();
});
