"""The handlers of a Python file and the types that their hints say, as JSON on stdout: what `opctl deploy` stores.

Run as `python3 -I read_types.py FILE FOLDER_OF_SWITCHYARD_VALUES`. Types are written as draft-07 with `definitions`;
the caller moves them to 2020-12 with the same code as those from TypeScript. Nothing is guessed: what has no JSON form
is an error with its place and what to write instead.
"""

import ast
import contextlib
import dataclasses
import datetime
import enum
import importlib.util
import inspect
import json
import pathlib
import sys
import types
import typing
import uuid

FORMATS = {datetime.datetime: "date-time", datetime.date: "date", uuid.UUID: "uuid"}
SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null", None: "null"}
REMEDIES = {
    list: "write list[...] with the type of its items",
    dict: "write dict[str, ...], or a dataclass or TypedDict",
    tuple: "write tuple[...] with the types of its items",
    set: "JSON has no sets; write list[...]",
    frozenset: "JSON has no sets; write list[...]",
    bytes: "JSON has no bytes; write str, in base64 say",
    complex: "JSON has no complex numbers; write two floats",
}


class Unreadable(Exception):
    """A hint that JSON Schema cannot say."""


class Refused(Exception):
    """The whole file cannot be a module: a code of Switchyard's, the detail, what to do."""


def check_imports(tree, name):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            wanted = ["." * node.level + (node.module or "")]
        else:
            continue
        for module in wanted:
            if module.split(".")[0] not in sys.stdlib_module_names:
                raise Refused(
                    "bundle_failed",
                    f'Cannot take "{name}": a Python module is one file that imports the standard library only; '
                    f"{name}:{node.lineno} imports {module}",
                    "Move what it needs into the file, or make it a program of its own ({process: …}) or a container.",
                )


class Types:
    """One type with everything it leads to."""

    def __init__(self):
        self.definitions = {}
        self.names = {}
        self.warnings = []

    def of(self, hint, place):
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Annotated:
            return self.annotated(arguments, place)
        if getattr(origin, "_name", "") in ("Required", "NotRequired"):
            return self.of(arguments[0], place)
        if isinstance(hint, typing.NewType):
            return self.of(hint.__supertype__, place)
        if hint is typing.Any or hint is object:
            self.warnings.append(f"{place} is {'Any' if hint is typing.Any else 'object'}, so nothing there is checked.")
            return {}
        if isinstance(hint, typing.Hashable) and hint in SCALARS:
            return {"type": SCALARS[hint]}
        if isinstance(hint, typing.Hashable) and hint in FORMATS:
            return {"type": "string", "format": FORMATS[hint]}
        if origin is typing.Union or origin is types.UnionType:
            return self.union([self.of(each, place) for each in arguments])
        if origin is typing.Literal:
            return self.values(arguments, place)
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0], place + "[]")}
        if origin is dict:
            if arguments[0] is not str:
                raise Unreadable(f"{place} has keys that are not text; write dict[str, ...]")
            return {"type": "object", "additionalProperties": self.of(arguments[1], place + "{}")}
        if origin is tuple:
            return self.tuple(arguments, place)
        if isinstance(hint, type) and (
            issubclass(hint, enum.Enum) or dataclasses.is_dataclass(hint) or typing.is_typeddict(hint)
        ):
            return self.named(hint)
        shown = hint.__name__ if isinstance(hint, type) and origin is None else str(hint)
        remedy = REMEDIES.get(origin or hint if isinstance(hint, typing.Hashable) else None)
        raise Unreadable(f"{place} is {shown}; " + (remedy or "write a dataclass, a TypedDict or a builtin type"))

    def annotated(self, arguments, place):
        """Text is the description, a dict more keywords of JSON Schema: Annotated[int, "How many.", {"minimum": 1}]."""
        schema = self.of(arguments[0], place)
        more = {}
        for each in arguments[1:]:
            if isinstance(each, str):
                more["description"] = each
            elif isinstance(each, dict):
                more.update(each)
        if more and "$ref" in schema:
            return {"allOf": [schema], **more}
        return {**schema, **more}

    def union(self, schemas):
        # bool says what it is; the rest of a mixed union is kept as it is written.
        if all(set(each) == {"type"} and isinstance(each["type"], str) for each in schemas):
            said = list(dict.fromkeys(each["type"] for each in schemas))
            return {"type": said[0] if len(said) == 1 else said}
        return {"anyOf": schemas}

    def values(self, values, place):
        for each in values:
            if type(each) not in (str, int, bool, float, type(None)):
                raise Unreadable(f"{place} has the value {each!r}, which JSON cannot say; write text or numbers")
        said = {SCALARS[type(each)] for each in values}
        kind = {"type": said.pop()} if len(said) == 1 else {}
        return {**kind, "const": values[0]} if len(values) == 1 else {**kind, "enum": list(values)}

    def tuple(self, arguments, place):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return {"type": "array", "items": self.of(arguments[0], place + "[]")}
        items = [self.of(each, f"{place}[{index}]") for index, each in enumerate(arguments)]
        return {"type": "array", "items": items, "minItems": len(items), "maxItems": len(items)}

    def named(self, cls):
        if cls not in self.names:
            name = cls.__qualname__.rpartition("<locals>.")[2].replace(".", "_")
            while name in self.definitions:
                name += "_"
            self.names[cls] = name
            self.definitions[name] = {}
            self.definitions[name] = self.class_schema(cls)
        return {"$ref": "#/definitions/" + self.names[cls]}

    def class_schema(self, cls):
        doc = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
        # What dataclass() and Enum write themselves says nothing.
        generated = doc.startswith(cls.__name__ + "(") or doc == "An enumeration."
        described = {} if doc == "" or generated else {"description": doc}
        if issubclass(cls, enum.Enum):
            return {**self.values([member.value for member in cls], cls.__name__), **described}
        hints = typing.get_type_hints(cls, include_extras=True)
        if dataclasses.is_dataclass(cls):
            properties, required = self.fields(cls, hints)
        else:
            properties = {name: self.of(hint, f"{cls.__name__}.{name}") for name, hint in hints.items()}
            required = [name for name in hints if name in switchyard_values.required_keys(cls, hints)]
        closed = {"type": "object", "properties": properties}
        if required:
            closed["required"] = required
        return {**closed, "additionalProperties": False, **described}

    def fields(self, cls, hints):
        properties, required = {}, []
        for name, hint in hints.items():
            if isinstance(hint, dataclasses.InitVar):
                raise Unreadable(f"{cls.__name__}.{name} is an InitVar, which is no field; make it one")
        for field in dataclasses.fields(cls):
            place = f"{cls.__name__}.{field.name}"
            if not field.init:
                raise Unreadable(f"{place} has init=False, so no input can set it; make it a property")
            schema = self.of(hints[field.name], place)
            # Other factories (uuid4, now) answer something new each time: only the handler's side can fill that in.
            if field.default is not dataclasses.MISSING:
                schema = self.with_default(schema, field.default, place)
            elif field.default_factory in (list, dict):
                schema = self.with_default(schema, field.default_factory(), place)
            elif field.default_factory is dataclasses.MISSING:
                required.append(field.name)
            properties[field.name] = schema
        return properties, required

    def with_default(self, schema, value, place):
        try:
            default = switchyard_values.to_json(value)
        except switchyard_values.ValueNotFit as error:
            raise Unreadable(f"{place} has a default without a JSON form: {error}") from None
        return {"allOf": [schema], "default": default} if "$ref" in schema else {**schema, "default": default}


