# SPDX-License-Identifier: GPL-2.0-or-later
"""virttest.cartesian_config and virttest.utils_params beside upstream's: the same calls, each side in its own process.

Environment: VT_BUILD (build directory, default build/release), PEER_SITE (upstream's site-packages, default build/peer).
"""

import ast
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
OURS = BUILD / "lib/avocado-runner-vt/python"
PEERS = [pathlib.Path(os.environ["PEER_SITE"])] if "PEER_SITE" in os.environ else []
PEERS += sorted((ROOT / "build/peer/lib").glob("python3*/site-packages"))

MAIN = """\
variants a:
    - one:
        k = 1
    - @two: one
        k = 2
        mem_max = 1G
        mem = 4096
variants:
    - x.y:
        n = ${k}n
    - x.z:
        only two
d_b = 3
"""

SETUP = """\
import contextlib, io, itertools, logging, pickle, sys, types
logging.disable()
from virttest import cartesian_config as cc
def result(action):
    try:
        return ("value", action())
    except Exception as error:
        return ("raised", [c.__name__ for c in type(error).__mro__])
def fresh(text=None, **more):
    p = cc.Parser(None if text else MAIN, **more)
    if text: p.parse_string(text)
    return p
def dicts(p): return [list(d.items()) for d in p.get_dicts()]
def names(p): return [d["name"] for d in p.get_dicts()]
def attempt(p, name, *args):
    with contextlib.suppress(cc.ParserError): getattr(p, name)(*args)
    return p
def place(text):
    try:
        fresh(text)
    except cc.ParserError as error:
        return type(error).__name__, error.line, error.filename, error.linenum, bool(error.msg), error.args
def missing():
    try:
        fresh("\\ninclude no-such-file")
    except cc.MissingIncludeError as error:
        return error.line, error.filename, error.linenum, error.args, str(error), isinstance(error, cc.ParserError)
def printed(function, **options):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        function(types.SimpleNamespace(**options), fresh().get_dicts())
    return out.getvalue()
def limited(**dic):
    return cc.postfix_parse(dic), list(dic.items())
def joined(text, *words):
    p = fresh(text)
    onlys = [("f", 1, cc.OnlyFilter([[[cc.Label(n) for n in part]for part in word]], "w")) for word in words]
    return [list(d.items()) for d in p.multiply_join(onlys, p.node)]
JOIN = "variants:\\n - one.x:\\n  k = 1\\n - one.y:\\n  k = 2\\n  m = 3\\n - p.q:\\n"
"""

