"""Who may import whom, and what costs nothing to import."""

import ast
import configparser
import graphlib
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import textgen
from tests.waiting import PATIENCE
from textgen.models.registry import architectures

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "textgen").rglob("*.py"))
HEAVY = {"tensorflow", "keras", "keras_nlp", "keras_hub"}

# What of textgen each part may import besides itself. A name with a dot is one module of
# a package; job, pipeline and textgen/__init__.py bring the parts together and may import all.
ALLOWED = {
    "errors": set(),
    "version": set(),
    "files": set(),
    "unicode": set(),
    "digests": {"files"},
    "arrays": {"files"},
    "splitmix": set(),
    "numerals": set(),
    "gram_table": {"splitmix"},
    "adaptation": {
        *("catalog", "errors", "evaluation", "inference", "inheritance", "models", "runtime"),
        "tensorflow_internals",
    },
    "indexing": {
        *("card", "card_parts", "catalog", "errors", "export", "generation", "gram_table"),
        *("inference", "inheritance", "originality", "run", "runtime", "serving.tf_serving"),
    },
    "checks": {"errors", "unicode"},
    "record": {"errors"},
    "keras_internals": set(),
    "tensorflow_internals": set(),
    "memory": set(),
    "models": {"checks", "errors", "keras_internals", "record"},
    "config": {"checks", "errors", "models.config", "models.registry", "record"},
    "corpus": {"chat_template", "config", "errors", "numerals", "unicode", "version"},
    "tokenizer": {"config", "errors", "files", "unicode"},
    "planning": {"checks", "config", "errors", "models"},
    "reporter": {"metrics", "planning"},
    "permutation": {"splitmix"},
    "metrics": set(),
    "dataset": {"arrays", "corpus", "digests", "tokenizer", "errors", "files"},
    "row_windows": set(),
    "windows": {"config", "errors", "permutation", "row_windows"},
    "run": {
        *("config", "corpus", "dataset", "digests", "errors", "files", "metrics"),
        *("models.precision", "prompt_template", "reporter", "tokenizer"),
    },
    "pretrained": {
        *("card_parts", "config", "errors", "files", "models.published", "models.registry"),
        "tokenizer",
    },
    "importing": {
        *("card", "card_parts", "catalog", "chat_template", "errors", "export", "generation"),
        *("pretrained", "runtime", "serving.tf_serving"),
    },
    "shrinking": {
        *("card", "card_parts", "catalog", "config", "errors", "evaluation", "export"),
        *("inference", "models.precision", "run", "runtime", "serving.tf_serving"),
    },
    "card_parts": set(),
    "card": {"card_parts", "metrics", "run", "training", "version"},
    "catalog": {"card", "digests", "errors", "files", "numerals"},
    "constraints": {"config", "errors"},
    "upkeep": {"catalog", "errors", "files", "run", "serving"},
    "sampling": {"config", "splitmix"},
    "generation": {
        *("config", "gram_table", "memory", "models.base", "sampling", "splitmix"),
        *("tensorflow_internals", "tokenizer"),
    },
    "training": {
        *("arrays", "config", "windows", "errors", "files", "keras_internals", "metrics", "models"),
        *("reporter", "tensorflow_internals"),
    },
    "export": {
        *("card", "catalog", "config", "errors", "generation", "memory", "models.base"),
        *("models.precision", "tokenizer"),
    },
    "runtime": {"errors", "numerals"},
    "serving": {"catalog", "errors", "files", "inference", "runtime", "tokenizer"},
    "serving.http": {
        *("catalog", "config", "errors", "files", "gram_table", "inference", "runtime"),
        *("tokenizer", "version"),
    },
    "chat_template": {"errors"},
    "template_worker": set(),
    "prompt_template": {"chat_template", "errors", "tokenizer"},
    "inference": {
        *("card", "card_parts", "catalog", "chat_template", "checks", "config", "constraints"),
        *("corpus", "errors", "files", "gram_table", "metrics", "originality", "prompt_template"),
        *("run", "runtime", "tokenizer", "unicode"),
    },
    "originality": {"arrays", "config", "corpus", "errors", "files", "run"},
    "evaluation": {
        *("catalog", "config", "corpus", "dataset", "digests", "errors", "files", "inference"),
        *("metrics", "prompt_template", "run", "tokenizer", "windows"),
    },
    "inspection": {"config", "corpus", "errors", "evaluation", "metrics"},
    "teaching": {
        *("arrays", "card_parts", "catalog", "config", "digests", "errors", "files"),
        *("inheritance", "models", "reporter", "run", "training"),
    },
    "report": {
        *("arrays", "catalog", "config", "errors", "evaluation", "files", "inference"),
        *("inheritance", "originality", "run", "runtime", "tokenizer"),
    },
}
STANDARD_LIBRARY_ONLY = {
    *(
        "card",
        "card_parts",
        "catalog",
        "chat_template",
        "checks",
        "config",
        "corpus",
        "digests",
        "errors",
        "files",
        "metrics",
        "numerals",
    ),
    *("record", "splitmix", "unicode", "version"),
}
# The modules of models that say what a family is, without loading it.
FAMILY_FACTS = {"__init__.py", "attention_profile.py", "config.py", "profile.py", "registry.py"}
# Modules outside these parts need TensorFlow; inside, only functions may import it.
LAZY = STANDARD_LIBRARY_ONLY | {
    *(
        "adaptation",
        "arrays",
        "gram_table",
        "indexing",
        "inheritance",
        "prompt_template",
        "row_windows",
    ),
    *("teaching", "windows", "workplace"),
    *("tokenizer", "permutation", "planning", "dataset", "run", "runtime", "serving"),
    "serving.http",
    *("constraints", "evaluation", "importing", "inference", "inspection", "job", "pipeline"),
    *("originality", "pretrained", "report", "reporter", "shrinking", "template_worker"),
    "upkeep",
}
LAZY_EXCEPTIONS = {
    str(path.relative_to(ROOT / "textgen"))
    for path in (ROOT / "textgen" / "tokenizer" / "graph").glob("*.py")
}


