"""Which files of a catalog its .indexignore files leave out: they are read as .gitignore files."""


class Pattern:
    """A line of such a file, which concerns what lies below the folder of the file."""

    def __init__(self, folder, line):
        self.folder = [part for part in folder.split("/") if part]
        self.negated = line.startswith("!")
        line = line[1:] if self.negated or line[:2] in ("\\!", "\\#") else line
        self.for_folders = line.endswith("/")
        parts = (line[:-1] if self.for_folders else line).split("/")
        # With a slash it is compared with the whole path, else with each name on the way.
        self.whole = len(parts) > 1
        self.parts = parts[1:] if self.whole and not parts[0] else parts

    def matches(self, path):
        if len(path) <= len(self.folder) or path[: len(self.folder)] != self.folder:
            return False
        below = path[len(self.folder) :]
        # What lies in a folder that matches, matches as well; the file itself is no folder.
        ends = range(1, len(below) + (0 if self.for_folders else 1))
        if not self.whole:
            return any(match_name(self.parts[0], below[end - 1]) for end in ends)
        return any(match_path(self.parts, below[:end]) for end in ends)


class Ignored:
    def __init__(self):
        self.patterns = []

    def add(self, folder, content):
        for line in content.replace("\r\n", "\n").split("\n"):
            line = line.rstrip()
            if line and not line.startswith("#"):
                self.patterns.append(Pattern(folder, line))

    def has(self, path):
        """The last pattern that matches decides."""
        names = path.split("/")
        last = [pattern for pattern in self.patterns if pattern.matches(names)][-1:]
        return bool(last) and not last[0].negated


def match_path(parts, names):
    """Names one by one against parts; ** stands for any number of names, at the end for one."""
    states = {0}
    for name in names:
        after = set()
        for state in closed(parts, states):
            if state < len(parts) and parts[state] == "**":
                after.add(state)
                if state + 1 == len(parts):
                    after.add(state + 1)
            elif state < len(parts) and match_name(parts[state], name):
                after.add(state + 1)
        states = after
    return len(parts) in states


def closed(parts, states):
    """With each state before ** that may stand for nothing also the one behind it."""
    found, rest = set(), list(states)
    while rest:
        state = rest.pop()
        if state not in found:
            found.add(state)
            if state + 1 < len(parts) and parts[state] == "**":
                rest.append(state + 1)
    return found


def tokens(pattern):
    """Each sign of a pattern as a test of one character, or None for *."""
    found, at = [], 0
    while at < len(pattern):
        sign = pattern[at]
        end = pattern.find("]", at + 2) if sign == "[" else -1
        if sign == "*":
            found.append(None)
        elif sign == "?":
            found.append(lambda _: True)
        elif sign == "\\":
            found.append(pattern[at + 1 : at + 2].__eq__)
            at += 1
        elif sign == "[":
            found.append(one_of(pattern[at + 1 : end]) if end != -1 else lambda _: False)
            at = end if end != -1 else len(pattern)
        else:
            found.append(sign.__eq__)
        at += 1
    return found


def one_of(text):
    negated = text[:1] in ("^", "!")
    text = text[1:] if negated else text
    ranges, at = [], 0
    while at < len(text):
        wide = text[at + 1 : at + 2] == "-" and at + 2 < len(text)
        ranges.append((text[at], text[at + 2] if wide else text[at]))
        at += 3 if wide else 1
    return lambda one: any(low <= one <= high for low, high in ranges) != negated


def match_name(pattern, name):
    """By sets of places in the pattern: no pattern takes long."""
    signs = tokens(pattern)
    states = spread(signs, {0})
    for one in name:
        after = {state if signs[state] is None else state + 1 for state in states
                 if state < len(signs) and (signs[state] is None or signs[state](one))}
        states = spread(signs, after)
    return len(signs) in states


def spread(signs, states):
    """A * may stand for nothing."""
    found = set(states)
    for state in range(len(signs)):
        if state in found and signs[state] is None:
            found.add(state + 1)
    return found
