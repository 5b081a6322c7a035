export type { Conflict, Side } from "../conflicts.js";
export { type ConflictsSource, LandfallConflicts } from "./conflicts.js";
export { LandfallOutbox, type OutboxSource } from "./outbox.js";
export { LandfallStatus, type StatusSource } from "./status.js";
export { english, type Words } from "./words.js";
