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

/** As {@link plain}, for the value of one field. @internal */
export function plainValue(value: unknown, field: string): Json {
  return copy(value, [field], false) as Json;
}

/** As {@link plain}, for a patch. @internal */
export function plainPatch(value: unknown): JsonPatch {
  return copyObject(value, true) as JsonPatch;
}

function copyObject(value: unknown, patch = false): unknown {
  if (!isObject(value)) refuse([], "a document is a plain object");
  if (value["id"] !== undefined) refuse(["id"], "the id is not part of the data; insert takes it as an option");
  return copy(value, [], patch);
}

/** @param trail - the keys that lead to `value`: the path is put together only for an error. */
function copy(value: unknown, trail: (string | number)[], patch: boolean): unknown {
  switch (typeof value) {
    case "boolean":
      return value;
    case "string":
      return value.isWellFormed() ? value : refuse(trail, "not well-formed text");
    case "number":
      return Number.isFinite(value) ? value : refuse(trail, `${value} is not JSON`);
    case "symbol":
      return patch && value === unset ? value : refuse(trail, "a symbol is not JSON");
    case "object":
      if (value === null) return value;
      if (trail.length > DEPTH_MAX) refuse(trail, "nested too deeply");
      return Array.isArray(value) ? copyList(value, trail) : copyMembers(value, trail, patch);
    default:
      return refuse(trail, `${typeof value} is not JSON`);
  }
}

function copyList(list: readonly unknown[], trail: (string | number)[]): unknown[] {
  // `from`, because `map` would step over holes.
  return Array.from(list, (item, i) => {
    trail.push(i);
    const copied = copy(item, trail, false);
    trail.pop();
    return copied;
  });
}

function copyMembers(value: object, trail: (string | number)[], patch: boolean): Record<string, unknown> {
  if (!isObject(value)) refuse(trail, `${value.constructor?.name ?? "this object"} is not JSON`);
  const copied: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (member === undefined) continue;
    trail.push(key);
    // Assigning to this key would set the prototype of the copy.
    if (key === "__proto__" || !key.isWellFormed()) refuse(trail, "not a usable key");
    const given = copy(member, trail, patch);
    // A part of a patch in which nothing is left says nothing; an empty object is a value.
    if (!patch || !isEmpty(given) || isEmpty(member)) copied[key] = given;
    trail.pop();
  }
  return copied;
}

/** Whether `value` is an object that a literal or `JSON.parse` made, in this realm or another. @internal */
export function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function isEmpty(value: unknown): boolean {
  return isObject(value) && Object.keys(value).length === 0;
}

/** What the row becomes; neither argument changes. @internal */
export function merge(base: unknown, patch: JsonPatch): Record<string, unknown> {
  const merged: Record<string, unknown> = isObject(base) ? { ...base } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === unset) delete merged[key];
    else merged[key] = isObject(value) && !isEmpty(value) ? merge(merged[key], value as JsonPatch) : value;
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
      const at = path + pointer(key);
      const given = isObject(from) ? from[key] : undefined;
      if (value === unset) pointers.push(at);
      else if (!isObject(value) || isEmpty(value) || !isObject(given)) data[key] = given;
      else {
        const part = pick(value as JsonPatch, given, at);
        // To set it to nothing would remove more than was asked for.
        if (!isEmpty(part)) data[key] = part;
      }
    }
    return data;
  };
  const data = pick(patch, output, "");
  return { data: output === patch ? (data as JsonObject) : plain(data), unset: pointers };
}

/** Whether two JSON values are equal; the order of members does not count. @internal */
export function same(a: unknown, b: unknown): boolean {
  // A query may ask for NaN by mistake; it finds nothing, but it is the same query each time.
  if (a === b || (a !== a && b !== b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => Object.hasOwn(right, key) && same(left[key], right[key]));
}

/** Freezes JSON, however deep. @internal */
export function freeze<T extends object>(value: T): T {
  for (const key in value) {
    const member = value[key];
    if (typeof member === "object" && member !== null) freeze(member);
  }
  return Object.freeze(value);
}

/** The JSON Pointer of a field. @internal */
export function pointer(field: string): string {
  return `/${escape(field)}`;
}

/** The keys that a JSON Pointer leads along. @internal */
export function keysOf(path: string): string[] {
  return path.split("/").slice(1).map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** What `data` is after an operation on what `path` leads to; `data` itself does not change. @internal */
export function perform(
  data: Record<string, unknown>,
  { path, op, value }: { readonly path: string; readonly op: string; readonly value?: Json },
): Record<string, unknown> {
  const walk = (at: unknown, [key, ...rest]: string[]): unknown => {
    if (key === undefined) return outcome(op, at, value);
    const copied: Record<string, unknown> = isObject(at) ? { ...at } : {};
    const member = walk(copied[key], rest);
    if (member !== undefined) copied[key] = member;
    else if (!isObject(at)) return at;
    else delete copied[key];
    return copied;
  };
  return walk(data, keysOf(path)) as Record<string, unknown>;
}

function outcome(op: string, before: unknown, value: Json | undefined): unknown {
  const list: unknown[] = Array.isArray(before) ? before : [];
  switch (op) {
    case "increment":
      return (typeof before === "number" ? before : 0) + (value as number);
    case "add":
      return list.some((element) => same(element, value)) ? list : [...list, value];
    case "remove":
      return list.filter((element) => !same(element, value));
    default:
      // To set, and with no value to unset.
      return value;
  }
}

/** A key as a step of a JSON Pointer. */
function escape(key: string): string {
  return /[~/]/.test(key) ? key.replaceAll("~", "~0").replaceAll("/", "~1") : key;
}

function refuse(trail: readonly (string | number)[], reason: string): never {
  const path = trail.map((key) => pointer(String(key))).join("");
  throw new LandfallError("invalid_document", path ? `${path}: ${reason}` : reason);
}
