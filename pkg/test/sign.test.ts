import { expect, test } from "vitest";
import { openWith } from "../src/database.js";
import { codeOf } from "./fixture.js";
import { Disk, MemoryModule } from "./memory-core.js";

const guest = { name: "sign", url: "https://sync.example.org", collections: { visits: {} } } as const;
const user = { ...guest, user: "u_17" };

function device(): { module: MemoryModule; load: () => Promise<MemoryModule> } {
  const module = new MemoryModule();
  module.disks = new Map<string, Disk>();
  return { module, load: async () => module };
}

test("signing out is refused while something is not on the server, and the database goes on", async () => {
  const { module, load } = device();
  const db = await openWith(load, user);
  const { mutation } = await db.visits.insert({ site: "A1" });
  const error = await db.signOut().catch((error: unknown) => error);
  expect(error).toMatchObject({ code: "pending_writes", message: expect.stringContaining("1") });
  await db.visits.insert({ site: "A2" });
  module.core.refuse(mutation, "forbidden");
  expect(await codeOf(db.signOut())).toBe("pending_writes");
  await db.close();
});

test("signing out ends what is open, and the next open is of a new database", async () => {
  const { module, load } = device();
  const db = await openWith(load, user);
  const { id, mutation } = await db.visits.insert({ site: "A1" });
  module.core.accept(mutation);
  await db.signOut();
  expect(await codeOf(db.visits.get(id))).toBe("signed_out");
  expect(await codeOf(db.signOut())).toBe("signed_out");
  await db.close();
  const again = await openWith(load, user);
  expect(again).not.toBe(db);
  expect(await again.visits.get(id)).toBeUndefined();
  await again.close();
});

test("whoever does not want what is pending signs out all the same", async () => {
  const { load } = device();
  const db = await openWith(load, user);
  const write = await db.visits.insert({ site: "A1" });
  await db.signOut({ discard: true });
  expect(await codeOf(write.accepted())).toBe("signed_out");
});

test("what a guest wrote becomes the user's, and the guest's database is gone", async () => {
  const { module, load } = device();
  const before = await openWith(load, guest);
  const { id } = await before.visits.insert({ site: "A1" });
  await before.close();
  const db = await openWith(load, { ...user, claimGuest: true });
  expect(await db.visits.get(id)).toMatchObject({ site: "A1" });
  expect((await db.outbox.list()).map(({ document }) => document)).toEqual([id]);
  const after = await openWith(load, guest);
  expect(await after.visits.get(id)).toBeUndefined();
  await Promise.all([db.close(), after.close()]);
  expect(module.opened).toHaveLength(4);
});

test("nobody's writes are taken without being asked for", async () => {
  const { load } = device();
  const before = await openWith(load, guest);
  const { id } = await before.visits.insert({ site: "A1" });
  const db = await openWith(load, user);
  expect(await db.visits.get(id)).toBeUndefined();
  expect(await before.visits.get(id)).toMatchObject({ site: "A1" });
  await Promise.all([db.close(), before.close()]);
});

test("a device without room keeps the guest's writes where they are", async () => {
  const { module, load } = device();
  const before = await openWith(load, guest);
  const { id } = await before.visits.insert({ site: "A1" });
  await before.close();
  module.opening = (core) => {
    core.adopt = () => Promise.reject({ code: "storage_full", message: "" });
  };
  expect(await codeOf(openWith(load, { ...user, claimGuest: true }))).toBe("storage_full");
  const after = await openWith(load, guest);
  expect(await after.visits.get(id)).toMatchObject({ site: "A1" });
  await after.close();
});
