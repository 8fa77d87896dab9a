"""Derives the part that is a catalog of operators with the images of its bundles (20).

It reads catalogs in JSON. One with documents in YAML it refuses (22): Python's own library has no
reader of YAML."""

import json
import re
import tarfile
import zlib

import unzstd
from container import (
    CONTENT, FORMAT, GIB, IMAGE_REFERENCE, MIB, PATH, TAG, Refused, is_digest, is_nested_deeper,
    read_json,
)
from indexignore import Ignored
from release import Image, Part, Unpacked, field, wrong

KEYS = ["kind", "reference", "digest", "from", "path", "tag", "pinned", "why"]
REASONS = ("not-found", "not-allowed", "wrong-content", "unreadable")
MORE_KEYS = ["template", "filter", "skipRelated", "skippedBundles", "droppedBundles"]
LABEL = "operators.operatorframework.io.index.configs.v1"
WHITEOUT, OPAQUE, IGNORE = ".wh.", ".wh..wh..opq", ".indexignore"
DOCUMENT, FILES, DEPTH = 64 * MIB, 100000, 4


# ---------------------------------------------------------------- the files of the catalog


def is_below(path, folder):
    return path == folder or path.startswith(folder + "/")


def folders_of(path):
    names = path.split("/")
    return ["/".join(names[:end]) for end in range(1, len(names))]


class Layer:
    """What one layer says about the folder of the catalog; paths are those below it."""

    def __init__(self, folder):
        self.folder = folder
        self.files, self.folders = {}, []
        self.hidden, self.emptied = [], []

    def below(self, name):
        return name[len(self.folder) + 1 :]

    def add(self, member, read):
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in member.name:
            wrong("a layer of a catalog has an entry that leads out")
        name = "/".join(parts)
        if parts and parts[-1].startswith(WHITEOUT):
            self.add_whiteout(parts)
        elif is_below(name, self.folder):
            self.add_entry(name, member, read)
        elif self.folder.startswith(name + "/") and not member.isdir():
            wrong("the folder of a catalog is in something that is no folder")

    def add_entry(self, name, member, read):
        if member.isdir():
            self.folders.append(self.below(name))
            return
        path = self.below(name)
        if not path or not member.isreg():
            wrong("the catalog has something else than files: %s" % name)
        if path in self.files:
            wrong("a layer has %s of the catalog twice" % path)
        self.files[path] = read(member)

    def add_whiteout(self, parts):
        opaque = parts[-1] == OPAQUE
        names = parts[:-1] if opaque else parts[:-1] + [parts[-1][len(WHITEOUT) :]]
        name = "/".join(names)
        if not name or is_below(self.folder, name):
            (self.emptied if opaque else self.hidden).append("")
        elif is_below(name, self.folder):
            (self.emptied if opaque else self.hidden).append(self.below(name))

    def hides(self, path):
        return (
            any(not own or is_below(path, own) for own in self.hidden)
            or any(not own or path.startswith(own + "/") for own in self.emptied)
            or any(folder in self.files for folder in folders_of(path))
            or path in self.folders
        )

    def apply(self, files):
        """Hides what lower layers have, then adds its own."""
        for path in [path for path in files if self.hides(path)]:
            del files[path]
        for path, content in self.files.items():
            for folder in folders_of(path):
                files.pop(folder, None)
            files[path] = content


def read_layer(chunks, folder, budget):
    layer = Layer(folder)
    try:
        with tarfile.open(fileobj=Unpacked(chunks, budget), mode="r|") as tar:

            def read(member):
                budget[1] -= member.size
                if budget[1] < 0:
                    wrong("a catalog has more than 4 GiB")
                return tar.extractfile(member).read()

            for member in tar:
                layer.add(member, read)
    except tarfile.ReadError as error:
        if str(error) != "empty file":
            wrong("a layer of a catalog is no tar: %s" % error)
    except (tarfile.TarError, zlib.error, unzstd.ZstdError, EOFError, ValueError) as error:
        wrong("a layer of a catalog cannot be unpacked: %s" % error)
    return layer


def catalog_files(bundle, manifest, folder):
    """[(path, content)] of the catalog in an image, in the order of their paths."""
    files, budget = {}, [64 * GIB, 4 * GIB]
    for layer in manifest.layers:
        read_layer(bundle.chunks(layer["digest"]), folder, budget).apply(files)
        if len(files) > FILES:
            wrong("a catalog has too many files")
    ignored = Ignored()
    documents = []
    for path in sorted(files, key=by_characters):
        if path.split("/")[-1] == IGNORE:
            if len(files[path]) > 4 * MIB:
                wrong("%s is too long" % path)
            ignored.add(path[: -len(IGNORE)], files[path].decode("utf-8", "replace"))
        else:
            documents.append(path)
    return [(path, files[path]) for path in documents if not ignored.has(path)]


