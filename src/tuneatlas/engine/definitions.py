"""A module as its top-level definitions: what each says, and the names and strings it uses.

What no output can show is left out: comments, docstrings, formatting, annotations of functions,
what type checkers alone read, and the words of what a run says to its user.
"""

import ast
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tuneatlas.engine.effects import (
    PLAIN,
    Chain,
    acts,
    attributes,
    binds,
    called,
    changes,
    holds,
    is_get_logger,
    last,
    outside_functions,
)

# Exceptions that end a step, and what is told by them: nobody keeps their words. Those of any other
# exception count, as a step may keep them as data; see `tuneatlas.errors`.
UNKEPT = frozenset({"UserError", "TransientError"})
REFUSAL = "Refusal"
LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
# Calls in a line of a log that change nothing, so that it can be left out whole.
HARMLESS = frozenset(
    {"len", "str", "repr", "int", "float", "bool", "round", "sum", "min", "max", "sorted", "type"}
    | {"list", "set", "tuple", "dict", "join", "format", "keys", "values", "items", "dumps"}
)
# What reaches names of its module or function that are written nowhere.
HIDING = frozenset({"__name__", "__import__", "eval", "exec", "globals", "locals"})
# Names of a module's statements that define nothing, of those it runs as a program, and of all.
BODY, MAIN, ALL = "(body)", "(main)", "(all)"

IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Definition:
    """What a definition says and uses, whatever its names stand for.

    ``chains`` are its dotted names; ``imports`` and ``importing``, as of a module, within it.
    ``called`` is what its definition calls, at once, each with the names handed to it; ``holds``: a
    call of it only keeps what it is handed, as that of a dataclass; ``changes``: a call of it may
    change what others see; ``acts``: so may its definition.
    """

    sha256: str
    chains: frozenset[Chain]
    strings: frozenset[str]
    imports: Mapping[str, frozenset[str]]
    importing: frozenset[str]
    called: frozenset[tuple[Chain, frozenset[Chain]]]
    holds: bool
    changes: bool
    acts: bool


class Module:
    """The statements of a module, by the names that they define.

    A name that is bound more than once is all that it is bound to. ``imports`` are the top-level
    names that stand for others, dotted; ``importing`` is all that is imported when it is.
    """

    def __init__(self, text: str, path: str) -> None:
        """Raises SyntaxError or ValueError if the text is no Python."""
        self.statements: defaultdict[str, list[ast.stmt]] = defaultdict(list)
        self.imports: defaultdict[str, set[str]] = defaultdict(set)
        self.importing: set[str] = set()
        self.loggers: set[str] = set()
        self._definitions: dict[str, Definition] = {}
        tree = ast.parse(text, path)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                raise ValueError(f"line {node.lineno}: a relative import: use an absolute one")
        imports = []
        for statement in _said(tree.body):
            if isinstance(statement, IMPORTS):
                imports.append(statement)
            else:
                for name in self._names(statement):
                    self.statements[name].append(statement)
        for statement in [*imports, *self._conditional_imports()]:
            for alias, target, what in imported(statement):
                self.imports[alias].add(target)
                self.importing.add(what)
        # What is imported and not used is imported for what that does.
        used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        self.idle = {t for a, targets in self.imports.items() if a not in used for t in targets}

    def _conditional_imports(self) -> Iterator[ast.Import | ast.ImportFrom]:
        for statement in self.statements.get(BODY, ()):
            yield from (n for n in outside_functions(statement) if isinstance(n, IMPORTS))

    def _names(self, statement: ast.stmt) -> Iterable[str]:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                # Hooks of a module, such as __getattr__, are called without being named.
                own = statement.name
                return [own, BODY] if own.startswith("__") else [own]
            case ast.ClassDef():
                return [statement.name]
            case ast.Assign(targets=targets) if all(map(_is_plain_target, targets)):
                elements = (e for t in targets for e in getattr(t, "elts", [t]))
                names = [e.id for e in elements if isinstance(e, ast.Name)]
                walrus = (n for n in outside_functions(statement) if isinstance(n, ast.NamedExpr))
                names += [n.target.id for n in walrus]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case ast.If(test=test, orelse=[]) if _is_main(test):
                return [MAIN]
            case _:
                inner = list(outside_functions(statement))
                bound = {n.id for n in inner if isinstance(n, ast.Name) and binds(n)}
                named = {getattr(n, "name", None) for n in inner}
                return [BODY, *bound, *(name for name in named if name)]
        if is_get_logger(statement.value):
            self.loggers.update(names)
        return names

    def definition(self, name: str) -> Definition:
        """What ``name`` stands for."""
        if name not in self._definitions:
            self._definitions[name] = _Reader(self).read(self.statements.get(name, ()))
        return self._definitions[name]


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str, str]]:
    """Each name that an import binds, what that stands for, and what is imported; all dotted.

    The name of all that a module holds is a star, which stands for the module.
    """
    for alias in node.names:
        if isinstance(node, ast.Import):
            # Of `import a.b`, a is the name.
            name = alias.asname or alias.name.split(".")[0]
            yield name, alias.name if alias.asname else name, alias.name
        elif alias.name == "*":
            yield "*", node.module or "", node.module or ""
        else:
            whole = f"{node.module}.{alias.name}"
            yield alias.asname or alias.name, whole, whole


