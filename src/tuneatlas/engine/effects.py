"""What the execution of a statement may do besides what it defines."""

import ast
from collections.abc import Iterable, Iterator

# Decorators that read no annotations, and do nothing but to what they decorate.
PLAIN = frozenset(
    {"property", "cached_property", "setter", "classmethod", "staticmethod", "overload", "override"}
    | {"cache", "lru_cache", "contextmanager", "dataclass", "abstractmethod", "total_ordering"}
    | {"njit", "no_grad", "inference_mode"}
)
# Methods that change what they are called on.
CHANGING = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem"}
    | {"register", "remove", "setdefault", "sort", "update", "__setitem__"}
)

Chain = tuple[str, ...]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def last(node: ast.expr) -> str:
    """The last part of a dotted name, or of that of what is called."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def binds(name: ast.Name) -> bool:
    """Whether a name is given a value, or deleted, where it stands."""
    return not isinstance(name.ctx, ast.Load)


def is_get_logger(node: ast.AST | None) -> bool:
    """Whether this is a call of ``logging.getLogger``."""
    return isinstance(node, ast.Call) and last(node) == "getLogger"


def outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all within that is done when it is, and not when a function in it is called."""
    yield node
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            inner: list[ast.AST] = [*node.decorator_list, node.args]
        case ast.Lambda():
            inner = [node.args]
        case _:
            inner = list(ast.iter_child_nodes(node))
    for child in inner:
        yield from outside_functions(child)


def attributes(node: ast.expr) -> tuple[list[str], ast.expr]:
    """The attributes of a dotted name, and what they are attributes of."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return names[::-1], node


def _chains(nodes: Iterable[ast.AST]) -> frozenset[Chain]:
    """The dotted names in what is done at once."""
    inner = (part for node in nodes for part in outside_functions(node))
    parts = (attributes(n) for n in inner if isinstance(n, ast.Name | ast.Attribute))
    return frozenset((root.id, *names) for names, root in parts if isinstance(root, ast.Name))


def called(statement: ast.stmt) -> Iterator[tuple[Chain, frozenset[Chain]]]:
    """What is called when a statement is executed, bases of classes among it, and with what."""
    for node in outside_functions(statement):
        if isinstance(node, ast.Call) and not is_get_logger(node):
            names, root = attributes(node.func)
            handed = _chains([*node.args, *node.keywords])
            chain = (root.id, *names) if isinstance(root, ast.Name) else ()
            yield chain, handed if chain else handed | _chains([root])
        elif isinstance(node, ast.ClassDef):
            yield (), _chains([*node.bases, *node.keywords])


def holds(statement: ast.stmt) -> bool:
    """Whether this is a class that is made by keeping what it is made of."""
    match statement:
        case ast.ClassDef(bases=[], keywords=[], body=body):
            own = {n.name for n in body if isinstance(n, FUNCTIONS)}
            plain = any(last(d) == "dataclass" for d in statement.decorator_list)
            return plain and not own & {"__init__", "__new__", "__post_init__"}
        case ast.ClassDef(bases=[base], keywords=[]):
            return last(base) == "NamedTuple"
    return False


def acts(statement: ast.stmt) -> bool:
    """Whether what decorates a definition may enter it somewhere."""
    decorated = (getattr(n, "decorator_list", ()) for n in outside_functions(statement))
    return any(last(d) not in PLAIN for found in decorated for d in found)


def changes(statement: ast.AST) -> bool:
    """Whether a call of what is defined may change anything but what it made or was given."""
    functions = (*FUNCTIONS, ast.Lambda)
    if isinstance(statement, functions):
        nodes = list(ast.walk(statement))
        own = {n.arg for n in nodes if isinstance(n, ast.arg)} | {
            n.id for n in nodes if isinstance(n, ast.Name) and binds(n)
        }
        return any(isinstance(n, ast.Global) or not _changed(n) <= own - {"cls"} for n in nodes)
    return any(map(changes, ast.iter_child_nodes(statement)))


def _changed(node: ast.AST) -> set[str]:
    """The name of what a statement or a call changes in place, if it does."""
    match node:
        case ast.Attribute(ctx=ast.Store() | ast.Del()):
            changed: ast.expr = node
        case ast.Subscript(ctx=ast.Store() | ast.Del()):
            changed = node
        case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[first, *_]):
            changed = first
        case ast.Call(func=ast.Attribute(attr="__setattr__"), args=[first, *_]):
            changed = first
        case ast.Call(func=ast.Attribute(attr=attr, value=value)) if attr in CHANGING:
            changed = value
        case _:
            return set()
    while isinstance(changed, ast.Attribute | ast.Subscript):
        changed = changed.value
    return {changed.id} if isinstance(changed, ast.Name) else set()