def by_characters(text):
    """Orders text as ECMAScript does: by its units of UTF-16."""
    return text.encode("utf-16-be", "surrogatepass")


# ---------------------------------------------------------------- its documents


def no_constant(text):
    raise ValueError("%s is no JSON" % text)


DECODER = json.JSONDecoder(parse_constant=no_constant)
SPACE = re.compile(r"[ \t\r\n]*")


def documents_of(path, content):
    """Each document of a file as an object."""
    first = next((byte for byte in content if byte > 0x20), None)
    if first is None:
        return
    if first != 0x7B:
        if any(not re.fullmatch(rb"\s*(#.*)?|---\s*(#.*)?|\.\.\.\s*", line)
               for line in content.splitlines()):
            raise Refused(FORMAT, "%s is YAML, which this reader does not read" % path)
        return
    text = content.decode("utf-8", "replace")
    at = SPACE.match(text).end()
    while at < len(text):
        begin = at
        try:
            value, at = DECODER.raw_decode(text, at)
        except ValueError as error:
            wrong("a document of %s is no JSON: %s" % (path, error))
        except RecursionError:
            wrong("a document of %s is nested too deep" % path)
        if is_nested_deeper(text[begin:at]):
            wrong("a document of %s is nested too deep" % path)
        if text[begin] != "{" or len(text[begin:at].encode("utf-8", "replace")) > DOCUMENT:
            wrong("a document of %s is no object, or is too long" % path)
        yield value
        at = SPACE.match(text, at).end()


def folded(key):
    return key.upper().lower()


def value_of(document, name):
    """The value under a key in any case; of several spellings the last one counts."""
    keys = [key for key in document if len(key) == len(name) and folded(key) == name.lower()]
    return document[max(keys, key=by_characters)] if keys else None


def text_of(document, name):
    value = value_of(document, name)
    if value is None:
        return ""
    return value if isinstance(value, str) else wrong("%s of a document is no text" % name)


class Operator:
    """A document with the schema olm.bundle."""

    def __init__(self, document):
        self.name = text_of(document, "package") + "/" + text_of(document, "name")
        self.image = text_of(document, "image")
        self.related = []
        related = value_of(document, "relatedImages")
        if not isinstance(related, (list, type(None))):
            wrong("relatedImages of %s is no list" % self.name)
        for row in related or []:
            if not isinstance(row, (dict, type(None))):
                wrong("a related image of %s is no object" % self.name)
            self.related.append((text_of(row or {}, "name"), text_of(row or {}, "image")))

    def images(self, skipped):
        """Those that are carried, each once; some of the patterns may leave one out."""
        images = [self.image] + [
            image for name, image in self.related
            if not any(is_like(image if "/" in own else name, own) for own in skipped)
        ]
        return [image for image in dict.fromkeys(images) if image]


def is_like(text, pattern):
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part)
             for part in re.split(r"([*?])", pattern))
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def operators_in(files):
    """All bundles of the catalog, in its order."""
    found, count = [], 0
    for path, content in files:
        for document in documents_of(path, content):
            count += 1
            if count > 1000000:
                wrong("a catalog has too many documents")
            if len({folded(key) for key in document}) < len(document):
                wrong("a document of %s has one key in two spellings" % path)
            schema = text_of(document, "schema")
            if not schema:
                wrong("a document of %s has no schema" % path)
            if schema == "olm.bundle":
                found.append(Operator(document))
    return found


# ---------------------------------------------------------------- the part


def short_reference(text):
    """(repository with its registry, path at a target, tag, digest) of the name of an image."""
    bare = text[9:] if text.startswith("docker://") else text
    host, slash, _ = bare.partition("/")
    full = slash and (re.search(r"[.:\[]", host) or host == "localhost")
    prefix = "" if full else "docker.io/" if slash else "docker.io/library/"
    reference = IMAGE_REFERENCE.fullmatch(prefix + bare)
    if not reference or len(reference.group("name")) > 255:
        wrong("a bundle names an image that is none: %s" % text)
    name, tag, digest = reference.group("name", "tag", "digest")
    if not tag and not digest:
        wrong("a bundle names an image without tag and digest: %s" % text)
    path = name.split("/", 1)[1]
    return name, path if full or slash else path[len("library/") :], tag, digest