def part_of(path):
    """The first name below textgen/ or cli/, a package's or a module's; or two in ALLOWED."""
    parts = path.relative_to(ROOT).with_suffix("").parts[1:]
    longer = ".".join(parts[:2])
    return longer if longer in ALLOWED else parts[0]


def imports(nodes):
    """The absolute names of all modules that import statements under `nodes` name."""
    for root in nodes:
        for node in ast.walk(root):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, "imports are absolute"
                yield node.module
                # `from textgen import x` may name a module too.
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_import_time(nodes):
    """The statements that run when the module is imported."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        else:
            children = ast.iter_child_nodes(node)
            yield from at_import_time(child for child in children if isinstance(child, ast.AST))


def is_allowed(module, part):
    # "textgen" itself is not: it imports lazily whatever one asks it for.
    names = {f"textgen.{name}" for name in (part, *ALLOWED[part])}
    return any(module == name or module.startswith(f"{name}.") for name in names)


def module_name(path):
    """The dotted name of a source file's module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


each_source = pytest.mark.parametrize(
    "path", SOURCES, ids=[str(path.relative_to(ROOT / "textgen")) for path in SOURCES]
)


@each_source
def test_parts_import_only_what_they_may(path):
    part = part_of(path)
    modules = set(imports([ast.parse(path.read_text("utf-8"))]))
    own = {module for module in modules if module.split(".")[0] == "textgen"}
    assert not {m for m in modules if m.split(".")[0] == "cli" or m.startswith("textgen.cli")}
    if part in ALLOWED:
        assert not {module for module in own if not is_allowed(module, part)}


def import_graph():
    """The modules that each module of textgen imports, in functions and for types too."""
    known = {module_name(path): path for path in SOURCES}
    graph = {name: set() for name in known}
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                wanted = known.keys() & set(imports([node]))
                if isinstance(node, ast.ImportFrom) and len(wanted) > 1:
                    # `from textgen.planning import cost` needs a module of the package alone.
                    wanted -= {node.module}
                graph[name] |= wanted
    return graph


def test_no_modules_import_each_other():
    graph = import_graph()
    assert "textgen.tokenizer.graph" in graph["textgen.tokenizer.character"]  # in a function
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


