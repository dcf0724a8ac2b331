"""JSON schemas of the bodies, made by pydantic from the very types that read and write them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import CoreModeRef, DefsRef, GenerateJsonSchema, JsonSchemaMode
from pydantic_core import core_schema

Json = dict[str, Any]
REF = "#/components/schemas/"
_FORMATS = {"uuid": "3f0f8f5e-7d0b-4f0e-9a53-2f6f1d7f6c11", "date-time": "2026-11-21T09:00:00Z"}
_PLAIN: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1,
    "boolean": False,
    "array": [],
    "object": {},
}


def component_name(path: str) -> str:
    """Name a type by its room: ``app.dialects.courses.OwnRow`` is ``CoursesOwnRow``.

    What is described here belongs to all of them and has no room before its name.
    """
    *rooms, name = path.removeprefix("app.").removeprefix("dialects.").split(".")
    room = "".join(word.capitalize() for word in rooms[0].split("_"))
    return str(name) if rooms[0] == "openapi" or name.startswith(room) else f"{room}{name}"


class _Named(GenerateJsonSchema):
    """Names types by their rooms, and leaves titles out that only repeat a field's name."""

    def get_defs_ref(self, core_mode_ref: CoreModeRef) -> DefsRef:
        path, _, _ = core_mode_ref[0].rpartition(":")
        name = DefsRef(component_name(path))
        other = self.defs_to_core_refs.get(name, core_mode_ref)
        if other != core_mode_ref:
            raise ValueError(f"{path} and {other[0]} would both be called {name}")
        # pydantic would choose among several names, by which others there are. This is the one.
        self._prioritized_defsref_choices[name] = [name]
        return name

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Json:
        # What an answer has unless told otherwise is the concern of whoever writes it, and a
        # default of null says no more than that the key may be left out.
        if self.mode == "serialization" or schema.get("default") is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def field_title_should_be_set(self, _schema: Any) -> bool:
        return False


def schemas_of(types: Mapping[Hashable, Any], mode: JsonSchemaMode) -> tuple[dict[Any, Json], Json]:
    """Return the schema of each type under its key, and the components that they refer to."""
    inputs = [(key, mode, TypeAdapter(wanted)) for key, wanted in types.items()]
    by_key, rest = TypeAdapter.json_schemas(
        inputs, schema_generator=_Named, ref_template=REF + "{model}"
    )
    return {key: schema for (key, _), schema in by_key.items()}, rest.get("$defs", {})


def merged(all_of_them: Iterable[Json]) -> Json:
    """Put components together. Raises ValueError where one name means two things."""
    result: Json = {}
    for components in all_of_them:
        for name, schema in components.items():
            if "description" in schema:
                # Docstrings mark code with two backticks, Markdown with one.
                schema["description"] = schema["description"].replace("``", "`")
            if result.setdefault(name, schema) != schema:
                raise ValueError(f"{name} is one thing in a request and another in an answer")
    return dict(sorted(result.items()))


def resolved(schema: Json, components: Json) -> Json:
    """Return what a reference means; a schema that is none comes back as it is."""
    while "$ref" in schema:
        schema = components[schema["$ref"].removeprefix(REF)] | {
            key: value for key, value in schema.items() if key != "$ref"
        }
    return schema


def example_of(schema: Json, components: Json) -> Any:
    """Make an example: the schema's own where it has one, else put together from its parts.

    Of an object it has every key that must be there, and every other that has an example.
    """
    schema = resolved(schema, components)
    if schema.get("examples"):
        return schema["examples"][0]
    for word in ("const", "default"):
        if schema.get(word) is not None:
            return schema[word]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], components)
    if "properties" in schema:
        return _object_example(schema, components)
    if "items" in schema:
        return [example_of(schema["items"], components)]
    return _FORMATS.get(schema.get("format", ""), _PLAIN.get(schema.get("type", "")))


def _object_example(schema: Json, components: Json) -> Json:
    required = schema.get("required", [])
    return {
        name: example_of(part, components)
        for name, part in schema["properties"].items()
        if name in required or resolved(part, components).get("examples")
    }
