import { createElement, type ReactNode, StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";
import { useDocument, useOutbox, useQuery, useSync } from "../src/react.js";
import { inspections } from "./fixture.js";

/** What a component gives back on a server; what the hooks do in a page is tested in a real one. */
function onServer(Component: () => ReactNode): string {
  return renderToString(createElement(StrictMode, null, createElement(Component)));
}

test("a server renders what is not known there, whether or not it has a database", async () => {
  const { db, core } = await inspections();
  await db.notes.insert({ text: "here" }, { id: "n" });
  for (const there of [db, undefined]) {
    const said = onServer(() => {
      const rows = useQuery(there?.notes.where());
      const row = useDocument(there?.notes, "n");
      const sync = useSync(there);
      return JSON.stringify([rows, row, sync, useOutbox(there)].map((value) => value ?? "unknown"));
    });
    expect(said.replaceAll("&quot;", '"')).toBe('["unknown","unknown","unknown",[]]');
  }
  expect(core.loads).toEqual([]);
});

test("rendering on a server leaves nothing behind that listens", async () => {
  const { db } = await inspections();
  onServer(() => String(useSync(db)?.pending) + useOutbox(db).length + useQuery(db.notes.where())?.length);
  await db.close();
  // A closed database has no items to show, and is no reason to fail.
  expect(onServer(() => String(useOutbox(db).length))).toBe("0");
});
