"""The Python child of a host: it loads one module, then runs one call at a time. python.node.ts starts it.

Frames both ways as in javascript.node.ts: two 32-bit lengths, a JSON head, a raw body. The main thread runs handlers,
one thread reads frames, one watches each call's time-out. LIMITS and the module switchyard_values are there already.
"""

import collections
import inspect
import io
import json
import linecache
import math
import os
import queue
import struct
import sys
import threading
import time
import traceback
import types
import typing

import switchyard_values
from switchyard_values import ValueNotFit, from_json, to_json

LIVE_S = 0.2
Execution = collections.namedtuple("Execution", "id attempt operation revision caller traceparent")
current = None


class CallFailed(Exception):
    """What ctx.call raises: `code`, `detail` and whatever else the platform said."""


class Failure(Exception):
    """The end of a call, as the platform reads it."""

    def __init__(self, code, detail, retry=None, **extras):
        self.error = {"code": code, "detail": detail, **extras}
        self.retry = retry or {"kind": "may"}


class Wire:
    """Standard input and output, taken away from the code: what it prints is log, what it reads is nothing."""

    def __init__(self):
        self.owner = os.getpid()
        self.lock = threading.Lock()
        self.input = os.fdopen(os.dup(0), "rb")
        self.output = os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        sys.stdin = open(0, closefd=False)

    def send(self, head, body=b""):
        # A fork that came back out of the handler is nobody's child of ours.
        if os.getpid() != self.owner:
            os._exit(1)
        text = json.dumps(head).encode()
        data = memoryview(struct.pack(">II", len(text), len(body)) + text + body)
        with self.lock:
            while len(data) > 0:
                data = data[os.write(self.output, data) :]

    def read(self):
        lengths = self.input.read(8)
        if len(lengths) < 8:
            os._exit(0)
        a, b = struct.unpack(">II", lengths)
        return json.loads(self.input.read(a)), self.input.read(b).decode()


class Printed(io.TextIOBase):
    """sys.stdout and sys.stderr: whole lines go to the log of the call that runs."""

    encoding = "utf-8"

    def __init__(self, level):
        self.level = level
        self.rest = ""

    def writable(self):
        return True

    def write(self, text):
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            self.tell(line)
        return len(text)

    def end(self):
        if self.rest:
            self.tell(self.rest)
        self.rest = ""

    def tell(self, line):
        if current is not None:
            current.write(self.level, [line])


def redactor(secrets):
    """Values of secrets never appear, as they are or as JSON writes them. Under 4 characters is ordinary text."""
    known = [(name, form) for name, value in secrets.items() if len(value) >= 4 for form in (value, json.dumps(value)[1:-1])]
    known.sort(key=lambda each: -len(each[1]))

    def redact(text):
        for name, value in known:
            text = text.replace(value, f"[secret {name}]")
        return text

    return redact


def cap(text):
    most = LIMITS["logLineChars"]
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most} more characters)"


def describe(error):
    try:
        text = str(error)
    except BaseException:
        text = "an error that cannot be shown"
    if type(error) in (Exception, CallFailed):
        return text or "an error without a message"
    return type(error).__name__ + (": " + text if text else "")


def show(value):
    if isinstance(value, str):
        return value
    try:
        if isinstance(value, BaseException):
            return "".join(traceback.format_exception(value)).rstrip()
        return json.dumps(to_json(value), ensure_ascii=False)
    except BaseException:
        try:
            return repr(value)
        except BaseException:
            return "[a value that cannot be shown]"


class Log:
    def __init__(self, call):
        self._call = call

    def debug(self, *args):
        self._call.write("debug", args)

    def info(self, *args):
        self._call.write("info", args)

    def warn(self, *args):
        self._call.write("warn", args)

    warning = warn

    def error(self, *args):
        self._call.write("error", args)


class Handle:
    """An execution that ctx.call started and that goes on by itself."""

    def __init__(self, call, execution_id):
        self._call = call
        self.execution_id = execution_id

    def result(self):
        return self._call.ask("result", self.execution_id)["value"]

    def cancel(self):
        self._call.ask("cancel", self.execution_id)