@each_source
def test_tensorflow_is_imported_only_where_it_may(path):
    part = part_of(path)
    tree = ast.parse(path.read_text("utf-8"))
    anywhere = {module.split(".")[0] for module in imports([tree])}
    at_once = {module.split(".")[0] for module in imports(at_import_time(tree.body))}
    if part in STANDARD_LIBRARY_ONLY or (part == "models" and path.name in FAMILY_FACTS):
        assert anywhere <= {*sys.stdlib_module_names, "textgen", "charset_normalizer"}
        assert at_once <= {*sys.stdlib_module_names, "textgen"}
    if part in LAZY and str(path.relative_to(ROOT / "textgen")) not in LAZY_EXCEPTIONS:
        assert not at_once & HEAVY
    if part == "runtime" and path.name != "fallback.py":
        assert not anywhere & HEAVY


@each_source
def test_only_the_command_line_prints_and_exits(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in {"print", "sys.exit", "exit", "quit", "os._exit"}
        if isinstance(node, ast.Raise) and node.exc is not None:
            assert "SystemExit" not in ast.unparse(node.exc)


EVERYWHERE_ELSE = [
    path for path in (*SOURCES, *(ROOT / "cli").rglob("*.py")) if part_of(path) != "models"
]


@pytest.mark.parametrize("path", EVERYWHERE_ELSE, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_models_names_a_family(path):
    families = "|".join(architectures())
    # Not as a part of another name, such as a program that we quote.
    assert not re.findall(rf"(?<![\w.-])(?:{families})(?![\w-]|\.\w)", path.read_text("utf-8"))


# One of our options, whose names have no underscore, or of our commands.
COMMAND_LINE = re.compile(
    r"(?<![\w-])--[a-z][a-z-]*(?![\w-])|textgen (?:train|generate|score|list|info|import|export)\b"
)


@each_source
def test_only_the_command_line_knows_its_options_and_commands(path):
    tree = ast.parse(path.read_text("utf-8"))
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = list(ast.walk(tree))
    docs = {ast.get_docstring(n, clean=False) for n in nodes if isinstance(n, documented)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert node.value in docs or not COMMAND_LINE.search(node.value), node.lineno


IMPORT = """
import importlib, sys
for name in sys.argv[1].split():
    importlib.import_module(name)
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


def module_names(parts):
    """The names of all modules of `parts`, but those that need TensorFlow."""
    for path in SOURCES:
        if part_of(path) in parts and str(path.relative_to(ROOT / "textgen")) not in (
            LAZY_EXCEPTIONS
        ):
            yield module_name(path)


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (["textgen"], {"numpy", *HEAVY}),
        (["textgen.errors"], {"numpy", "dataclasses", *HEAVY}),
        ([*module_names(STANDARD_LIBRARY_ONLY), "textgen.models"], {"numpy", *HEAVY}),
        ([*module_names(LAZY)], HEAVY),
    ],
    ids=["textgen", "errors", "standard library only", "without tensorflow"],
)
def test_importing_loads_nothing_heavy(run_python, modules, absent):
    output, errors = run_python(IMPORT, " ".join(modules))
    assert not absent & set(output.split())
    assert errors == ""


@each_source
def test_what_a_module_exports_exists(path):
    tree = ast.parse(path.read_text("utf-8"))
    if any(isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__" for n in tree.body):
        module = importlib.import_module(module_name(path))
        assert len(set(module.__all__)) == len(module.__all__)
        assert all(hasattr(module, exported) for exported in module.__all__)


COMMANDS = [
    *("train", "generate", "chat", "score", "evaluate", "inspect", "report", "curve"),
    *("list", "info", "serve", "import", "export", "demo"),
]


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], *([command, "--help"] for command in COMMANDS)],
    ids=" ".join,
)
def test_help_and_version_load_nothing_heavy(arguments):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "textgen.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100"},
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert (textgen.__version__ if "--version" in arguments else "Usage") in done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in lines}
    assert "textgen" in loaded
    assert not loaded & {"numpy", *HEAVY}


def test_every_package_is_installed():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = set(settings["options"]["packages"].split())
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in SOURCES
        if path.name == "__init__.py"
    }
    assert listed == {*found, "textgen.cli"}


@each_source
def test_only_a_decoder_looks_into_its_state(path):
    if part_of(path) == "generation":
        code = ast.unparse(ast.parse(path.read_text("utf-8")))
        assert not re.search(r"\bstate\[|in (\w+\.)?state\b|\*state\b", code)


@pytest.mark.parametrize(
    "path",
    [*SOURCES, *sorted((ROOT / "cli").glob("*.py"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_module_is_short_enough_to_read_at_once(path):
    assert len(path.read_text("utf-8").splitlines()) <= 300