CARTESIAN = """\
dicts(fresh())
dicts(fresh(defaults=True))
dicts(cc.Parser(MAIN, True, ["a"]))
names(fresh(debug=True))
(lambda p: list(p.get_dicts(p.node)) == list(p.get_dicts()))(fresh())
[d["name"] for d in fresh().get_dicts_plain()]
(lambda p: [d["name"] for d in p.get_dicts_plain(p.node)])(fresh())
type(fresh().get_dicts()).__name__, type(fresh().get_dicts_plain()).__name__, type(fresh().multiply_join([])).__name__
[type(d).__name__ for d in fresh().get_dicts()]
(lambda p, g: (next(g)["name"], p.assign("late", "1"), len(list(p.get_dicts()))))(*(lambda p: (p, p.get_dicts()))(fresh()))
(lambda p: (p.only_filter("one"), p.assign("k", "7 8"), p.no_filter("z"), p.only_filters, p.no_filters, p.assignments, dicts(p)))(fresh())
(lambda p: (p.debug, p.defaults, p.expand_defaults, p.filename == MAIN, p.only_filters))(fresh(defaults=True, expand_defaults=["q"]))
(lambda p: (p.filename, p.parse_file(MAIN), p.filename == MAIN, len(dicts(p))))(cc.Parser())
attempt(fresh(), "only_filter", "a , b").only_filters
attempt(fresh(), "no_filter", "%").no_filters
attempt(fresh(), "assign", "a b", "c").assignments
(lambda p: (p.assign("k", "1\\nl = 2"), p.assignments, dicts(p)))(cc.Parser())
dicts(cc.Parser())
cc.Parser("/nonexistent/file")
place("only x\\n\\na")
place("a = 1\\n  variants\\n")
place("only a*b")
place("del a b")
place("variants:\\n  - a b:\\n")
missing()
[[c.__name__ for c in e.__mro__] for e in (cc.ParserError, cc.LexerError, cc.MissingIncludeError)]
str(cc.ParserError("m", "l", "f", 3)), str(cc.ParserError("m", None, "f", 3)), str(cc.ParserError("m")), vars(cc.LexerError("m", "l"))
str(cc.MissingIncludeError("l", "f", 1)), vars(cc.MissingIncludeError("l", "f", 1))
cc.ParserError()
cc.MissingIncludeError("l")
cc.Parser().mk_name("a.b", "a.c")
cc.Parser().mk_name("one.x", "one.y")
cc.Parser().mk_name("p.a", "q.b")
cc.Parser().mk_name("abc", "abd")
cc.Parser().mk_name("a.b.cd.e", "a.b.ce")
cc.Parser().mk_name("a", "a")
cc.Parser().mk_name("a", "ab")
cc.Parser().mk_name("", "a")
joined(JOIN, [["x"]])
joined(JOIN, [["x"]], [["y"]])
joined(JOIN, [["one", "x"]], [["p"], ["q"]])
joined(JOIN, [["one"]], [["q"]])
joined(JOIN, [["none"]], [["q"]])
dicts(fresh(JOIN + "join one q"))
cc.convert_data_size("1.5G")
cc.convert_data_size("7")
cc.convert_data_size("7", "k")
cc.convert_data_size("7t"), cc.convert_data_size("7b"), cc.convert_data_size("-2M"), cc.convert_data_size("1e3K")
cc.convert_data_size("10KB")
cc.convert_data_size("")
cc.convert_data_size("x")
cc.convert_data_size("M")
cc.compare_string("1", "2"), cc.compare_string("2", "1"), cc.compare_string("2", "2")
cc.compare_string("1024", "1G"), cc.compare_string("1g", "1000"), cc.compare_string("1K", "1024B"), cc.compare_string("10", "9")
cc.compare_string("1.5", "2")
cc.compare_string("1.5", "2G")
cc.compare_string("", "2")
limited(x="5", x_max="3", x_min="1")
limited(x="5", x_min="7", x_max="3")
limited(x_max="3", y_min="2", z="1", z_fixed="9")
limited(a="5", a_max_b_max="4", mem="4096", mem_max="1G")
limited(x="q", x_max="3")
limited(x="1", x_fixed="q", _max="4")
(lambda d: (cc.postfix_parse(d), d))({("x_max", "_s"): "1", "x": "2"})
printed(cc.print_dicts, repr_mode=False, fullname=False, contents=False)
printed(cc.print_dicts, repr_mode=False, fullname=True, contents=True)
printed(cc.print_dicts, repr_mode=True)
printed(cc.print_dicts_default, fullname=False, contents=True)
printed(cc.print_dicts_repr)
cc.options
"""

PARAMS_SETUP = """\
from virttest.utils_params import Params, ParamNotFound
from collections import UserDict
def result(action):
    try:
        value = action()
        return ("value", type(value).__name__, dict(value) if isinstance(value, (dict, UserDict)) else value)
    except Exception as error:
        return ("raised", [c.__name__ for c in type(error).__mro__])
P = Params({"vms": "b a b", "mem": "1", "mem_a": "2", "mem_x_a": "3", "q_a_r_a": "4", "nics": "", "n": " 7 ",
            "yes": "yes", "no": "off", "Yes": "Yes", "list": "1,2,2", "dict": "a=1 b=2=3", "_in": "i", "count": "2",
            "disk1": "d", "mac_n1_v1": "m", "bad": "1.5", "nodict": "a b"})
def on_copy(action):
    copy = P.copy()
    value = action(copy)
    return (dict(value) if isinstance(value, UserDict) else value), dict(copy), dict(copy) == dict(P)
"""

