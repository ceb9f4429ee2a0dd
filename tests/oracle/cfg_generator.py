# SPDX-License-Identifier: GPL-2.0-or-later
"""Random Cartesian configurations: valid ones of all constructs, and broken ones made from them.

A configuration is a dictionary of file names and texts with the main file first, so that includes can be written to
a directory as they are. One seed always gives the same configuration.
"""

import random

LABELS = ["a", "b", "c", "d", "e1", "x-y", "z_1", "é²", "04"]
BLOCKS = ["v", "w", "os"]
KEYS = ["k", "@", "m", "n", "kk", "k_s", "abc", "abd", "mem", "v"]
LIMITS = ["mem_max", "mem_min", "mem_fixed", "num_max", "num_min", "num"]
SUFFIXES = ["_s", "_t", "-u"]


class Generator:
    """Writes one random configuration."""

    def __init__(self, seed, features=None):
        self.random = random.Random(seed)
        self.features = features if features is not None else self.pick_features()
        self.files = {}
        self.budget = 4 + self.random.randrange(30)
        self.product = 1
        self.strictness = self.random.choice([0.03, 0.1, 0.4])
        self.used = []

    def pick_features(self):
        names = ["named", "noise", "join", "suffix", "include", "regex", "limits", "deps", "defaults", "meta", "dotted", "hidden"]
        return {name for name in names if self.random.random() < 0.4}

    def chance(self, probability):
        return self.random.random() < probability

    def label(self):
        return self.random.choice(LABELS)

    def filter_label(self):
        if "named" in self.features and self.chance(0.3):
            return "(%s=%s)" % (self.random.choice(BLOCKS), self.label())
        if self.used and self.chance(0.8):
            return self.random.choice(self.used)
        return self.label()

    def filter_word(self):
        parts = []
        for _ in range(self.random.choice([1, 1, 1, 2, 3])):
            parts.append(".".join(self.filter_label() for _ in range(self.random.choice([1, 1, 1, 2]))))
        return "..".join(parts)

    def filter(self):
        separator = self.random.choice([" ", ", ", ","])
        return separator.join(self.filter_word() for _ in range(self.random.choice([1, 1, 1, 2, 3])))

    def condition_filter(self):
        saved = self.features
        self.features = self.features - {"named"}
        words = [self.filter_word() for _ in range(self.random.choice([1, 1, 2]))]
        self.features = saved
        return self.random.choice([", ", ",", " , "]).join(words)

    def value(self):
        kind = self.random.randrange(12)
        if kind == 0:
            return '"%s"' % self.random.choice(["", " p ", "q r", "it's", 'x"y'])
        if kind == 1:
            return "'%s'" % self.random.choice(["", " s", 't "u"'])
        if kind in (2, 3, 4):
            key = self.random.choice(KEYS + ["name", "shortname", "nokey", "dep", "_name_map_file"])
            return self.random.choice(["${%s}", "<${%s}>", "${%s}${k}", "$${%s}", "${nokey}${%s}", "${%s"]) % key
        if kind == 5:
            return self.random.choice(["1 # no comment", "a == b", "// x", "a:b", "\\", "$x", "%s", "ü", "tab\tend", ""])
        return self.random.choice(["1", "2", "three", "4 5", "6"])

    def assignment(self):
        if "limits" in self.features and self.chance(0.25):
            values = ["1", "10", "512", "1G", "100M", "4096", "2048K"]
            return "%s = %s" % (self.random.choice(LIMITS + ["mem"]), self.random.choice(values))
        sign = self.random.choice(["=", "=", "=", "=", "+=", "<=", "~=", "?=", "?+=", "?<="])
        key = self.random.choice(KEYS)
        if sign.startswith("?"):
            # A regex spelled like a key set right before it is a known defect of upstream; plain keys are not.
            if "regex" in self.features and self.chance(0.6):
                key = self.random.choice(["a.*", "ab[cd]", "k|m", "(?i)ABC", ".*", "k+", r"\w+", "ab$", "(k)\\1", "[^k]"])
        elif self.chance(0.05):
            key = self.random.choice(["name", "dep", "odd key", "a.b", '"q"'])
        blank = self.random.choice([" ", " ", " ", ""])
        return "%s%s%s%s%s" % (key, blank, sign, blank or " ", self.value())

    def statement(self, lines, indent, depth, in_condition):
        pad = " " * indent
        kind = self.random.random()
        if kind < 0.5:
            lines.append(pad + self.assignment())
        elif kind < 0.60:
            # Most filters would drop everything; they are rare so that results are left.
            if self.chance(self.strictness):
                lines.append(pad + self.random.choice(["only ", "no "]) + self.filter())
        elif kind < 0.66:
            lines.append(pad + "del " + self.random.choice(KEYS))
        elif kind < 0.82:
            self.condition(lines, indent, depth)
        elif kind < 0.86 and "include" in self.features and depth < 3:
            self.include(lines, indent, depth, in_condition)
        elif kind < 0.89 and "suffix" in self.features:
            lines.append(pad + "suffix " + self.random.choice(SUFFIXES))
        elif kind < 0.91 and "join" in self.features and not in_condition and self.product < 40:
            lines.append(pad + "join " + " ".join(self.filter_word() for _ in range(self.random.choice([1, 2, 2]))))
            self.product *= 4
        elif kind < 0.94:
            lines.append(self.random.choice(["", "# c", pad + "// c", "   # c"]))
        elif not in_condition and depth < 4:
            self.variants(lines, indent, depth)

    def condition(self, lines, indent, depth):
        pad = " " * indent
        opener = pad + self.random.choice(["", "", "!", "! "]) + self.condition_filter() + ":"
        if self.chance(0.2):
            opener += " " + self.assignment()
        lines.append(opener)
        for _ in range(self.random.randrange(3)):
            self.statement(lines, indent + 4, depth + 1, True)

    def include(self, lines, indent, depth, in_condition):
        name = self.random.choice(["inc%d.cfg", "sub/inc%d.cfg"]) % len(self.files)
        self.files[name] = ""
        saved, self.include_base = getattr(self, "include_base", ""), "sub/" if name.startswith("sub/") else ""
        body = []
        for _ in range(self.random.randrange(1, 4)):
            self.statement(body, self.random.choice([0, 0, 2]), depth + 1, in_condition)
        self.include_base = saved
        self.files[name] = "\n".join(body) + "\n"
        shown = name
        if saved:
            shown = name[4:] if name.startswith("sub/") else "../" + name
        lines.append(" " * indent + "include " + shown)

    def variants(self, lines, indent, depth):
        count = self.random.choice([1, 2, 2, 3])
        if self.product * count > 150:
            return
        self.product *= count
        pad = " " * indent
        name = self.random.choice(BLOCKS) if "named" in self.features and self.chance(0.5) else ""
        names = [self.variant_name() for _ in range(count)]
        meta = ""
        if "meta" in self.features and self.chance(0.5):
            meta = self.random.choice([" [default=%s]" % self.random.choice(names), " [x]", " [y=1 2]"])
        if name and "noise" in self.features and self.chance(0.5):
            # What stands before the name becomes the block's name, and is passed over where there is none.
            noise = self.random.choice(["@", "@ ", "@@", "!", "! ", ", ", "= ", "+= ", ") ", "~ ", "(", "@,", '"q"'])
            name = noise + (name if noise != '"q"' and self.chance(0.9) else "")
        lines.append("%svariants%s%s:" % (pad, " " + name if name else "", meta))
        for variant in names:
            self.variant(lines, indent + 4, depth, variant)

    def variant_name(self):
        labels = [self.label() for _ in range(2 if "dotted" in self.features and self.chance(0.2) else 1)]
        self.used += labels
        return ".".join(labels)

    def variant(self, lines, indent, depth, name):
        mark = "@" if "hidden" in self.features and self.chance(0.25) else ""
        deps = " " + self.filter() if "deps" in self.features and self.chance(0.3) else ""
        lines.append("%s- %s%s:%s" % (" " * indent, mark, name, deps))
        for _ in range(self.random.randrange(4)):
            self.statement(lines, indent + 4, depth + 1, False)

    def generate(self):
        """Returns (files, defaults, expand_defaults, statements)."""
        self.files["main.cfg"] = ""
        lines = []
        self.variants(lines, 0, 0)
        while self.budget > 0:
            self.budget -= 1
            self.statement(lines, 0, 0, False)
        if self.chance(0.5):
            self.variants(lines, 0, 0)
        self.files["main.cfg"] = "\n".join(lines) + "\n"
        defaults = "defaults" in self.features
        expand = [self.random.choice(BLOCKS + [""])] if defaults and self.chance(0.4) else []
        extra = []
        for _ in range(self.random.choice([0, 0, 1, 2])):
            kind = self.random.choice(["only", "no", "assign", "text"])
            if kind == "assign":
                extra.append([kind, self.random.choice(KEYS), self.random.choice(["1", "${k}", ""])])
            elif kind == "text":
                extra.append([kind, self.assignment(), ""])
            else:
                extra.append([kind, self.filter(), ""])
        return self.files, defaults, expand, extra


def generate(seed, features=None):
    """A random valid configuration (nearly: a limit may be no number)."""
    return Generator(seed, features).generate()


NOISE = list(" \t:;=.,-@!()[]{}#/\"'$%^&*+<?~|\\aZ0_\n") + ["..", "only ", "no ", "variants", "- ", "join ", "suffix ",
                                                          "del ", "include ", "variants v:\n", "\u00a0", "\u2028", "\x0b"]


def break_text(text, rng):
    """A text with a few random changes."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        place = rng.randrange(len(text) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            text = text[:place] + text[place + rng.randrange(1, 4):]
        elif kind == 1:
            text = text[:place] + rng.choice(NOISE) + text[place:]
        elif kind == 2:
            text = text[:place] + rng.choice(NOISE) + text[place + 1:]
        else:
            lines = text.split("\n")
            first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
            text = "\n".join(lines)
    return text


def generate_broken(seed):
    """A configuration that has a good chance to be wrong."""
    files, defaults, expand, extra = generate(seed)
    rng = random.Random(seed * 7 + 1)
    name = rng.choice(sorted(files))
    files[name] = break_text(files[name], rng)
    return files, defaults, expand, extra
