import type { Issue } from "./schema.js";
import type { WireError } from "./wire.js";

/**
 * Codes that this package and its core give. They are listed with their meaning in `PROTOCOL.md`, are
 * the same in Rust, HTTP and JavaScript, and are never renamed.
 */
export type ClientErrorCode =
  | "invalid_options"
  | "invalid_collection"
  | "invalid_document"
  | "invalid_path"
  | "invalid_operation"
  | "not_found"
  | "already_exists"
  | "schema_invalid"
  | "group_too_large"
  | "storage_full"
  | "storage_unavailable"
  | "storage_blocked"
  | "core_unavailable"
  | "core_crashed"
  | "signed_out"
  | "closed"
  | "timeout"
  | "needs_attention"
  | "migration_failed"
  | "discarded"
  | "unreachable"
  | "not_ours";

/** A {@link ClientErrorCode}, or a code of the server's. The second half keeps completion working. */
export type ErrorCode = ClientErrorCode | (string & {});

/** What every promise of this package rejects with. Branch on `code`; `message` is for people. */
export class LandfallError extends Error {
  readonly code: ErrorCode;
  /** What the schema found, with `schema_invalid`; else empty. */
  readonly issues: readonly Issue[];

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; issues?: readonly Issue[] } = {}) {
    super(message, options);
    this.code = code;
    this.issues = options.issues ?? [];
  }

  static {
    // On the prototype, as with the errors of the language: a console prints it, `Object.keys` does not.
    this.prototype.name = "LandfallError";
  }
}

/**
 * What the core threw, as an error with a code.
 *
 * @internal
 */
export function fromCore(error: unknown): LandfallError {
  if (error instanceof LandfallError) return error;
  if (isWireError(error)) return new LandfallError(error.code, error.message);
  // The core gives every failure of its own a code, so this is a trap of the WebAssembly engine.
  return new LandfallError("core_crashed", String(error), { cause: error });
}

function isWireError(error: unknown): error is WireError {
  return typeof error === "object" && error !== null && typeof (error as Partial<WireError>).code === "string";
}
