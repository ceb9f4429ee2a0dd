# SPDX-License-Identifier: GPL-2.0-or-later
"""The old template syntax of some scripts: {{expression}}, {{if}} {{elif}} {{else}} {{endif}}, {{for}} {{endfor}}, {{py:}},
{{default name = value}} and {{# a remark}}. Expressions are Python, so a template is trusted as a script is."""

import re


class TemplateError(Exception):
    """A template that cannot be read, or an expression in it that fails."""


class Template:
    """A text that was taken apart; substitute() fills it in."""

    def __init__(self, content, name="template"):
        self.content = content
        self.name = name
        self._tokens = re.split(r"\{\{(.*?)\}\}", content, flags=re.DOTALL)
        if "{{" in "".join(self._tokens[0::2]):
            raise TemplateError(f"{name}: a '{{{{' has no '}}}}'")
        self._nodes, end = self._block(0, ())
        if end < len(self._tokens):
            raise TemplateError(f"{name}: {{{{{self._tokens[end]}}}}} closes nothing")

    def _block(self, at, ends):
        """The nodes up to one of the words `ends`, and the index of that token."""
        nodes = []
        while at < len(self._tokens):
            token = self._tokens[at]
            if at % 2 == 0:
                nodes.append(("text", token))
                at += 1
                continue
            word, _, rest = token.strip().partition(" ")
            word = word.rstrip(":")
            if word in ("endif", "endfor", "else", "elif"):
                if word in ends:
                    return nodes, at
                raise TemplateError(f"{self.name}: {{{{{word}}}}} without a beginning")
            if word == "if":
                at = self._if(nodes, at)
            elif word == "for":
                variable, _, values = rest.rstrip(": ").partition(" in ")
                body, at = self._block(at + 1, ("endfor",))
                nodes.append(("for", variable.strip(), self._code(values), body))
                at = self._closed(at)
            else:
                nodes.append(self._simple(token.strip(), word, rest))
                at += 1
        if ends:
            raise TemplateError(f"{self.name}: {' or '.join(ends)} is missing")
        return nodes, at

    def _if(self, nodes, at):
        branches = []
        word = "if"
        while word in ("if", "elif"):
            condition = self._tokens[at].strip().partition(" ")[2].rstrip(": ")
            body, at = self._block(at + 1, ("elif", "else", "endif"))
            branches.append((self._code(condition), body))
            at = self._closed(at, step=0)
            word = self._tokens[at].strip().partition(" ")[0].rstrip(":")
        if word == "else":
            body, at = self._block(at + 1, ("endif",))
            branches.append((None, body))
            at = self._closed(at, step=0)
        nodes.append(("if", branches))
        return at + 1

    def _closed(self, at, step=1):
        if at >= len(self._tokens):
            raise TemplateError(f"{self.name}: a block has no end")
        return at + step

    def _simple(self, token, word, rest):
        if token.startswith("#"):
            return ("text", "")
        if token.startswith("py:"):
            return ("py", compile(token[3:].strip() + "\n", self.name, "exec"))
        if word == "default" and "=" in rest:
            variable, _, value = rest.partition("=")
            return ("default", variable.strip(), self._code(value))
        expression, *filters = (part.strip() for part in re.split(r"(?<!\|)\|(?!\|)", token))
        return ("value", self._code(expression), [self._code(name) for name in filters])

    def _code(self, expression):
        try:
            return compile(expression.strip(), self.name, "eval")
        except SyntaxError as error:
            raise TemplateError(f"{self.name}: '{expression.strip()}' is no expression: {error.msg}") from error

    def substitute(self, *args, **kwargs):
        """The text with the values of a dictionary or of keywords."""
        values = dict(*args, **kwargs)
        out = []
        self._run(self._nodes, values, out)
        return "".join(out)

    def _evaluate(self, code, values):
        try:
            return eval(code, values)
        except NameError as error:
            raise ValueError(f"{self.name}: {error}") from error

    def _run(self, nodes, values, out):
        for kind, *node in nodes:
            if kind == "text":
                out.append(node[0])
            elif kind == "value":
                value = self._evaluate(node[0], values)
                for function in node[1]:
                    value = self._evaluate(function, values)(value)
                out.append("" if value is None else str(value))
            elif kind == "py":
                exec(node[0], values)
            elif kind == "default":
                if node[0] not in values:
                    values[node[0]] = self._evaluate(node[1], values)
            elif kind == "for":
                names = [name.strip() for name in node[0].strip("()").split(",") if name.strip()]
                for item in self._evaluate(node[1], values):
                    values.update(zip(names, item) if len(names) > 1 else [(names[0], item)])
                    self._run(node[2], values, out)
            else:
                for condition, body in node[0]:
                    if condition is None or self._evaluate(condition, values):
                        self._run(body, values, out)
                        break
