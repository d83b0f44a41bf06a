"""Reading a pickle that describes tensors, without running it.

A pickle is a program for a small stack machine, and Python's own machine imports and calls whatever the program names.
This one knows the instructions that build plain containers and, of all names, only those that PyTorch gives to tensors;
it imports nothing and has nothing to call. Every other name is refused, and so is every instruction not listed here.
The bytes of the storages lie elsewhere in a checkpoint: see `torch_files.py`.

Source: CPython's pickletools, which describes the instructions; PyTorch's torch/_utils.py for the names.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from desertseg.models.errors import ModelError
from desertseg.models.weights.torch_names import NAMES, Dtype, Name, Storage, is_count

SAVE_TENSORS = "save its tensors with torch.save(model.state_dict(), ...) and give that file"
# What a damaged pickle makes the machine, or pickletools, stumble over.
DAMAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, EOFError, MemoryError)


@dataclass(frozen=True)
class Unpickled:
    """What a pickle describes.

    Attributes:
        value: dicts, lists, tuples, numbers, text, and `Tensor`s. One part may occur in many places: who walks through
            all of it may walk for ever.
        storages: the storages that it names, by key.
    """

    value: Any
    storages: dict[str, Storage]


def unpickle(stream: Any, where: str) -> Unpickled:
    """Return what the next pickle of a stream describes.

    Args:
        stream: binary, with read, readline and tell, whose `read(n)` stops at the end (BytesIO, mmap; not a file, which
            makes room for n first).
        where: the file, for messages.

    Raises:
        ModelError: the pickle is damaged, or names anything but tensors.
    """
    machine = _Machine(where)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            machine.step(opcode.name, argument)
    except ModelError:
        raise
    except DAMAGE as error:
        raise ModelError(
            f"weights {where} cannot be read: its pickle is damaged or cut off; fetch the file again"
        ) from error
    return Unpickled(machine.result, machine.storages)


class _Machine:
    """The stack, the stacks set aside by MARK, and the memo."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}
        self.result: Any = None

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode]())
        elif opcode in _ARGUMENTS:
            self.stack.append(argument)
        elif opcode in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif opcode in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif opcode == "GLOBAL":
            self.stack.append(self._named(argument.replace(" ", ".", 1)))
        elif opcode in _STEPS:
            _STEPS[opcode](self)
        elif opcode not in ("PROTO", "FRAME"):
            raise self._refused(f"instruction {opcode}")

    def push(self, item: Any) -> None:
        self.stack.append(item)

    def pop_mark(self) -> list[Any]:
        """Return what was pushed since the last MARK, and go back to the stack before it."""
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def _named(self, name: str) -> Name:
        if name not in NAMES:
            raise self._refused(f"'{name[:80]!s}'".replace("\n", " "), whole_module=_is_module(name))
        return NAMES[name]

    def _refused(self, what: str, whole_module: bool = False) -> ModelError:
        if whole_module:
            return ModelError(
                f"weights {self.where} holds a whole pickled model ({what}), which only running its code could load; "
                f"{SAVE_TENSORS}"
            )
        return ModelError(
            f"weights {self.where} asks for {what}: loading it would run code, and tensors alone are accepted; if you "
            f"trust the file, load it in PyTorch and {SAVE_TENSORS}"
        )

    def stop(self) -> None:
        self.result = self.stack.pop()

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(self._named(f"{module}.{name}"))

    def reduce(self) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, Name) or name.build is None:
            raise ValueError("a call of something that is no function")
        self.stack.append(name.build(*arguments))

    def build(self) -> None:
        self.stack.pop()  # a state dict's `_metadata`, versions of modules; a NumPy type's byte order
        if not isinstance(self.stack[-1], (dict, Dtype)):
            raise ValueError("attributes set on something that has none")

    def persistent(self) -> None:
        kind, *fields = self.stack.pop()
        if kind == "module":
            raise self._refused("a module", whole_module=True)
        if kind != "storage" or len(fields) not in (4, 5) or (len(fields) == 5 and fields[4] is not None):
            raise ValueError("not a storage")
        storage_type, key, _, count = fields[:4]
        if not isinstance(storage_type, Name) or not isinstance(key, str) or not is_count(count):
            raise ValueError("not a storage")
        if storage_type.build is not None:
            raise ValueError("not a storage")
        storage = Storage(key, storage_type.dtype, count)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError("one storage of two sizes")
        self.stack.append(storage)

    def set_items(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict) or len(items) % 2:
            raise ValueError("items set on what is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, (str, int, float, bool, type(None))):
                raise ValueError("a dict's key is neither text nor number")  # hashing nested tuples can take for ever
            self.stack[-1][key] = value

    def append_items(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError("items appended to what is no list")
        self.stack[-1].extend(items)

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise ValueError("the stack is empty")
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.stack.append(items)

    def dict_of(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self.set_items(items)


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_ARGUMENTS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_STEPS: dict[str, Callable[[_Machine], Any]] = {
    "STOP": _Machine.stop,
    "MARK": _Machine.mark,
    "POP": lambda m: m.stack.pop() if m.stack else m.pop_mark(),
    "POP_MARK": _Machine.pop_mark,
    "DUP": lambda m: m.stack.append(m.stack[-1]),
    "MEMOIZE": lambda m: m.memo.__setitem__(len(m.memo), m.stack[-1]),
    "TUPLE": lambda m: m.push(tuple(m.pop_mark())),
    "TUPLE1": lambda m: m.tuple_of(1),
    "TUPLE2": lambda m: m.tuple_of(2),
    "TUPLE3": lambda m: m.tuple_of(3),
    "LIST": lambda m: m.push(m.pop_mark()),
    "DICT": _Machine.dict_of,
    "APPEND": lambda m: m.append_items([m.stack.pop()]),
    "APPENDS": lambda m: m.append_items(m.pop_mark()),
    "SETITEM": lambda m: m.set_items([m.stack.pop(), m.stack.pop()][::-1]),
    "SETITEMS": lambda m: m.set_items(m.pop_mark()),
    "STACK_GLOBAL": _Machine.stack_global,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
}


def _is_module(name: str) -> bool:
    return name.startswith(("torch.nn.modules.", "torchvision.", "timm.", "segmentation_models_pytorch.", "__main__."))
