import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { openInspections, type Inspections } from "./database";
import { handOver, keepShell } from "./version";

declare global {
  /** The open database, for the browser's console and for tests. A convenience of this demo, not of the package. */
  var db: Inspections | undefined;
}

const target = document.querySelector("#app");
if (target === null) throw new Error("BUG: index.html has no #app");

// Before anything is opened: a newer version, if one waits, starts from an untouched page.
if (!(await handOver())) {
  const opening = openInspections();
  opening.then(
    (db) => (globalThis.db = db),
    () => {}, // The page shows what went wrong.
  );
  mount(App, { target, props: { opening } });
  keepShell();
}
