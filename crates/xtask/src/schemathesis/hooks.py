"""What a schema cannot say of a right request: cursors are signed, a batch is its sender's, a range has an order."""

import json
import os
import urllib.request

import schemathesis

ADDRESS = os.environ["LANDFALL_ADDRESS"]
TOKEN = os.environ["LANDFALL_TOKEN"]
WRITER = "0123456789abcdef0123456789abcdef"


def ask(path, body=None):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{ADDRESS}{path}", data, headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def mutation(writer, n, op, fields, base, milliseconds):
    return {
        "id": f"{writer}:{n}", "group": None, "replaces": None, "needs": [], "firstSentAt": None,
        "collection": "visits", "document": "seed", "op": op, "fields": fields, "base": base, "after": None,
        "stamp": f"{milliseconds:012x}-0000-{writer}", "schema": 1,
    }


def batch(client, mutations):
    return {"protocol": 1, "client": client, "user": "ada", "sentAt": 0, "mutations": mutations}


def seed():
    """A document, and a conflict about it, so that there is something to be pulled, listed and settled."""
    def note(text):
        return [{"path": "/notes", "op": "set", "value": text}]
    ask("/api/v1/sync/batch", batch("seed-1", [mutation(WRITER, 1, "create", note("a"), 0, 1)]))
    for number, client in enumerate(["seed-2", "seed-3"], 2):
        writer = f"{number:032x}"
        ask("/api/v1/sync/batch", batch(client, [mutation(writer, 1, "patch", note(client), 1, number)]))
    return ask("/api/v1/sync/conflicts")["conflicts"][0]["id"], ask("/api/v1/sync/pull")["cursor"]


# A token for streams is gone before there is anything to seed with it.
CONFLICT, CURSOR = seed()


def whole(value):
    """1.0 is an integer to JSON Schema; the server takes only what is written as one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    query = case.query or {}
    if case.path == "/api/v1/sync/pull":
        if query.get("cursor"):
            query["cursor"] = CURSOR
        if "user" in query:
            query["user"] = "ada"
    body = case.body
    if case.path == "/api/v1/sync/batch" and isinstance(body, dict):
        body["user"] = "ada"
        body["client"] = "schemathesis"
        body["sentAt"] = whole(body["sentAt"])
        if "protocol" in body:
            body["protocol"] = whole(body["protocol"])
        ranges = [sorted(map(whole, r)) for ranges in body.get("settled", {}).values() for r in ranges]
        body["settled"] = {WRITER: ranges[:1000]}
    if case.path == "/api/v1/sync/resolve" and isinstance(body, dict):
        body["id"] = CONFLICT
        if body["choice"] == "value":
            body.setdefault("value", None)
        else:
            body.pop("value", None)
