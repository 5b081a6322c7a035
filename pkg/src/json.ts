import { LandfallError } from "./errors.js";
import { unset } from "./schema.js";
import type { Json } from "./wire.js";

export type JsonObject = { [key: string]: Json };

/** A patch that was checked: plain JSON, in which {@link unset} may stand for a value. */
export type JsonPatch = { [key: string]: Json | typeof unset | JsonPatch };

/** Far above the limit of the protocol, which the core checks; here it ends cycles. */
const DEPTH_MAX = 100;

/**
 * Copies `value` if it is a plain JSON object; members that are `undefined` are left out.
 *
 * A copy, because the app may change its object before a write that waits its turn is handed over.
 *
 * @throws {@link LandfallError} `invalid_document`, naming the path, for anything that would not come
 * back as it was: dates, maps, class instances, functions, `NaN`, halves of surrogate pairs.
 * @internal
 */
export function plain(value: unknown): JsonObject {
  return copyObject(value) as JsonObject;
}

/** As {@link plain}, for a patch. @internal */
export function plainPatch(value: unknown): JsonPatch {
  return copyObject(value, true) as JsonPatch;
}

function copyObject(value: unknown, patch = false): unknown {
  if (!isObject(value)) refuse("", "a document is a plain object");
  if (value["id"] !== undefined) refuse("/id", "the id is not part of the data; insert takes it as an option");
  return copy(value, "", 0, patch);
}

function copy(value: unknown, path: string, depth: number, patch: boolean): unknown {
  if (typeof value === "string") return value.isWellFormed() ? value : refuse(path, "not well-formed text");
  if (typeof value === "boolean" || value === null || Number.isFinite(value) || (patch && value === unset)) return value;
  if (depth > DEPTH_MAX) refuse(path, "nested too deeply");
  // `from`, because `map` would step over holes.
  if (Array.isArray(value)) return Array.from(value, (item, i) => copy(item, `${path}/${i}`, depth + 1, false));
  if (!isObject(value)) refuse(path, `${describe(value)} is not JSON`);
  const copied: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (member === undefined) continue;
    const at = `${path}/${escape(key)}`;
    // Assigning to this key would set the prototype of the copy.
    if (key === "__proto__" || !key.isWellFormed()) refuse(at, "not a usable key");
    copied[key] = copy(member, at, depth + 1, patch);
  }
  return copied;
}

/** Whether `value` is an object that a literal or `JSON.parse` made, in this realm or another. @internal */
export function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** What the row becomes; neither argument changes. @internal */
export function merge(base: unknown, patch: JsonPatch): Record<string, unknown> {
  const merged: Record<string, unknown> = isObject(base) ? { ...base } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === unset) delete merged[key];
    else merged[key] = isObject(value) ? merge(merged[key], value as JsonPatch) : value;
  }
  return merged;
}

/**
 * Splits a patch into values and the JSON Pointers to remove.
 *
 * @param output - the whole row as the schema gave it back: values are taken from there, so that what
 * a schema trims or drops in an insert it trims or drops in an update too.
 * @internal
 */
export function split(patch: JsonPatch, output: unknown = patch): { data: JsonObject; unset: string[] } {
  const pointers: string[] = [];
  const pick = (part: JsonPatch, from: unknown, path: string): Record<string, unknown> => {
    const data: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(part)) {
      const at = `${path}/${escape(key)}`;
      const given = isObject(from) ? from[key] : undefined;
      if (value === unset) pointers.push(at);
      else data[key] = isObject(value) && isObject(given) ? pick(value as JsonPatch, given, at) : given;
    }
    return data;
  };
  const data = pick(patch, output, "");
  return { data: output === patch ? (data as JsonObject) : plain(data), unset: pointers };
}

/** Whether two JSON values are equal; the order of members does not count. @internal */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => Object.hasOwn(right, key) && same(left[key], right[key]));
}

/** Freezes JSON, however deep. @internal */
export function freeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === "object" && member !== null) freeze(member);
  }
  return Object.freeze(value);
}

/** A key as a step of a JSON Pointer. */
function escape(key: string): string {
  return /[~/]/.test(key) ? key.replaceAll("~", "~0").replaceAll("/", "~1") : key;
}

function describe(value: unknown): string {
  if (typeof value === "object" && value !== null) return value.constructor?.name ?? "object";
  return typeof value === "number" ? String(value) : typeof value;
}

function refuse(path: string, reason: string): never {
  throw new LandfallError("invalid_document", path ? `${path}: ${reason}` : reason);
}