class _Reader:
    """One pass over a definition: a text of all that counts, and what is named in it."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.said: list[str] = []
        self.chains: set[Chain] = set()
        self.strings: set[str] = set()
        self.imports: defaultdict[str, set[str]] = defaultdict(set)
        self.importing: set[str] = set()
        self.in_class = False
        # Variables that hold words for the user and nothing else, and whether such are read now.
        self.wording: set[str] = set()
        self.muted = False

    def read(self, statements: Sequence[ast.stmt]) -> Definition:
        self._body(statements)
        for name in sorted({chain[0] for chain in self.chains} & self.module.imports.keys()):
            self.said.append(f"{name}: {sorted(self.module.imports[name])}")
        return Definition(
            hashlib.sha256("\n".join(self.said).encode(errors="surrogatepass")).hexdigest(),
            frozenset(self.chains),
            frozenset(self.strings),
            {name: frozenset(targets) for name, targets in self.imports.items()},
            frozenset(self.importing),
            called=frozenset(call for s in statements for call in called(s)),
            holds=all(map(holds, statements)),
            changes=any(map(changes, statements)),
            acts=any(map(acts, statements)),
        )

    def _body(self, statements: Sequence[ast.stmt]) -> None:
        self.said.append("{")
        for statement in _said(statements):
            self._statement(statement)
        self.said.append("}")

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node)
            case ast.ClassDef():
                self.said += ["class", node.name]
                self._any([node.decorator_list, node.bases, node.keywords])
                outside, self.in_class = self.in_class, True
                self._body(node.body)
                self.in_class = outside
            case ast.AnnAssign() if not self.in_class:
                self._any(["=", node.target, node.value])
            case ast.Raise(exc=ast.Call(func=func)) if last(func) in UNKEPT:
                self._any(["raise", func])
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if self._is_wording(name):
                self.said += ["words", name]
                outer, self.muted = self.muted, True
                self._any(value)
                self.muted = outer
            case ast.Expr(value=ast.Call() as call) if self._is_log(call):
                self._log(call)
            case ast.Import() | ast.ImportFrom():
                for alias, target, what in imported(node):
                    self.said.append(f"import {alias}: {target}")
                    self.imports[alias].add(target)
                    self.importing.add(what)
            case ast.AugAssign(target=ast.Name() as changed):
                self.chains.add((changed.id,))
                outer, self.muted = self.muted, self._is_wording(changed.id)
                self._node(node)
                self.muted = outer
            case ast.Global(names=names):
                self.said += ["global", *names]
                self.chains.update((name,) for name in names)
            case _:
                self._node(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.said += [type(node).__name__, node.name]
        self._any(node.decorator_list)
        # Other decorators than these may read annotations.
        told = not all(last(decorator) in PLAIN for decorator in node.decorator_list)
        given = node.args
        single = [[a] if a else [] for a in (given.vararg, given.kwarg)]
        for kind in (given.posonlyargs, given.args, single[0], given.kwonlyargs, single[1]):
            self.said.append("/")
            for argument in kind:
                self.said.append(argument.arg)
                self._any(argument.annotation if told else None)
        self._any([given.defaults, given.kw_defaults, node.returns if told else None])
        outside, self.in_class = self.in_class, False
        before, self.wording = self.wording, self.wording | self._wording(node)
        self._body(node.body)
        self.in_class, self.wording = outside, before

    def _is_wording(self, name: str) -> bool:
        return name in self.wording and not self.in_class

    def _wording(self, function: ast.AST) -> set[str]:
        """Variables that are read only where words are left out, or for others of this kind."""
        nodes = list(ast.walk(function))
        if (HIDING | {"vars"}) & {n.id for n in nodes if isinstance(n, ast.Name)}:
            return set()
        found: defaultdict[str, list[ast.AST]] = defaultdict(list)
        others: set[str] = set()
        unheard: set[ast.AST] = set()
        for node in nodes:
            match node:
                case ast.ClassDef() | ast.Global() | ast.Nonlocal():
                    # What is bound within is read elsewhere, by other names.
                    inner = list(ast.walk(node))
                    others |= {n.id for n in inner if isinstance(n, ast.Name) and binds(n)}
                    others |= {*getattr(node, "names", ())}
                case (
                    ast.Assign(targets=[ast.Name() as variable])
                    | ast.AugAssign(target=ast.Name() as variable)
                ):
                    found[variable.id] += ast.walk(node.value)
                case ast.Raise(exc=ast.Call(func=func)) if last(func) in UNKEPT:
                    unheard.update(ast.walk(node))
                case ast.Call() if last(node) == REFUSAL or self._is_log(node):
                    unheard.update(ast.walk(node))
        for name in others & found.keys():
            del found[name]
        read = [n for n in nodes if isinstance(n, ast.Name) and not binds(n) and n not in unheard]
        while True:
            within = {n for nodes in found.values() for n in nodes}
            heard = found.keys() & {n.id for n in read if n not in within}
            if not heard:
                return {*found}
            for name in heard:
                del found[name]

    def _log(self, call: ast.Call) -> None:
        """Nothing of a line of the log, unless something in it does more than tell."""
        inner = [n for given in (call.args, call.keywords) for g in given for n in ast.walk(g)]
        calls = (
            n for n in inner if isinstance(n, ast.Call | ast.NamedExpr | ast.Await | ast.Yield)
        )
        if all(isinstance(n, ast.Call) and last(n) in HARMLESS for n in calls):
            return
        self.said.append("log")
        for given in [*call.args, *(k.value for k in call.keywords)]:
            parts = given.values if isinstance(given, ast.JoinedStr) else [given]
            self._any([part for part in parts if not isinstance(part, ast.Constant)])

    def _is_log(self, call: ast.Call) -> bool:
        match call.func:
            case ast.Attribute(value=ast.Name(id=name), attr=attr):
                logs = name in self.module.loggers and attr in LEVELS
                return logs or (name, attr) == ("warnings", "warn")
        return False

    def _any(self, node: object) -> None:
        """A node, what a field of one holds, or a list of them."""
        match node:
            case list() if node and isinstance(node[0], ast.stmt):
                self._body(node)
            case list():
                self.said.append("[")
                for each in node:
                    self._any(each)
                self.said.append("]")
            case ast.Name() | ast.Attribute():
                self._named(node)
            case ast.BinOp(op=ast.Div(), right=ast.Constant(value=str())):
                # A path that is put together is one string.
                names, inner = _path(node)
                self.strings.add("/".join(names))
                self._any(["path", *names, inner])
            case ast.Constant(value=str()) if self.muted:
                pass
            case ast.Constant(value=value):
                self.said.append(f"{type(value).__name__} {value!r}")
                if isinstance(value, str):
                    self.strings.add(value)
            case ast.Call(func=func) if last(func) == REFUSAL:
                self._any(["refusal", func])
            case ast.Call() if is_get_logger(node):
                self.said.append("logger")
                self._any(node.func)
            case ast.Call() if self.muted and last(node) not in HARMLESS:
                # What is handed to it may be more than words.
                self.muted = False
                self._node(node)
                self.muted = True
            case ast.AST():
                self._node(node)
            case _:
                self.said.append(repr(node))

    def _node(self, node: ast.AST) -> None:
        self.said += [type(node).__name__, "("]
        for name in node._fields:
            if name not in ("ctx", "type_comment"):
                self._any(getattr(node, name, None))
        self.said.append(")")

    def _named(self, node: ast.Name | ast.Attribute) -> None:
        names, inner = attributes(node)
        if isinstance(inner, ast.Name):
            chain = (inner.id, *names)
            self.said.append(".".join(chain))
            # What is bound here is no other's, unless a statement says global.
            if not isinstance(inner.ctx, ast.Store):
                self.chains.add(chain)
        else:
            self._any([".".join(names), inner])


def _said(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Without what does nothing, docstrings among it, and what type checkers alone read."""
    for statement in statements:
        match statement:
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                pass
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                yield from _said(statement.orelse)
            case _:
                yield statement


def _is_plain_target(node: ast.expr) -> bool:
    elements = node.elts if isinstance(node, ast.Tuple | ast.List) else [node]
    return all(isinstance(e, ast.Name) for e in elements)


def _path(node: ast.expr) -> tuple[list[str], ast.expr]:
    """The names at the end of what may be a path, and what they lie in."""
    match node:
        case ast.BinOp(left=left, op=ast.Div(), right=ast.Constant(value=str() as name)):
            names, inner = _path(left)
            return [*names, name], inner
    return [], node


def _is_main(test: ast.expr) -> bool:
    return ast.unparse(test) == "__name__ == '__main__'"
