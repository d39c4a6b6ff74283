"""JSON values to what a handler's hints say, and what a handler answers back to JSON.

The platform has checked the input against the stored type already; this only gives it the shape that the hints name:
an instance of the dataclass, a datetime, a member of the enum. Where they do not fit each other (the row names another
type), ValueNotFit says at which JSON Pointer. Python 3.10 or newer, standard library only.
"""

import dataclasses
import datetime
import enum
import math
import types
import typing
import uuid


class ValueNotFit(Exception):
    """A value does not fit its hint, or has no JSON form. The message begins with the place, which is `pointer`."""

    def __init__(self, pointer, wanted, found):
        super().__init__(f"{pointer or '/'} must be {wanted}; it is {found}")
        self.pointer = pointer
        self.found = found


def from_json(hint, value, pointer=""):
    """`value` as `hint` has it. A hint that is not known lets the value pass as it is."""
    hint = bare(hint)
    if hint is float:
        return float(value) if _is_number(value) else _wrong(pointer, "a number", value)
    if hint is int:
        whole = _is_number(value) and value == math.floor(value)
        return int(value) if whole else _wrong(pointer, "a whole number", value)
    if hint is str or hint is bool:
        return value if type(value) is hint else _wrong(pointer, "a " + hint.__name__, value)
    if hint is None or hint is type(None):
        return None if value is None else _wrong(pointer, "null", value)
    if hint in (datetime.datetime, datetime.date, uuid.UUID):
        return _from_text(hint, value, pointer)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _member(hint, value, pointer)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return hint(**_members(hint, value, pointer))
    if typing.is_typeddict(hint):
        return _members(hint, value, pointer)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union or origin is types.UnionType:
        return _first_that_fits(arguments, value, pointer)
    if origin is typing.Literal:
        same = any(type(each) is type(value) and each == value for each in arguments)
        return value if same else _wrong(pointer, "one of " + repr(list(arguments)), value)
    if origin is list:
        items = _list(value, pointer)
        return [from_json(arguments[0], item, f"{pointer}/{index}") for index, item in enumerate(items)]
    if origin is tuple:
        return _tuple(arguments, _list(value, pointer), pointer)
    if origin is dict:
        return {key: from_json(arguments[1], item, _at(pointer, key)) for key, item in _dict(value, pointer).items()}
    return value


def to_json(value, pointer="", most_levels=64):
    """What json.dumps can write without surprises: plain dicts with text keys, lists, finite numbers, text, None."""
    if isinstance(value, enum.Enum):
        return to_json(value.value, pointer, most_levels)
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _wrong(pointer, "a finite number", value)
    is_object = dataclasses.is_dataclass(value) and not isinstance(value, type)
    if most_levels <= 0 and (is_object or isinstance(value, (dict, list, tuple))):
        raise ValueNotFit(pointer, "of fewer levels", "nested too deep, or a value that contains itself")
    below = most_levels - 1
    if is_object:
        named = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: to_json(member, _at(pointer, name), below) for name, member in named}
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                _wrong(pointer, "an object with text keys", key)
        return {key: to_json(member, _at(pointer, key), below) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item, f"{pointer}/{index}", below) for index, item in enumerate(value)]
    if isinstance(value, datetime.datetime):
        return value.isoformat() if value.tzinfo else _wrong(pointer, "a datetime with a time zone", value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return _wrong(pointer, "something with a JSON form", value)


def bare(hint):
    """Without what only tells readers something: Annotated, Required, NotRequired, NewType."""
    while True:
        if typing.get_origin(hint) is typing.Annotated:
            hint = typing.get_args(hint)[0]
        elif getattr(typing.get_origin(hint), "_name", "") in ("Required", "NotRequired"):
            hint = typing.get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        else:
            return hint


def _first_that_fits(hints, value, pointer):
    for hint in hints:
        # 1 is an int before it is a float, whichever the union names first.
        if bare(hint) is float and type(value) is int and int in [bare(each) for each in hints]:
            continue
        try:
            return from_json(hint, value, pointer)
        except ValueNotFit:
            continue
    return _wrong(pointer, "one of " + ", ".join(str(getattr(hint, "__name__", hint)) for hint in hints), value)


def _members(hint, value, pointer):
    """The members of an object, each as its class says. Raises where one is missing or unknown."""
    given = _dict(value, pointer)
    hints = typing.get_type_hints(hint, include_extras=True)
    if dataclasses.is_dataclass(hint):
        fields = [field for field in dataclasses.fields(hint) if field.init]
        known = {field.name for field in fields}
        none = dataclasses.MISSING
        required = {field.name for field in fields if field.default is none and field.default_factory is none}
    else:
        known, required = set(hints), required_keys(hint, hints)
    for name in required - given.keys():
        _wrong(_at(pointer, name), "there", "missing")
    for name in given.keys() - known:
        _wrong(_at(pointer, name), "a member of " + hint.__name__, "none")
    return {name: from_json(hints[name], member, _at(pointer, name)) for name, member in given.items()}


def required_keys(hint, hints):
    """Those of a TypedDict. Its own list is wrong where annotations are texts (from __future__ import annotations)."""
    required = set(hint.__required_keys__)
    for name, each in hints.items():
        while typing.get_origin(each) is typing.Annotated:
            each = typing.get_args(each)[0]
        said = getattr(typing.get_origin(each), "_name", "")
        if said == "Required":
            required.add(name)
        elif said == "NotRequired":
            required.discard(name)
    return required


def _tuple(hints, items, pointer):
    if len(hints) == 2 and hints[1] is Ellipsis:
        return tuple(from_json(hints[0], item, f"{pointer}/{index}") for index, item in enumerate(items))
    if len(hints) != len(items):
        _wrong(pointer, f"a list of {len(hints)}", f"one of {len(items)}")
    return tuple(from_json(hint, item, f"{pointer}/{index}") for index, (hint, item) in enumerate(zip(hints, items)))


def _from_text(hint, value, pointer):
    if not isinstance(value, str):
        _wrong(pointer, "text", value)
    try:
        if hint is uuid.UUID:
            return uuid.UUID(value)
        # Before 3.11 fromisoformat knows neither Z nor small letters.
        text = value.upper().removesuffix("Z") + "+00:00" if value[-1:] in "Zz" else value
        return hint.fromisoformat(text)
    except ValueError:
        return _wrong(pointer, "a " + hint.__name__, value)


def _member(hint, value, pointer):
    for member in hint:
        if type(member.value) is type(value) and member.value == value:
            return member
    return _wrong(pointer, "a value of " + hint.__name__, value)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _list(value, pointer):
    return value if isinstance(value, list) else _wrong(pointer, "a list", value)


def _dict(value, pointer):
    return value if isinstance(value, dict) else _wrong(pointer, "an object", value)


def _at(pointer, name):
    return pointer + "/" + str(name).replace("~", "~0").replace("/", "~1")


def _wrong(pointer, wanted, value) -> typing.NoReturn:
    said = value if isinstance(value, str) and value in ("missing", "none") else f"{type(value).__name__} {value!r:.80}"
    raise ValueNotFit(pointer, wanted, said)