def read_type(hint, place):
    made = Types()
    schema = made.of(hint, place)
    cls = switchyard_values.bare(hint)
    named = isinstance(cls, type) and cls in made.names
    return {
        "name": cls.__name__ if named else None,
        "schema": {**schema, "definitions": made.definitions},
        "warnings": made.warnings,
    }


def read_handler(function, name):
    place = f"{name}:{function.__code__.co_firstlineno}"
    found = {"description": inspect.cleandoc(function.__doc__ or ""), "place": place}
    try:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise Unreadable("it yields, and a handler answers one value; return a list")
        parameters = list(inspect.signature(function).parameters.values())
        positional = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
        needed = [each for each in parameters[2:] if each.default is each.empty]
        if len(positional) < min(len(parameters), 2) or needed:
            raise Unreadable("a handler is called as handler(input) or handler(input, ctx)")
        hints = typing.get_type_hints(function, include_extras=True)
        if positional and positional[0].name not in hints:
            raise Unreadable(
                f'its parameter "{positional[0].name}" has no hint; write {function.__name__}({positional[0].name}: SomeInput)'
            )
        if "return" not in hints:
            raise Unreadable(f"it does not say what it returns; write {function.__name__}(...) -> SomeOutput")
        first = positional[0].name if positional else None
        found["input"] = {"name": None, "schema": True, "warnings": []} if first is None else read_type(hints[first], first)
        found["output"] = read_type(hints["return"], "return")
    except Unreadable as error:
        found["unreadable"] = str(error)
    except Exception as error:  # A hint that names what is not there.
        found["unreadable"] = f"its hints cannot be followed: {error}"
    return found


def load(file, name):
    """The file under its own name, so that hints written as text find its classes."""
    stem = file.stem if file.stem.isidentifier() and file.stem not in sys.stdlib_module_names else "switchyard_module"
    spec = importlib.util.spec_from_file_location(stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[stem] = module
    try:
        with contextlib.redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except BaseException as error:
        detail = f'Cannot load "{name}": its top level must run; {type(error).__name__}: {error}'
        raise Refused("bundle_failed", detail, "Deploying imports the file: keep its top level free of effects.") from None
    return module


def read(file, name):
    if sys.version_info < (3, 10):
        raise Refused("bundle_failed", f"Cannot read types: python3 must be 3.10 or newer; it is {sys.version.split()[0]}", "")
    try:
        tree = ast.parse(file.read_bytes(), name)
    except (SyntaxError, ValueError) as error:
        place = f"{name}:{getattr(error, 'lineno', '?')}"
        detail = f'Cannot take "{name}": it must be Python; at {place}: {getattr(error, "msg", error)}'
        raise Refused("bundle_failed", detail, "") from None
    check_imports(tree, name)
    module = load(file, name)
    public = getattr(module, "__all__", None)
    handlers = {}
    for each, value in vars(module).items():
        own = inspect.isfunction(value) and value.__module__ == module.__name__
        if own and (each in public if public is not None else not each.startswith("_")):
            handlers[each] = read_handler(value, name)
    return {"handlers": handlers}


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path.insert(0, sys.argv[2])
    import switchyard_values

    path = pathlib.Path(sys.argv[1])
    try:
        answer = read(path, sys.argv[3])
    except Refused as refused:
        code, detail, hint = refused.args
        answer = {"error": {"code": code, "detail": detail, "hint": hint}}
    print(json.dumps(answer))
