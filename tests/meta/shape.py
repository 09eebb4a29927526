"""Measure how plainly the tree is written, by its syntax: `python -m tests.meta.shape [CHECKOUT] [CHECKOUT]`.

Two checkouts are printed side by side, as before and after. `python -m tests.meta.shape --where [CHECKOUT]` lists what
is counted, by module. What each row counts stands at its function; the limits are in test_shape.py.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("velox_site", "lab", "trading", "timeseries")
WORDS = frozenset({"found", "known", "one", "part", "said", "made", "chosen", "told", "more", "there", "shown"})
EMPTY_WORDS = frozenset({"got", "given", "item", "thing", "data", "value", "result"})
# Every script outside calls these: docs/promises.md lists them.
PROMISED = frozenset({"trading.data_manager", "velox_site.logs", "velox_site.desk"})
# Decorators that change what a function is. All others hand it to somebody: a route, a task, a column of the admin.
INNER_DECORATORS = frozenset(
    re.findall(
        r"\w+",
        """property cached_property setter staticmethod classmethod abstractmethod contextmanager asynccontextmanager
        cache lru_cache wraps overload override final atomic total_ordering singledispatch""",
    )
)
# Methods that Django, its admin, logging, threads, HTTP or Celery call by name on a class that inherits from theirs.
FRAMEWORK_METHODS = frozenset(
    re.findall(
        r"\w+",
        """save delete clean clean_fields full_clean get_absolute_url from_db from_db_value to_python
        get_prep_value get_db_prep_value get_db_prep_save db_type deconstruct formfield contribute_to_class
        prepare_value pre_save validate value_to_string get_queryset create bulk_create bulk_update update ready handle
        add_arguments execute create_parser print_help run_from_argv process_request process_response
        process_view process_exception is_valid as_sql resolve_expression database_forwards database_backwards
        state_forwards get_new_connection get_connection_params init_connection_state create_cursor is_usable
        has_add_permission has_change_permission has_delete_permission has_view_permission
        has_module_permission get_readonly_fields get_fields get_fieldsets get_form get_list_display
        get_list_filter get_search_results get_urls get_inlines get_inline_instances get_actions
        get_changelist get_changelist_instance get_ordering get_object get_extra get_max_num get_formset
        get_deleted_objects save_model save_related delete_model delete_queryset render_change_form
        changelist_view change_view add_view delete_view history_view response_change log_addition log_change
        log_deletion log_deletions formfield_for_dbfield formfield_for_foreignkey formfield_for_choice_field
        formfield_for_manytomany lookups choices queryset lookup_allowed each_context changeform_view
        has_output view_on_site set_autocommit putrequest get_app_list login logout index has_permission
        password_change user_change_password dispatch get post form_valid form_invalid get_form_kwargs
        get_context_data get_success_url get_redirect_url emit format filter flush close acquire release run
        start connect request send recv urlopen getresponse setup_schedule schedule_changed tick sync
        apply_entry is_due reserve""",
    )
)
_TYPE_NAME = re.compile(r"_?[A-Z]\w*[a-z]\w*")
_NO_DEFINITIONS = frozenset({"Meta", "Command", "Migration"})
_TYPE_IGNORE = re.compile(r"#\s*type:\s*ignore")


@dataclass(frozen=True)
class Module:
    name: str
    tree: ast.Module
    nodes: list[ast.AST]
    text: str
    imports: dict[str, str]
    """Local name to the full name it was imported as."""


@dataclass(frozen=True)
class Function:
    module: Module
    node: ast.FunctionDef | ast.AsyncFunctionDef
    owner: ast.ClassDef | None
    nested: bool


@dataclass(frozen=True)
class Tree:
    """The modules of some packages, and the templates that call them."""

    modules: dict[str, Module]
    templates: str = ""
    pages: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_sources(cls, sources: dict[str, str], templates: str = "", pages: dict[str, str] | None = None) -> Tree:
        """Parse sources by module name."""
        return cls({name: _module(name, text) for name, text in sources.items()}, templates, pages or {})

    @classmethod
    def of_checkout(cls, root: Path) -> Tree:
        """Read the packages without migrations, their templates, and every text that people read."""
        paths = [
            path
            for package in PACKAGES
            for path in sorted((root / package).rglob("*.py"))
            if "migrations" not in path.parts
        ]
        sources = {module_name(path.relative_to(root)): path.read_text(encoding="utf-8") for path in paths}
        templates = "\n".join(path.read_text(encoding="utf-8") for path in (root / "trading").rglob("*.html"))
        return cls.of_sources(sources, templates, dict(_pages(root)))

    @cached_property
    def template_words(self) -> frozenset[str]:
        """Every word of the templates."""
        return frozenset(re.findall(r"\w+", self.templates))

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of every module."""
        return [node for module in self.modules.values() for node in module.nodes]

    @cached_property
    def functions(self) -> list[Function]:
        """Every function and method, those inside functions too."""
        return [function for module in self.modules.values() for function in _functions(module)]

    @cached_property
    def attributes(self) -> dict[str, set[str]]:
        """Attribute, or text that is a plain name, to the modules where it stands."""
        places: dict[str, set[str]] = defaultdict(set)
        for module in self.modules.values():
            for node in module.nodes:
                if isinstance(node, ast.Attribute):
                    places[node.attr].add(module.name)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                    places[node.value].add(module.name)
        return places

    @cached_property
    def references(self) -> dict[str, set[str]]:
        """Full name of what a module of the tree defines, to the other modules that name it."""
        places: dict[str, set[str]] = defaultdict(set)
        for module in self.modules.values():
            for full_name in module.imports.values():
                places[full_name].add(module.name)
            for node in module.nodes:
                if isinstance(node, ast.Attribute):
                    first, _, rest = _path(node).partition(".")
                    if first in module.imports and rest:
                        places[f"{module.imports[first]}.{rest}"].add(module.name)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
                    places[node.value.replace(":", ".")].add(module.name)
        return places

    @cached_property
    def classes(self) -> dict[str, list[ast.ClassDef]]:
        """Class name to its definitions."""
        by_name: dict[str, list[ast.ClassDef]] = defaultdict(list)
        for node in self.nodes:
            if isinstance(node, ast.ClassDef):
                by_name[node.name].append(node)
        return by_name

    @cached_property
    def base_names(self) -> frozenset[str]:
        """Names of the classes that a class of the tree inherits from."""
        return frozenset(_last_name(base) for each in self.classes.values() for node in each for base in node.bases)


