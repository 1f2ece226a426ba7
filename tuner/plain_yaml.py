"""Reading YAML that anybody may have written: plain values, each said once, and not too many.

And writing it so that it is read back.
"""

import re
from typing import Any, ClassVar

import yaml

from trainables.spelling import shortened

MOST_CHARACTERS = 1_000_000
MOST_VALUES = 100_000
"""With everything that an alias stands for counted again wherever it stands."""
DEEPEST = 64
"""Lists and mappings inside each other."""

KINDS = ("bool", "float", "int", "map", "merge", "null", "seq", "str")
"""What is read: the values of JSON, and YAML's merging of mappings. No other tag means anything."""

_BREAKS = re.compile("[\x85\u2028\u2029]")
"""Line ends of YAML that PyYAML writes as they are; it reads the first one as a blank."""


def yaml_text(value: Any, **options: Any) -> str:
    """YAML that ``parse_yaml`` reads as the same value: of JSON's types, keys in their order.

    Args:
        value: what to write.
        options: of ``yaml.dump``, as ``width``.
    """
    settings = {"sort_keys": False, "allow_unicode": True, **options}
    return str(yaml.dump(value, Dumper=_Dumper, **settings))


def parse_yaml(text: str) -> Any:
    """The value that a YAML or JSON text holds: of JSON's types alone; dates are texts.

    Raises:
        ValueError: with what is wrong, without saying where the text is from.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"it has {len(text):,} characters, settings have at most {MOST_CHARACTERS:,}"
        )
    try:
        return yaml.load(text, _Loader)  # a SafeLoader that knows less
    except RefusedError:
        raise
    except Exception as error:  # YAML's own readers of numbers and tags raise anything
        raise ValueError(f"it is not YAML: {shortened(_reason(error), 400)}") from error


def _reason(error: Exception) -> str:
    """What is wrong and where; not the line itself, which may hold a password."""
    if not isinstance(error, yaml.YAMLError):
        return f"a value does not fit: {error}"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return str(error)
    place = error.problem_mark
    return f"{error.problem} in line {place.line + 1}, column {place.column + 1}"


class RefusedError(ValueError):
    """It is YAML, but not what anybody needs to write."""


class _Loader(yaml.SafeLoader):
    """Refuses what grows, nests without end, or is said twice, before anything is made of it."""

    yaml_constructors: ClassVar = {
        tag: make
        for tag, make in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in KINDS
    }
    yaml_implicit_resolvers = {  # noqa: RUF012 - of an instance, in its base class
        first: [pair for pair in pairs if pair[0].rpartition(":")[2] in KINDS]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._values = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A node, counted; an alias counts as much as what it stands for."""
        alias = self._alias()
        self._depth += 1
        if self._depth > DEEPEST:
            raise RefusedError(f"values must be nested at most {DEEPEST} deep")
        before = self._values
        node = super().compose_node(parent, index)
        self._depth -= 1
        if alias is None:
            self._values += 1
            self._sizes[id(node)] = self._values - before
        elif id(node) not in self._sizes:
            raise RefusedError(f"alias {alias!r} must not stand inside what it stands for")
        else:
            self._values += self._sizes[id(node)]
        if self._values > MOST_VALUES:
            raise RefusedError(f"it must hold at most {MOST_VALUES:,} values, aliases written out")
        return node

    def _alias(self) -> str | None:
        """The name of the alias that stands here, if one does."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        return event.anchor if isinstance(event, yaml.AliasEvent) else None

    def compose_scalar_node(self, anchor: Any) -> Any:
        """A scalar; JSON's pairs of surrogates become the character that they mean."""
        node = super().compose_scalar_node(anchor)
        if not node.value.isascii():
            node.value = node.value.encode("utf-16", "surrogatepass").decode("utf-16")
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        """A mapping; a key that is said twice would hide what was said first."""
        node = super().compose_mapping_node(anchor)
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        first = {key.value: key for key in reversed(keys)}
        for key in keys:
            if first[key.value] is not key:
                line = key.start_mark.line + 1
                raise RefusedError(f"key {key.value!r} is there twice, again in line {line}")
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes texts that would otherwise be read as others."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """A text; with escapes if it holds line ends that YAML folds."""
        if not _BREAKS.search(data):
            return super().represent_str(data)
        return self.represent_scalar("tag:yaml.org,2002:str", data, style='"')


_Dumper.add_representer(str, _Dumper.represent_str)
