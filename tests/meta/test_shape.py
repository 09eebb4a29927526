"""How plainly the tree is written: limits that it may not pass, each shown to catch a planted example."""

from __future__ import annotations

from functools import cache

import pytest

from tests.meta import shape
from tests.meta.shape import EMPTY_WORDS, WORDS, Tree

# The limits in one place. What falls below one for good takes its limit along.
MODULES_MAX = 9
WORDS_MAX = 20
EMPTY_WORDS_MAX = 230
PRIVATE_SHARE_MAX = 0.30  # by name
# By use it is more: a broker's format is read from top to bottom, and only its registry calls it.
USED_INSIDE_SHARE_MAX = 0.34
ANY_MAX = 190
TYPE_IGNORES_MAX = 18
CASTS_MAX = 2
OBJECTS_MAX = 12
CITATIONS_MAX = 0
# Names that two modules may define, each with its reason.
TYPES_TWICE = {
    "Head": "the end of a journal's chain, and the head that a charge stands under",
    "Signal": "the ledger's row, and the frozen value that the facade answers with",
    "Strategy": "the ledger's row, and what strategies of one's own inherit from (trading.strategies.base)",
    "Trade": "the ledger's row, and the frozen value that the facade answers with",
}


@cache
def tree() -> Tree:
    return Tree.of_checkout(shape.ROOT)


def test_few_modules_lie_directly_in_the_telemetry_package() -> None:
    assert len(shape.flat_modules(tree())) <= MODULES_MAX, shape.flat_modules(tree())


def test_variables_are_nouns_of_the_field() -> None:
    uses = shape.word_uses(tree(), WORDS)
    assert uses.total() <= WORDS_MAX, uses


def test_no_other_word_as_empty_takes_their_place() -> None:
    uses = shape.word_uses(tree(), EMPTY_WORDS)
    assert uses.total() <= EMPTY_WORDS_MAX, uses


def test_most_functions_are_used_outside_their_module() -> None:
    private = shape.private_functions(tree())
    assert len(private) / len(tree().functions) <= USED_INSIDE_SHARE_MAX
    by_name, functions = shape.plainly_private(tree())
    assert by_name / functions <= PRIVATE_SHARE_MAX


def test_types_are_said() -> None:
    assert shape.any_uses(tree()) <= ANY_MAX
    assert shape.type_ignores(tree()) <= TYPE_IGNORES_MAX
    assert shape.casts(tree()) <= CASTS_MAX
    assert shape.objects(tree()) <= OBJECTS_MAX


def test_a_name_of_a_type_is_defined_once_or_has_a_reason() -> None:
    assert set(shape.repeated_types(tree())) == set(TYPES_TWICE)


def test_nothing_cites_a_page_that_is_elsewhere() -> None:
    assert len(shape.citations(tree())) <= CITATIONS_MAX, shape.citations(tree())


# What each measure counts, on trees of a few lines.


def of(**sources: str) -> Tree:
    """Return a tree whose modules are called `trading.NAME`."""
    return Tree.of_sources({f"trading.{name}": source for name, source in sources.items()})


def private(tree: Tree) -> set[str]:
    return {function.node.name for function in shape.private_functions(tree)}


def test_modules_of_rooms_and_the_package_itself_are_not_counted_as_flat() -> None:
    names = ("timeseries", "timeseries.reader", "timeseries.spool", "timeseries.spool.lane", "trading.book")
    assert shape.flat_modules(Tree.of_sources(dict.fromkeys(names, ""))) == ["timeseries.reader"]


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("found = 1\nprint(found)", 2),
        ("def f(said, *more, **told): return said", 4),
        ("x = [one for one in rows]", 2),
        ("x = lambda part: part", 2),
        ("try: pass\nexcept OSError as found: pass", 1),
        ("match x:\n  case [known, *more]: pass", 2),
        ("import a as made", 1),
        ("row.found = f(found=row.known)", 0),
        ("'found'  # found", 0),
    ],
)
def test_a_word_counts_wherever_it_names_a_variable(source: str, count: int) -> None:
    assert shape.word_uses(of(a=source), WORDS).total() == count


def test_other_empty_words_are_counted_apart() -> None:
    module = of(a="def f(value): result = value")
    assert shape.word_uses(module, EMPTY_WORDS) == {"value": 2, "result": 1}
    assert shape.word_uses(module, WORDS).total() == 0


@pytest.mark.parametrize(
    "user",
    [
        "from trading.a import seal",
        "from trading import a\na.seal()",
        "import trading.a\ntrading.a.seal()",
        "import trading.a as other\nother.seal",
        "TASK = 'trading.a.seal'",
    ],
)
def test_a_function_is_public_where_another_module_uses_it(user: str) -> None:
    assert private(of(a="def seal(): pass", b=user)) == set()


