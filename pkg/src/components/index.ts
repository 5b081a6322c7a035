export { type Conflict, type ConflictsSource, LandfallConflicts, type Side } from "./conflicts.js";
export { LandfallOutbox, type OutboxSource } from "./outbox.js";
export { LandfallStatus, type StatusSource } from "./status.js";
export { english, type Words } from "./words.js";