def module_name(path: Path) -> str:
    """Return the dotted name of a source file's path."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def flat_modules(tree: Tree) -> list[str]:
    """Return the modules that lie directly in `timeseries/`, without `__init__`."""
    packages = {name.rpartition(".")[0] for name in tree.modules}
    return [name for name in tree.modules if re.fullmatch(r"timeseries\.\w+", name) and name not in packages]


def word_uses(tree: Tree, words: frozenset[str]) -> Counter[str]:
    """Count variables and arguments called so, at every place where one stands; attributes and keywords are free."""
    return Counter(name for name in map(_variable, tree.nodes) if name in words)


def plainly_private(tree: Tree) -> tuple[int, int]:
    """Return how many functions begin with an underscore (`__init__` and its kind do not), and how many there are."""
    names = [function.node.name for function in tree.functions]
    return sum(name.startswith("_") and not name.endswith("__") for name in names), len(names)


def private_functions(tree: Tree) -> list[Function]:
    """Return the functions that nothing outside their own module uses.

    Public is what has no leading underscore and is named by another module, a template or a decorator that hands it
    on (a URL names its view in another module), belongs to what scripts outside call, or is a method that a framework
    or protocol calls. `__init__` and its kind are public.
    """
    protocols = _protocols(tree)
    return [function for function in tree.functions if not _is_public(tree, function, protocols)]


def any_uses(tree: Tree) -> int:
    """Count the name `Any`, or another name of it; imports are free, as is a type that holds it where it is used."""
    aliases = {"Any"}
    for node in tree.nodes:
        if isinstance(node, ast.ImportFrom):
            aliases |= {name.asname for name in node.names if name.name == "Any" and name.asname}
    # A name for Any may be named again, in a module that is read later.
    while fresh := {name for name, meaning in _aliases(tree) if _members(meaning) & aliases} - aliases:
        aliases |= fresh
    uses = 0
    for node in tree.nodes:
        if isinstance(node, ast.Name):
            uses += node.id in aliases and isinstance(node.ctx, ast.Load)
        elif isinstance(node, ast.Attribute):
            uses += node.attr == "Any"
        else:
            uses += sum(len(re.findall(r"\bAny\b", text)) for text in _quoted_types(node))
    return uses


def type_ignores(tree: Tree) -> int:
    """Count the comments `type: ignore`."""
    return sum(
        token.type == tokenize.COMMENT and bool(_TYPE_IGNORE.search(token.string))
        for module in tree.modules.values()
        if "ignore" in module.text
        for token in tokenize.generate_tokens(io.StringIO(module.text).readline)
    )


def casts(tree: Tree) -> int:
    """Count the calls of `typing.cast`."""
    return sum(isinstance(node, ast.Call) and _path(node.func) in ("cast", "typing.cast") for node in tree.nodes)


def objects(tree: Tree) -> int:
    """Count `object` in the types of arguments, answers, variables and in module-level names of types."""
    types = [annotation for node in tree.nodes for annotation in _annotations(node)]
    types += [meaning for _, meaning in _aliases(tree)]
    return sum(isinstance(node, ast.Name) and node.id == "object" for root in types for node in ast.walk(root))


def repeated_types(tree: Tree) -> dict[str, list[str]]:
    """Return the class names and module-level names of types that two or more modules define, with the modules."""
    places: dict[str, set[str]] = defaultdict(set)
    for module in tree.modules.values():
        for node in module.tree.body:
            name = node.name if isinstance(node, ast.ClassDef) else (_alias(node) or ("", node))[0]
            if name and name not in _NO_DEFINITIONS:
                places[name].add(module.name)
    return {name: sorted(modules) for name, modules in sorted(places.items()) if len(modules) > 1}


def citations(tree: Tree) -> list[str]:
    """Return the places where a docstring, a comment or a page cites the page that is not in this repository."""
    word = re.compile(r"\bF" + r"ACE\b(\.md)?")
    return [
        f"{place}:{number}"
        for place, text in tree.pages.items()
        for number, line in enumerate(text.splitlines(), 1)
        if word.search(line)
    ]


def table(tree: Tree) -> dict[str, str]:
    """Return every measure of one tree as text, by what it is called."""
    private, plain = private_functions(tree), plainly_private(tree)
    return {
        "modules directly in timeseries/": str(len(flat_modules(tree))),
        "private functions, by use": _share(len(private), len(tree.functions)),
        "private functions, by name": _share(*plain),
        "words that say nothing": str(word_uses(tree, WORDS).total()),
        "words as empty": str(word_uses(tree, EMPTY_WORDS).total()),
        "types defined twice": str(len(repeated_types(tree))),
        "citations of a page elsewhere": str(len(citations(tree))),
        "Any": str(any_uses(tree)),
        "type: ignore": str(type_ignores(tree)),
        "cast": str(casts(tree)),
        "object as a type": str(objects(tree)),
    }


def _module(name: str, text: str) -> Module:
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    imports: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            # `import a.b` binds `a`; the rest of the path stands at each use.
            imports |= {(n.asname or n.name.partition(".")[0]): (n.asname and n.name) or n.name.partition(".")[0]
                        for n in node.names}  # fmt: skip
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports |= {(n.asname or n.name): f"{node.module}.{n.name}" for n in node.names}
    return Module(name, tree, nodes, text, imports)


def _pages(root: Path) -> Iterator[tuple[str, str]]:
    folders = (*PACKAGES, "tests", "bench", "examples", "docs", "findings")
    paths = [*root.glob("*.md"), *(path for folder in folders for path in sorted((root / folder).rglob("*")))]
    for path in paths:
        if path.suffix in (".py", ".md", ".html", ".css", ".sh"):
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def _functions(module: Module) -> Iterator[Function]:
    def inside(node: ast.AST, owner: ast.ClassDef | None, nested: bool) -> Iterator[Function]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield Function(module, child, owner, nested)
                yield from inside(child, None, True)
            else:
                yield from inside(child, child if isinstance(child, ast.ClassDef) else owner, nested)

    return inside(module.tree, None, False)


def _is_public(tree: Tree, function: Function, protocols: list[frozenset[str]]) -> bool:
    name, module = function.node.name, function.module
    if name.startswith("__") and name.endswith("__"):
        return True
    if name.startswith("_"):
        return False
    if any(_last_name(decorator) not in INNER_DECORATORS for decorator in function.node.decorator_list):
        return True
    if function.nested:
        return False
    if module.name in PROMISED or name in tree.template_words:
        return True
    if function.owner is None:
        named = tree.references[f"{module.name}.{name}"] | tree.references[f"{module.name.rpartition('.')[0]}.{name}"]
        return bool(named - {module.name}) or _is_started(module, name)
    return (
        bool(tree.attributes[name] - {module.name})
        or _is_called_by_a_framework(tree, function.owner, name)
        or _implements(function.owner, name, protocols)
        or _overrides(tree, function.owner, name)
        or _is_listed(function.owner, name)
    )


def _is_called_by_a_framework(tree: Tree, owner: ast.ClassDef, name: str) -> bool:
    """Say whether a class that inherits, or is inherited, has a method that is called by its name."""
    inherits = bool(owner.bases) or owner.name in tree.base_names
    return inherits and (name in FRAMEWORK_METHODS or name.startswith("clean_"))


def _is_started(module: Module, name: str) -> bool:
    """Say whether `python -m MODULE` calls the function."""
    guards = [node for node in module.tree.body if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)]
    return any(isinstance(node, ast.Name) and node.id == name for guard in guards for node in ast.walk(guard))


def _protocols(tree: Tree) -> list[frozenset[str]]:
    classes = [each for definitions in tree.classes.values() for each in definitions]
    return [
        frozenset(_methods(each)) for each in classes if any(_last_name(b) in ("Protocol", "ABC") for b in each.bases)
    ]


def _implements(owner: ast.ClassDef, name: str, protocols: list[frozenset[str]]) -> bool:
    methods = frozenset(_methods(owner))
    return any(name in protocol and protocol <= methods for protocol in protocols)


def _overrides(tree: Tree, owner: ast.ClassDef, name: str) -> bool:
    """Say whether a class of the tree that `owner` inherits from has the method."""
    bases = [each for base in owner.bases for each in tree.classes.get(_last_name(base), []) if each is not owner]
    return any(name in _methods(each) or _overrides(tree, each, name) for each in bases)


def _is_listed(owner: ast.ClassDef, name: str) -> bool:
    """Say whether an assignment of the class names the method, as `list_display` of the admin does."""
    values = [node.value for node in owner.body if isinstance(node, ast.Assign | ast.AnnAssign) and node.value]
    return any(isinstance(n, ast.Constant) and n.value == name for root in values for n in ast.walk(root))


def _methods(owner: ast.ClassDef) -> list[str]:
    return [node.name for node in owner.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _variable(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name) | ast.arg(arg=name):
            return name
        case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name):
            return name
        case ast.MatchMapping(rest=name) | ast.alias(asname=name):
            return name
    return None


def _annotations(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.arg(annotation=annotation) | ast.AnnAssign(annotation=annotation):
            return [annotation] if annotation else []
        case ast.FunctionDef(returns=annotation) | ast.AsyncFunctionDef(returns=annotation):
            return [annotation] if annotation else []
        case ast.Call(func=ast.Name(id="cast"), args=[annotation, *_]):
            return [annotation]
    return []


def _quoted_types(node: ast.AST) -> Iterator[str]:
    for annotation in _annotations(node):
        for each in ast.walk(annotation):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.value


def _aliases(tree: Tree) -> Iterator[tuple[str, ast.expr]]:
    for module in tree.modules.values():
        yield from (alias for node in module.tree.body if (alias := _alias(node)))


def _alias(node: ast.AST) -> tuple[str, ast.expr] | None:
    """Return name and meaning of a module-level name of a type, in each of the ways to write one."""
    match node:
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=meaning)
            | ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias"), value=ast.expr() as meaning)
        ):
            # `Name = module.Name` hands the name on and defines none.
            is_type = isinstance(meaning, ast.Subscript | ast.BinOp | ast.Name | ast.Attribute) and not _ends_with(
                meaning, name
            )
            named = isinstance(meaning, ast.Call) and _last_name(meaning) in ("NamedTuple", "TypedDict", "NewType")
            return (name, meaning) if _TYPE_NAME.fullmatch(name) and (is_type or named) else None
    if type(node).__name__ == "TypeAlias":  # `type Name = ...`, of Python 3.12
        return node.name.id, node.value  # type: ignore[attr-defined]
    return None


def _members(meaning: ast.expr) -> set[str]:
    """Return the names that a type may be: its own, or those of a union."""
    if isinstance(meaning, ast.BinOp):
        return _members(meaning.left) | _members(meaning.right)
    if isinstance(meaning, ast.Subscript) and _last_name(meaning.value) in ("Union", "Optional", "Annotated"):
        inner = meaning.slice.elts if isinstance(meaning.slice, ast.Tuple) else [meaning.slice]
        return {name for each in inner for name in _members(each)}
    return {_last_name(meaning)} if isinstance(meaning, ast.Name | ast.Attribute) else set()


def _last_name(node: ast.expr) -> str:
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _path(node: ast.AST) -> str:
    """Return the dotted path of an attribute of a name, else an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    path = _path(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{path}.{node.attr}" if isinstance(node, ast.Attribute) and path else ""


def _ends_with(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name


def _share(count: int, total: int) -> str:
    return f"{count} of {total} = {100 * count / max(1, total):.1f} %"


def where(tree: Tree) -> Iterator[str]:
    """Yield, by module, the private functions and the words that say nothing; then types and citations."""
    private: dict[str, list[str]] = defaultdict(list)
    for function in private_functions(tree):
        owner = f"{function.owner.name}." if function.owner else ""
        private[function.module.name].append(f"{owner}{function.node.name}")
    for name, module in tree.modules.items():
        words = Counter(word for word in map(_variable, module.nodes) if word in WORDS | EMPTY_WORDS)
        if private[name]:
            yield f"{name}: private {len(private[name])}: {' '.join(private[name])}"
        if words:
            yield f"{name}: words {words.total()}: {' '.join(f'{word} {count}' for word, count in words.items())}"
    yield from (f"{name}: defined in {', '.join(modules)}" for name, modules in repeated_types(tree).items())
    yield from (f"{place}: cites a page elsewhere" for place in citations(tree))


def main(arguments: list[str]) -> None:
    """Print the table of this tree, or of other checkouts side by side; with `--where` what is counted."""
    roots = [Path(argument) for argument in arguments if argument != "--where"] or [ROOT]
    if "--where" in arguments:
        print("\n".join(line for root in roots for line in where(Tree.of_checkout(root))))
        return
    columns = [table(Tree.of_checkout(root)) for root in roots]
    for name in columns[0]:
        print(f"{name:34}" + "".join(f"{column[name]:>26}" for column in columns))


if __name__ == "__main__":
    main(sys.argv[1:])