PARAMS = """\
P["none"]
P.get("none"), P.get("none", 3), P.get("mem"), P.get(5), "mem" in P, "none" in P
len(P), sorted(P), list(P.items()), list(P.values()), isinstance(P, UserDict), bool(Params()), P == P.copy(), repr(Params(a="b"))
on_copy(lambda c: c.setdefault("none"))
on_copy(lambda c: c.setdefault("mem", "9"))
on_copy(lambda c: c.update({"mem": "9", "z": 1}))
on_copy(lambda c: c.pop("mem"))
on_copy(lambda c: c.pop("none", 1))
on_copy(lambda c: c.__delitem__("none"))
on_copy(lambda c: c.__delitem__("mem"))
on_copy(lambda c: c.clear())
P.objects("vms"), P.objects("none"), P.objects("nics")
P.object_params("a")
P.object_params("v1").object_params("n1").get("mac")
P.object_params("n1").object_params("v1").get("mac")
P.object_params("none") == P
list(P.object_counts("count", "disk")), list(P.object_counts("none", "disk"))
list(P.object_counts("bad", "disk"))
P.copy_from_keys(["mem", "none", "nics"])
P.drop_dict_internals()
P.get_boolean("yes"), P.get_boolean("no"), P.get_boolean("none"), P.get_boolean("none", True)
P.get_boolean("Yes")
P.get_boolean("nics")
P.get_boolean("mem")
P.get_numeric("n"), P.get_numeric("none"), P.get_numeric("none", 4), P.get_numeric("bad", target_type=float)
P.get_numeric("bad")
P.get_list("list", delimiter=","), P.get_list("vms"), P.get_list("none"), P.get_list("none", "a b"), P.get_list("nics")
P.get_list("list", "", ",", int)
P.get_dict("dict"), P.get_dict("none"), P.get_dict("none", "x=y")
P.get_dict("dict", need_order=True)
P.get_dict("nodict")
"""


def evaluated(site, setup, expressions, main):
    """What each expression gives on one side, as Python text."""
    program = "MAIN = %r\n%s" % (str(main), setup)
    program += "\nfor e in %r:\n    print(repr(result(lambda: eval(e))))\n" % expressions
    environment = dict(os.environ, PYTHONPATH=str(site), PYTHONDONTWRITEBYTECODE="1", PYTHONWARNINGS="ignore", HOME=str(main.parent))
    done = subprocess.run(["/usr/bin/python3", "-c", program], env=environment, cwd=main.parent, check=False,
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module", name="main")
def fixture_main(tmp_path_factory):
    """The configuration that the calls read."""
    file = tmp_path_factory.mktemp("facade") / "main.cfg"
    file.write_text(MAIN, encoding="utf-8")
    return file


@pytest.fixture(scope="module", name="peer")
def fixture_peer():
    """Upstream's site-packages."""
    for place in PEERS:
        if (place / "virttest/cartesian_config.py").exists():
            return place
    return pytest.skip("upstream's parser is not installed: make build/peer or set PEER_SITE")


@pytest.mark.parametrize("setup, expressions", [(SETUP, CARTESIAN), (PARAMS_SETUP, PARAMS)], ids=["cartesian", "params"])
def test_as_upstream(peer, main, setup, expressions):
    """Every expression gives what it gives with upstream's modules."""
    lines = expressions.splitlines()
    ours, theirs = (evaluated(site, setup, lines, main) for site in (OURS, peer))
    assert len(ours) == len(theirs) == len(lines)
    different = ["%s\n  ours:     %s\n  upstream: %s" % row for row in zip(lines, ours, theirs) if row[1] != row[2]]
    assert not different, "\n" + "\n".join(different)


COMMANDS = [[], ["-f"], ["-c"], ["-f", "-c"], ["-r"], ["-d"], ["-d", "-e", "a, "], ["-s", "-c"], ["only one"], ["-c", "k = 9", "no z"],
            ["only nothing"], ["only a , b"]]  # fmt: skip


def test_command_line(peer, main):
    """The module as a program: the same output and the same status."""
    for arguments in COMMANDS:
        results = []
        for site in (OURS, peer):
            command = ["/usr/bin/python3", str(site / "virttest/cartesian_config.py"), str(main), *arguments]
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60,
                                  env=dict(os.environ, PYTHONPATH=str(site), PYTHONDONTWRITEBYTECODE="1"))  # fmt: skip
            results.append((done.returncode, done.stdout))
        assert results[0] == results[1], arguments


def test_joined_names_of_named_variants(main):
    """Where upstream garbles a name that holds brackets, the shared beginning stands once all the same."""
    lines = ['cc.Parser().mk_name("(v=a).b", "(v=a).c")']
    assert ast.literal_eval(evaluated(OURS, SETUP, lines, main)[0]) == ("value", "(v=a).b.c")
