"""How much a pickle would grow, told from its opcodes without making anything of it.

A few bytes of a pickle can put one list twice into another, that one twice into the next, and so
on: showing or comparing the last one would never end, and a tuple inside tuples a hundred thousand
times over makes Python itself crash when it is hashed. No file of weights is like that.
"""

import pickletools
from collections.abc import Iterable
from typing import IO

MOST_VALUES = 2_000_000
"""Containers inside the largest one, counted again wherever they stand."""
DEEPEST = 500
"""Containers inside each other."""

TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
OPENED = {"EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "LIST", "DICT", "FROZENSET", "REDUCE", "NEWOBJ"}
FILLED = {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS"}
MEMOIZED = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
FETCHED = {"GET", "BINGET", "LONG_BINGET"}


class Node:
    """Something on the unpickler's stack, and the containers inside it."""

    __slots__ = ("depth", "holds", "inside", "parents", "size", "waiting")

    def __init__(self, inside: Iterable["Node"] = (), *, holds: bool = True) -> None:
        self.holds = holds
        self.inside: list[Node] = []
        self.parents: list[Node] = []
        self.size = self.depth = 1
        self.waiting = 0
        self.fill(inside)

    def fill(self, nodes: Iterable["Node"]) -> None:
        """Put containers into this one."""
        if self.holds:
            self.inside += [node for node in nodes if node.holds]


PLAIN, MARK = Node(holds=False), Node(holds=False)
"""A number, a text or a class; and where the arguments of an opcode begin."""


def refuse_growing(file: IO[bytes]) -> None:
    """Read one pickle's opcodes.

    Args:
        file: at its beginning; afterwards just behind its end.

    Raises:
        ValueError: if it is no pickle, or one that would grow or nest beyond reason.
    """
    nodes = _containers(file)
    for node in nodes:
        node.waiting = len(node.inside)
        for inner in node.inside:
            inner.parents.append(node)
    ready = [node for node in nodes if not node.waiting]
    for node in ready:  # grows while it is gone through: what has all its contents measured
        if node.size > MOST_VALUES or node.depth > DEEPEST:
            raise ValueError("it would grow beyond reason")
        for outer in node.parents:
            outer.size += node.size
            outer.depth = max(outer.depth, node.depth + 1)
            outer.waiting -= 1
            if not outer.waiting:
                ready.append(outer)
    if len(ready) < len(nodes):
        raise ValueError("something in it holds itself")


def _containers(file: IO[bytes]) -> list[Node]:
    """All containers that a pickle makes, with what it puts into each."""
    stack: list[Node] = []
    memo: dict[int, Node] = {}
    nodes: list[Node] = []
    for opcode, argument, _ in pickletools.genops(file):
        name = opcode.name
        if name in MEMOIZED:
            memo[len(memo) if argument is None else int(argument)] = stack[-1]
        elif name in FETCHED:
            stack.append(memo.get(int(argument or 0), PLAIN))
        else:
            nodes += _step(name, opcode, stack)
    return nodes


def _step(name: str, opcode: pickletools.OpcodeInfo, stack: list[Node]) -> list[Node]:
    """Do to the stack what an opcode does; the containers that it makes."""
    taken = _take(opcode, stack)
    if name in FILLED:
        taken[0].fill(taken[1:])
        stack.append(taken[0])
        return []
    if name in TUPLES or name in OPENED:
        made = Node(taken)
        stack.append(made)
        return [made]
    if name == "BUILD":
        stack.append(taken[0])
    elif name == "DUP":
        stack += [taken[0], taken[0]]
    else:
        stack += [MARK if one is pickletools.markobject else PLAIN for one in opcode.stack_after]
    return []


def _take(opcode: pickletools.OpcodeInfo, stack: list[Node]) -> list[Node]:
    """What an opcode takes from the stack, without the mark."""
    before = opcode.stack_before
    above: list[Node] = []
    fixed = len(before)
    if pickletools.markobject in before:
        fixed = before.index(pickletools.markobject)
        while (top := _pop(stack)) is not MARK:
            above.append(top)
    below = [_pop(stack) for _ in range(fixed)]
    return [*reversed(below), *reversed(above)]


def _pop(stack: list[Node]) -> Node:
    if not stack:
        raise ValueError("it takes more than it has")
    return stack.pop()