class Context:
    """What a handler gets beside its input."""

    def __init__(self, call, secrets):
        meta = call.meta
        self._call = call
        self.log = Log(call)
        self.secrets = types.MappingProxyType(secrets)
        self.execution = Execution(meta["execution_id"], *(meta[name] for name in Execution._fields[1:]))

    @property
    def cancelled(self):
        """Whether nobody wants the result any more."""
        return self._call.cancelled.is_set()

    def call(self, name, input=None, **options):
        """Calls another operation and waits for its output; one that runs asynchronously gives a handle of it."""
        text = json.dumps(to_json({} if input is None else input))
        answer = self._call.ask("call", name, text, json.dumps(to_json(options)))
        return Handle(self._call, answer["accepted"]) if "accepted" in answer else answer["value"]


class Call:
    """One call, from its frame to its end. Whoever ends it first, the handler or the time-out, is the one who does."""

    def __init__(self, wire, head, redact):
        self.wire, self.id, self.redact = wire, head["call"], redact
        self.timeout_s = head["timeout_ms"] / 1000
        self.meta = json.loads(head["meta"])
        self.lines, self.told = [], 0
        self.waiting, self.asked = {}, 0
        self.lock = threading.Lock()
        self.cancelled = threading.Event()
        self.over = threading.Event()

    def write(self, level, args):
        with self.lock:
            count, most = len(self.lines), LIMITS["logLines"]
            if count > most:
                return
            message = cap(self.redact(" ".join(show(each) for each in args)))
            if count == most:
                level, message = "warn", f"further lines were dropped: {most} are kept of one invocation"
            self.lines.append({"level": level, "message": message, "at_ms": int(time.time() * 1000)})

    def ask(self, method, *args):
        answer = queue.SimpleQueue()
        with self.lock:
            self.asked += 1
            number = self.asked
            self.waiting[number] = answer
        self.wire.send({"t": "ask", "id": number, "call": self.id, "method": method, "args": args})
        given = json.loads(answer.get())
        if given["ok"]:
            return given
        error = CallFailed(given["error"]["detail"])
        vars(error).update(given["error"])
        raise error

    def answer(self, number, body):
        waiting = self.waiting.pop(number, None)
        if waiting is not None:
            waiting.put(body)

    def watch(self):
        """Runs on a thread of its own until the call is over."""
        until = time.monotonic() + self.timeout_s
        live = self.meta.get("live") is True
        while True:
            left = until - time.monotonic()
            if self.over.wait(max(0, min(LIVE_S, left) if live else left)):
                return
            if live:
                self.tell_lines()
            if time.monotonic() >= until:
                name, ms = self.meta["operation"], round(self.timeout_s * 1000)
                self.end(Failure("timeout", f'Cannot finish "{name}": it may run for {ms} ms; it is still running'))
                return

    def tell_lines(self):
        fresh, first = self.lines[self.told :], self.told
        if not fresh:
            return
        self.told += len(fresh)
        self.wire.send({"t": "ask", "id": 0, "call": self.id, "method": "log", "args": [first, json.dumps(fresh)]})

    def end(self, result):
        with self.lock:
            if self.over.is_set():
                return
            self.over.set()
        if isinstance(result, Failure):
            result.error["detail"] = cap(self.redact(result.error["detail"]))
            head = {"ok": False, "error": result.error, "retry": result.retry, "logs": self.lines}
            self.wire.send({"t": "end", "call": self.id}, json.dumps(head).encode() + b"\n")
        else:
            head = json.dumps({"ok": True, "logs": self.lines}, separators=(",", ":"))
            self.wire.send({"t": "end", "call": self.id}, head.encode() + b"\n" + result)