class Catalog(Part):
    """A catalog, and the images of its bundles. Their places are their paths at a target."""

    def __init__(self, index, claim, bundle, manifests):
        super().__init__(index, claim, bundle, manifests)
        self.check_claim()
        repository = IMAGE_REFERENCE.fullmatch(claim["reference"]).group("name")
        row = self.make_row("catalog", claim["reference"], [claim["tag"]],
                            repository + "@" + claim["digest"], None)
        manifest = self.chosen(claim["digest"], None, 0)
        self.leading = [blob["digest"] for blob in manifest.blobs()]
        operators = operators_in(catalog_files(bundle, manifest, self.folder_in(manifest)))
        if not set(claim["why"]) <= {operator.name for operator in operators}:
            wrong("the claim of a catalog knows why a bundle was kept that is not there")
        for key in ("skippedBundles", "droppedBundles"):
            if set(claim.get(key, {})) & {operator.name for operator in operators}:
                wrong("the catalog has a bundle that was left out")
        related = self.related(operators)
        self.attach(related)
        catalog = Image(row, "/" + claim["path"])
        if claim["digest"] == claim["from"]:
            self.attach([catalog])
        self.take([one for image in related + [catalog] for one in image.with_attached()])

    def check_claim(self):
        claim = self.claim
        texts = ["reference", "digest", "from", "path", "tag"]
        keys = KEYS + [key for key in MORE_KEYS if key in claim]
        if list(claim) != keys or not all(isinstance(claim[key], str) for key in texts):
            wrong("the claim of a catalog does not have its keys and types")
        if not IMAGE_REFERENCE.fullmatch(claim["reference"]):
            wrong("the reference of a catalog is malformed")
        if not is_digest(claim["digest"]) or not is_digest(claim["from"]):
            wrong("a digest of a catalog is none")
        if not PATH.fullmatch(claim["path"]) or not TAG.fullmatch(claim["tag"]):
            wrong("the path or the tag of a catalog is malformed")
        if claim.get("filter", "oc-mirror") != "oc-mirror":
            wrong("the filter of a catalog is not known")
        if not isinstance(claim.get("template", {}), dict):
            wrong("the template of a catalog is no object")
        patterns = claim.get("skipRelated", ["*"])
        if not is_list_of_texts(patterns) or not patterns:
            wrong("skipRelated of a catalog does not have its type")
        objects = {"pinned": is_digest, "why": is_list_of_texts, "skippedBundles": is_text,
                   "droppedBundles": is_drop}
        for key, good in objects.items():
            value = claim.get(key, {})
            if key in claim and not value and key in MORE_KEYS:
                wrong("%s of a catalog is empty" % key)
            if not isinstance(value, dict) or not all(good(own) for own in value.values()):
                wrong("%s of a catalog does not have its types" % key)
            if list(value) != sorted(value, key=by_characters):
                wrong("%s of a catalog is not in its order" % key)

    def chosen(self, digest, listed, depth):
        """The image that the catalog is read from."""
        manifest = self.manifests.get(digest, listed)
        if not manifest.is_index:
            return manifest
        if depth >= DEPTH or not manifest.children:
            wrong("the index of a catalog has no image")
        usual = [child for child in manifest.children
                 if field(child, "platform", "architecture") == "amd64"]
        child = (usual or manifest.children)[0]
        return self.chosen(child["digest"], child["mediaType"], depth + 1)

    def folder_in(self, manifest):
        config = read_json(self.bundle.content(manifest.config["digest"], 4 * MIB),
                           "the config of a catalog", CONTENT)
        label = field(config, "config", "Labels", LABEL)
        if not isinstance(label, str):
            wrong("the image of a catalog has no label that names its folder")
        parts = [part for part in label.split("/") if part not in ("", ".")]
        if not parts or ".." in parts:
            wrong("the label of a catalog names no folder")
        return "/".join(parts)

    def related(self, operators):
        """The images of bundles, in the order of their sources."""
        pinned, used, wanted = self.claim["pinned"], set(), {}
        skipped = self.claim.get("skipRelated", [])
        for text in (text for operator in operators for text in operator.images(skipped)):
            name, path, tag, digest = short_reference(text)
            if not digest:
                used.add(text)
                digest = pinned.get(text)
            source = name + ("@" + digest if digest else ":" + (tag or "latest"))
            _, tags = wanted.setdefault(source, (path, set()))
            tags.add(tag or "sha256-" + digest[7:] if digest else tag or "latest")
        if not set(pinned) <= used:
            wrong("the claim of a catalog pins an image that no bundle names so")
        return [
            Image(self.make_row("operator-image", source, sorted(tags), source, None), "/" + path)
            for source, (path, tags) in sorted(wanted.items())
            if not self.lacks("operator-image", source, source)
        ]

    def key(self):
        names = ("kind", "reference", "digest", "path", "tag")
        return tuple(self.claim[key] for key in names) + tuple(self.claim.get("skipRelated", []))


def is_drop(value):
    """Why a bundle was left out: an image, what happened, and perhaps a blob."""
    if not isinstance(value, dict) or list(value)[:2] != ["image", "reason"]:
        return False
    return (isinstance(value["image"], str) and value["reason"] in REASONS
            and (len(value) == 2 or list(value)[2:] == ["lacks"] and is_digest(value["lacks"])))


def is_text(value):
    return isinstance(value, str)


def is_list_of_texts(value):
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