def test_a_function_that_only_its_own_module_uses_is_private_whatever_it_is_called() -> None:
    assert private(of(a="def seal(): pass\nseal()", b="def _ship(): pass\nother.seal()")) == {"seal", "_ship"}


def test_an_underscore_is_private_even_where_another_module_reaches_for_it() -> None:
    assert private(of(a="def _seal(): pass", b="from trading.a import _seal")) == {"_seal"}


def test_templates_and_decorators_that_hand_on_are_users() -> None:
    page = "@require_safe\ndef overview(request): pass\ndef state(): pass\n@cache\ndef kept(): pass"
    assert private(Tree.of_sources({"trading.a": page}, templates="{{ desk.state }}")) == {"kept"}


def test_what_a_module_calls_when_it_is_started_is_public() -> None:
    assert private(of(a="def main(): pass\ndef seal(): pass\nif __name__ == '__main__':\n    main()")) == {"seal"}


def test_a_function_inside_a_function_is_private() -> None:
    assert private(of(a="def outer():\n    def inner(): pass", b="from trading.a import outer\nx.inner")) == {"inner"}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (
            "class C:\n    def __init__(self): pass\n    def seal(self): pass\n    def _ship(self): pass",
            {"seal", "_ship"},
        ),
        ("class C(BaseCommand):\n    def handle(self): pass\n    def seal(self): pass", {"seal"}),
        ("class C:\n    def handle(self): pass", {"handle"}),
        (
            "class P(Protocol):\n    def read(self): ...\nclass C:\n    def read(self): pass\n    def m(self): pass",
            {"m"},
        ),
        (
            "class P(Protocol):\n    def read(self): ...\n    def write(self): ...\nclass C:\n    def read(self): pass",
            {"read"},
        ),
        ("class B:\n    def seal(self): pass\nclass C(B):\n    def seal(self): pass", {"seal"}),
        ("class C(ModelAdmin):\n    list_display = ('won',)\n    def won(self): pass", set()),
    ],
)
def test_methods_that_a_framework_or_a_protocol_calls_are_public(source: str, names: set[str]) -> None:
    assert private(of(a=source)) - {"write"} == names


def test_a_method_is_public_where_another_module_names_it() -> None:
    seal = "class C:\n    def seal(self): pass"
    assert private(of(a=seal, b="C().seal()")) == set()
    assert private(of(a=seal, b="getattr(c, 'seal')")) == set()


def test_the_share_by_name_counts_underscores_only() -> None:
    assert shape.plainly_private(of(a="def _a(): pass\ndef b(): pass\ndef __getattr__(n): pass")) == (1, 3)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("from typing import Any", 0),
        ("from typing import Any\ndef f(x: Any) -> dict[str, Any]: y: list[Any] = []", 3),
        ("import typing\ndef f(x: typing.Any): pass", 1),
        ("def f(x: 'dict[str, Any]'): pass", 1),
        ("cast('Any', x)", 1),
        ("from typing import Any\nWhatever = Any\ndef f(x: Whatever, y: Whatever): pass", 3),
        ("from typing import Any as Whatever\ndef f(x: Whatever): pass", 1),
        ("Whatever: TypeAlias = Any | None\nAgain = Whatever\ndef f(x: Again): pass", 3),
        ("Row = dict[str, Any]\ndef f(x: Row): pass", 1),
    ],
)
def test_any_counts_by_every_name(source: str, count: int) -> None:
    assert shape.any_uses(of(a=source)) == count


def test_another_modules_name_for_any_counts_too() -> None:
    assert shape.any_uses(of(a="from trading.b import Whatever\nx: Whatever", b="Whatever = Any")) == 2


def test_what_could_stand_in_for_any_is_counted() -> None:
    module = of(
        a="x = f()  # type: ignore[arg-type]\ny = cast(int, x)\n"
        "def f(a: object, b: dict[str, object]) -> object: return object()\nRow = list[object]\n"
    )
    assert (shape.type_ignores(module), shape.casts(module), shape.objects(module)) == (1, 1, 4)


def test_types_defined_twice_are_classes_and_names_of_types() -> None:
    repeated = shape.repeated_types(
        of(
            a="class Part: pass\nRow = dict[str, int]\nclass Meta: pass\nT = TypeVar('T')\nSIZE = 4",
            b="Part = int | str\nclass Row: pass\nclass Meta: pass\nT = TypeVar('T')\nSIZE = 4",
            c="from trading.a import Part\nRow = a.Row\ndef f():\n    class Part: pass",
        )
    )
    assert repeated == {"Part": ["trading.a", "trading.b"], "Row": ["trading.a", "trading.b"]}


def test_citations_are_found_in_every_text() -> None:
    word = "FA" + "CE"
    pages = {"docs/a.md": f"As {word} says.\nA surface.", "trading/a.py": f'"""See {word}.md."""', "b.md": f"{word}S"}
    assert shape.citations(Tree.of_sources({}, pages=pages)) == ["docs/a.md:1", "trading/a.py:1"]