class Loaded:
    """The operation's module: loaded by the first call, then kept."""

    def __init__(self, wire, head, code):
        self.wire, self.export, self.code, self.name = wire, head["export"], code, "switchyard_module"
        self.secrets = dict(head["secrets"])
        self.redact = redactor(self.secrets)
        self.handler = None

    def load(self):
        if self.handler is None:
            file = self.name + ".py"
            module = types.ModuleType(self.name)
            module.__file__ = file
            # Hints that are texts, dataclasses and pickle look a class's module up by its name.
            sys.modules[self.name] = module
            linecache.cache[file] = (len(self.code), None, self.code.splitlines(True), file)
            try:
                exec(compile(self.code, file, "exec", dont_inherit=True), vars(module))
            except BaseException as error:
                sys.modules.pop(self.name, None)
                detail = "Cannot load the module: it threw while loading; it is " + describe(error)
                raise Failure("module_invalid", detail) from None
            handler = getattr(module, self.export, None)
            if not callable(handler):
                kind = f"is of type {type(handler).__name__}" if hasattr(module, self.export) else "is missing"
                detail = f'Cannot run the export "{self.export}": it must be a function; it {kind}'
                raise Failure("module_invalid", detail)
            self.handler, self.hint, self.takes = handler, *shape_of(handler)
        self.wire.send({"t": "loaded"})

    def run(self, call, text):
        try:
            self.load()
            value = self.input_of(call, json.loads(text))
            result = self.handler(*(value, Context(call, self.secrets))[: self.takes])
            if inspect.isawaitable(result):
                import asyncio

                async def awaited():
                    return await result

                result = asyncio.run(awaited())
            return output_bytes(result)
        except Failure as failure:
            return failure
        except BaseException as error:
            # The first frame is ours.
            call.write("error", [error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)])
            return failure_of(error)

    def input_of(self, call, value):
        try:
            return from_json(self.hint, value)
        except ValueNotFit as error:
            detail = f'Cannot give "{call.meta["operation"]}" its input: it must fit the handler\'s hints; {error}'
            where = {"pointer": error.pointer, "keyword": "type", "detail": str(error)}
            raise Failure("implementation_failed", detail, {"kind": "never"}, errors=[where]) from None


def shape_of(handler):
    """The hint of its input, and how many of (input, ctx) it takes."""
    parameters = list(inspect.signature(handler).parameters.values())
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        takes = 2
    else:
        takes = min(2, sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in parameters))
    try:
        hints = typing.get_type_hints(handler, include_extras=True)
    except Exception:
        hints = {}
    return hints.get(parameters[0].name, typing.Any) if parameters else typing.Any, takes


def failure_of(error):
    code, after = getattr(error, "code", None), getattr(error, "after_ms", None)
    number = isinstance(after, (int, float)) and not isinstance(after, bool) and math.isfinite(after) and after >= 0
    if code == "terminal":
        retry = {"kind": "never"}
    elif code in ("retry_after", "rate_limited") and number:
        retry = {"kind": "after", "after_ms": after}
    else:
        retry = None
    return Failure("implementation_failed", describe(error), retry)


def output_bytes(value):
    rule = "Cannot return the handler's answer: it must be"
    try:
        plain = to_json(value, most_levels=LIMITS["jsonDepth"])
    except ValueNotFit as error:
        what = f'the answer at "{error.pointer}"' if error.pointer else "the answer"
        where = {"pointer": error.pointer, "keyword": "json", "detail": "is " + error.found}
        raise Failure("output_not_json", f"{rule} a JSON value; {what} is {error.found}", errors=[where]) from None
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        output = text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair, which JSON can only say as an escape.
        output = json.dumps(plain, allow_nan=False, separators=(",", ":")).encode()
    most = LIMITS["jsonBytes"]
    if len(output) > most:
        raise Failure("output_too_large", f"{rule} at most {most} bytes of JSON; it is {len(output)}")
    return output


def main():
    global current
    wire = Wire()
    sys.stdout, sys.stderr = Printed("info"), Printed("error")
    calls = queue.SimpleQueue()
    loaded = None

    def read():
        running = None
        while True:
            head, body = wire.read()
            kind = head["t"]
            if kind == "run":
                running = Call(wire, head, loaded.redact)
                calls.put((running, body))
            elif kind == "answer" and running is not None:
                running.answer(head["id"], body)
            elif kind == "cancel" and running is not None:
                running.cancelled.set()

    wire.send({"t": "ready"})
    head, body = wire.read()
    loaded = Loaded(wire, head, body)
    threading.Thread(target=read, daemon=True).start()
    while True:
        call, text = calls.get()
        current = call
        threading.Thread(target=call.watch, daemon=True).start()
        result = loaded.run(call, text)
        for printed in (sys.stdout, sys.stderr):
            if isinstance(printed, Printed):
                printed.end()
        current = None
        call.end(result)


main()
