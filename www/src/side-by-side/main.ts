import { mount } from "svelte";
import "../app.css";
import SideBySide from "./side-by-side.svelte";

const target = document.querySelector("#app");
if (target === null) throw new Error("BUG: side-by-side.html has no #app");
mount(SideBySide, { target });
