# SPDX-License-Identifier: Apache-2.0
"""The page of the guide about the management API: an introduction by hand, and what its OpenAPI document says."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from wharfinger.domain.access import Action
from wharfinger.domain.identity import Principal
from wharfinger.domain.management import Matter, Target, scope_of
from wharfinger.management_api import problems
from wharfinger.management_api.calls import PREFIX, Everybody, Managing, Need, OnDeleted, OnRepository
from wharfinger.management_api.description import operation_of
from wharfinger.management_api.routes import ROUTES
from wharfinger.management_api.routing import Route
from wharfinger.management_api.site import Site

_INTRODUCTION: Final = """\
# Management API: reference

<!-- Made by tools/generate_docs.py from src/wharfinger/management_api. Do not edit by hand: run `make docs`. -->

Every endpoint below `/api/v1`, with the right and the scope that it needs. How to begin, and what all of them do
alike, is on [a page of its own](api.md). What each role and each credential may do is in the
[access matrix](access-matrix.md).
"""
_ACTIONS: Final = {
    Action.PULL: ("pull", "`read:packages`"),
    Action.LIST: ("nothing; it shows what one may pull", "`read:packages`"),
    Action.DESCRIBE: ("describe", "`admin:packages`"),
    Action.ADMINISTER: ("administer", "`admin:packages`"),
    Action.DELETE: ("delete", "`delete:packages`"),
}
_FEW: Final = 10
"""Words of an enumeration that are easier to read as code; more are a list."""
_NOBODY: Final = Principal(name="somebody", account_id=1)


def api_page() -> str:
    """Return the reference of the management API."""
    document = Site().document
    return "\n".join([_INTRODUCTION, *_groups(document), *_problems()])


def _groups(document: Mapping[str, Any]) -> Iterator[str]:
    groups: dict[str, list[Route]] = {}
    for route in ROUTES:
        groups.setdefault(route.handler.__module__.rpartition(".")[2], []).append(route)
    for name, routes in groups.items():
        yield f"## {name.replace('_', ' ').capitalize()}\n"
        rows = [_endpoint(document, route) for route in routes]
        yield _table(("endpoint", "what it does", "the right to", "scope", "query"), rows)
        yield from _schemas(document, routes)


def _endpoint(document: Mapping[str, Any], route: Route) -> tuple[str, ...]:
    operation = operation_of(document, route)
    text = " ".join(operation["description"].split())
    right, scope = _need(route.need)
    queries = [f"`{one['name']}`" for one in operation.get("parameters", ()) if one["in"] == "query"]
    path = route.path.replace(":path}", "}")
    return f"`{route.method} {path}`", text, right, scope, ", ".join(queries)


def _need(need: Need) -> tuple[str, str]:
    match need:
        case Everybody():
            return "nothing", ""
        case OnRepository(action):
            return _ACTIONS[action]
        case OnDeleted(action):
            right, scope = _ACTIONS[action]
            return f"{right}, as it was", scope
        case Managing(task, target, own):
            thing = "oneself" if own else f"the {target or 'account'}"
            name = _NOBODY.name if own else ""
            scope = "" if task == "see" else f"`{scope_of(_NOBODY, Matter(task, target or Target.ROBOT, name))}`"
            return f"{task} {thing}", scope


def _schemas(document: Mapping[str, Any], routes: Sequence[Route]) -> Iterator[str]:
    """Yield a table for each kind of body and of answer that the endpoints have, each once."""
    schemas, seen = document["components"]["schemas"], set[str]()
    for route in routes:
        for name in _names(operation_of(document, route)):
            for one in (name, *_inner(schemas, name)):
                if one not in seen and "properties" in schemas[one] and not one.startswith("Page_"):
                    seen.add(one)
                    yield from _schema(one, schemas)


def _schema(name: str, schemas: Mapping[str, Any]) -> Iterator[str]:
    schema = schemas[name]
    is_body = schema.get("additionalProperties") is False
    yield f"**{schema.get('title', name)}**: {' '.join(schema.get('description', '').split())}\n"
    rows = []
    for field, one in schema["properties"].items():
        meaning = " ".join(one.get("description", "").split())
        needed = ("needed" if field in schema.get("required", ()) else "",) if is_body else ()
        rows.append((f"`{field}`", _kind(one, schemas), *needed, meaning))
    yield _table(("field", "kind", *(("",) if is_body else ()), "what it is"), rows)


def _names(operation: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the schemas of an endpoint's body and of its answer."""
    contents = [operation.get("requestBody", {}).get("content", {})]
    contents += [one.get("content", {}) for status, one in operation["responses"].items() if status.startswith("2")]
    for content in contents:
        for media in content.values():
            if name := media.get("schema", {}).get("$ref", "").rpartition("/")[2]:
                yield name


def _inner(schemas: Mapping[str, Any], name: str, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the names of the schemas that one holds in lists or fields; one that holds itself, once."""
    for field in schemas[name].get("properties", {}).values():
        for one in (field, field.get("items", {}), *field.get("anyOf", ())):
            found = one.get("$ref", "").rpartition("/")[2]
            if found and found not in {name, *above}:
                yield found
                yield from _inner(schemas, found, (name, *above))


def _kind(field: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """Return what a field is, in a few words."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return _kind(schemas[name], schemas) if "enum" in schemas[name] else name
    if "anyOf" in field:
        return " or ".join(_kind(one, schemas) for one in field["anyOf"])
    if field.get("type") == "array":
        return f"list of {_kind(field['items'], schemas)}"
    if len(field.get("enum", ())) > _FEW:
        return ", ".join(field["enum"])
    if "enum" in field:
        return ", ".join(f"`{one}`" for one in field["enum"])
    if field.get("format") == "date-time":
        return "time"
    bounds = [f"up to {field['maxLength']} characters"] if "maxLength" in field else []
    if "minimum" in field:
        bounds.append(f"{field['minimum']} to {field['maximum']}")
    return ", ".join([str(field.get("type", "any")), *bounds])


def _problems() -> Iterator[str]:
    yield "## Problems\n"
    yield f"The last part of `type`; `GET {PREFIX}/problems` lists them too.\n"
    yield _table(
        ("problem", "status", "what it means"),
        [(f"`{name}`", str(status), text) for name, (status, text) in problems.meanings().items()],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
