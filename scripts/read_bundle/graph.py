"""Derives a graph part: graph data, the base images, and the graph image that is built again."""

import io
import re
import tarfile
import zlib

from container import (
    CONTENT, IMAGE_TYPES, INDEX_TYPES, MIB, OCI_INDEX, REFERENCE,
    Unreachable, is_digest, padding, read_json, sha256, strings, tar_header,
)
from release import Image, Part, field, repository, wrong

DOCKER_IMAGE, DOCKER_LIST = IMAGE_TYPES[1], INDEX_TYPES[1]
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ROOT = "var/lib/cincinnati-graph-data"
COMMAND = ["/bin/bash", "-c", "exec cp -rp /%s/* /var/lib/cincinnati/graph-data" % ROOT]
DATA_FILE = re.compile(
    r"LICENSE|version|raw/metadata\.json|"
    r"(?:blocked-edges|channels)/[A-Za-z0-9_][A-Za-z0-9._+=-]{0,120}\.yaml"
)
LONGEST, STORED = 100, 65535


# ---------------------------------------------------------------- bytes that are made again


def header(path, size, is_folder):
    """A header of ustar, whose path may be divided."""
    name, prefix = path + "/" if is_folder else path, ""
    if len(name) > LONGEST:
        slash = name.find("/", len(name) - LONGEST - 1)
        if not 0 < slash <= 155 or slash == len(name) - 1:
            wrong("a path of the graph data does not fit a header")
        name, prefix = name[slash + 1 :], name[:slash]
    block = bytearray(tar_header(name, size, 0, b"5" if is_folder else b"0"))
    if is_folder:
        block[100:108] = b"0000755\0"
    block[345 : 345 + len(prefix)] = prefix.encode("ascii")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def make_tar(files, root):
    """files is a dict of path and content; root ends with a slash, or is nothing."""
    folders = sorted({path.rsplit("/", 1)[0] for path in files if "/" in path})
    pieces = [header(root[:-1], 0, True)] if root else []
    pieces += [header(root + folder, 0, True) for folder in folders]
    for path in sorted(files):
        content = files[path]
        pieces += [header(root + path, len(content), False), content, bytes(padding(len(content)))]
    return b"".join(pieces) + bytes(1024)


def make_gzip(content):
    """One gzip file of stored blocks."""
    pieces = [bytes.fromhex("1f8b08000000000000ff")]
    for at in range(0, max(1, len(content)), STORED):
        piece = content[at : at + STORED]
        last = at + STORED >= len(content)
        size = len(piece)
        pieces += [bytes([last]), size.to_bytes(2, "little"), (size ^ STORED).to_bytes(2, "little")]
        pieces.append(piece)
    pieces.append(zlib.crc32(content).to_bytes(4, "little"))
    pieces.append((len(content) % (1 << 32)).to_bytes(4, "little"))
    return b"".join(pieces)


ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def compact(value):
    """JSON without white space, as JSON.stringify writes it."""
    if isinstance(value, str):
        return '"%s"' % re.sub(r'["\\\x00-\x1f\ud800-\udfff]', escaped, value)
    if isinstance(value, list):
        return "[%s]" % ",".join(map(compact, value))
    if isinstance(value, dict):
        rows = sorted(value.items(), key=lambda row: place_of(row[0]))
        return "{%s}" % ",".join("%s:%s" % (compact(key), compact(own)) for key, own in rows)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if isinstance(value, int) else number(value)


def escaped(match):
    return ESCAPES.get(match.group(), "\\u%04x" % ord(match.group()))


def place_of(key):
    """Whole numbers come first, ascending; sorting leaves the others as they are."""
    if re.fullmatch(r"0|[1-9][0-9]{0,9}", key) and int(key) < (1 << 32) - 1:
        return int(key)
    return 1 << 32


def number(value):
    """A number that is not whole, or very large: its shortest digits, as ECMAScript places them."""
    sign = "-" if value < 0 else ""
    digits, _, power = ("%r" % abs(value)).partition("e")
    whole, _, fraction = digits.partition(".")
    point = len(whole) + int(power or 0)
    all_digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(all_digits)
    all_digits = all_digits.rstrip("0")
    count = len(all_digits)
    if count <= point <= 21:
        return sign + all_digits + "0" * (point - count)
    if 0 < point <= 21:
        return sign + all_digits[:point] + "." + all_digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + all_digits
    mantissa = all_digits[0] + ("." + all_digits[1:] if count > 1 else "")
    return "%s%se%+d" % (sign, mantissa, point - 1)


# ---------------------------------------------------------------- the part


def take_files(archive):
    """The files of graph data; the tar has to be what they make."""
    files = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            for member in tar:
                if member.isreg() and DATA_FILE.fullmatch(member.name):
                    files[member.name] = tar.extractfile(member).read()
    except (tarfile.TarError, EOFError, ValueError) as error:
        wrong("the graph data is no tar: %s" % error)
    if "version" not in files or not any(path.startswith("channels/") for path in files):
        wrong("the graph data lacks version or channels")
    if make_tar(files, "") != archive:
        wrong("the graph data has another form")
    return files


class Graph(Part):
    """One graph, derived from its claim."""

    def __init__(self, index, claim, bundle, manifests):
        super().__init__(index, claim, bundle, manifests)
        self.check_claim()
        data = "graph/graph-data-%s.tar" % claim["digest"][7:23]
        archive = self.file(data, "graph-data", claim["digest"])
        files = take_files(archive)
        bases = []
        for architecture, digest, kind in self.base_images():
            bases.append((architecture, *self.base(architecture, digest, kind)))
        images = [image for _, image, _, _ in bases]
        self.attach(images)
        self.leading = [manifest.config["digest"] for _, _, manifest, _ in bases]
        made = self.graph_image(files, bases)
        tag = "graph-" + made[7:23]
        row = self.make_row("graph-image", "graph-image", [tag],
                            "localhost/openshift/graph-image@" + made, None)
        everything = [other for image in images for other in image.with_attached()]
        self.take(everything + [Image(row, "graph")])

    def check_claim(self):
        claim = self.claim
        if list(claim) != ["kind", "digest", "base", "architectures"]:
            wrong("the claim of a graph does not have its keys")
        names = claim["architectures"]
        good = (
            is_digest(claim["digest"])
            and isinstance(claim["base"], str)
            and REFERENCE.fullmatch(claim["base"])
            and strings(names)
            and names == sorted(set(names)) != []
        )
        if not good:
            wrong("the claim of a graph is malformed")

    def file(self, path, role, digest):
        if path not in {row["path"] for row in self.bundle.bundle["files"]}:
            wrong("the bundle does not hold %s" % path)
        if path not in self.bundle.contents:
            raise Unreachable(path)
        content = self.bundle.contents[path]
        if sha256(content) != digest:
            wrong("%s is something else" % path)
        self.files.append((path, role))
        return content

    def base_images(self):
        """(architecture, digest, type) of each base image; the type may be unknown."""
        digest = self.claim["base"].split("@")[1]
        path = "graph/base-%s.json" % digest[7:23]
        names = self.claim["architectures"]
        if path not in {row["path"] for row in self.bundle.bundle["files"]}:
            if len(names) > 1:
                wrong("the base image is for one architecture only")
            return [(names[0], digest, None)]
        index = read_json(self.file(path, "graph-base", digest), path, CONTENT)
        children = field(index, "manifests")
        if not isinstance(children, list):
            wrong("%s is no index" % path)
        found = []
        for name in names:
            own = [child for child in children if field(child, "platform", "os") == "linux"
                   and field(child, "platform", "architecture") == name]
            if not own:
                wrong("the base image has no image for %s" % name)
            if not is_digest(own[0].get("digest")):
                wrong("%s is malformed" % path)
            found.append((name, own[0]["digest"], own[0].get("mediaType")))
        return found

    def base(self, architecture, digest, kind):
        """(image, manifest, config)"""
        manifest = self.manifests.get(digest, kind)
        if manifest.is_index:
            wrong("a base image is an index")
        config = read_json(self.bundle.content(manifest.config["digest"], 4 * MIB),
                           "the config of a base image", CONTENT)
        if kind is None and field(config, "architecture") != architecture:
            wrong("the base image is for another architecture")
        diffs = field(config, "rootfs", "diff_ids")
        if not isinstance(diffs, list) or len(diffs) != len(manifest.layers):
            wrong("the config of a base image does not name its layers")
        source = repository(self.claim["base"]) + "@" + digest
        row = self.make_row("graph-base", "graph-base-" + architecture, [], source, None)
        return Image(row, "graph"), manifest, config

    def graph_image(self, files, bases):
        """The digest of the index, whose parts have to be in the bundle like others."""
        tar = make_tar(files, ROOT + "/")
        layer = make_gzip(tar)
        rows = []
        for architecture, _, manifest, config in bases:
            docker = manifest.kind == DOCKER_IMAGE
            kind = DOCKER_LAYER if docker else OCI_LAYER
            layers = manifest.layers + [described(kind, layer)]
            made = compact(config_on(config, sha256(layer), sha256(tar))).encode("utf-8")
            image = {
                "schemaVersion": 2,
                "mediaType": manifest.kind,
                "config": described(manifest.config["mediaType"], made),
                "layers": [{key: own[key] for key in ("mediaType", "size", "digest")}
                           for own in layers],
            }
            row = described(manifest.kind, compact(image).encode("utf-8"))
            row["platform"] = {"architecture": architecture, "os": "linux"}
            rows.append(row)
        docker = all(row["mediaType"] == DOCKER_IMAGE for row in rows)
        kind = DOCKER_LIST if docker else OCI_INDEX
        index = {"schemaVersion": 2, "mediaType": kind, "manifests": rows}
        return sha256(compact(index).encode("utf-8"))


def described(kind, content):
    return {"mediaType": kind, "size": len(content), "digest": sha256(content)}


def config_on(base, layer, diff):
    """The config of the base image, with what the layer adds to it."""
    own = base.get("config")
    run = {key: value for key, value in (own if isinstance(own, dict) else {}).items()
           if key != "Entrypoint"}
    run["Cmd"] = COMMAND
    history = base.get("history", [])
    created = base.get("created")
    if not isinstance(history, list):
        wrong("the config of a base image is malformed")
    row = {"created": "1970-01-01T00:00:00Z" if created is None else created,
           "created_by": "bundle: update graph " + layer}
    config = dict(base)
    config["config"] = run
    config["rootfs"] = dict(base["rootfs"], diff_ids=base["rootfs"]["diff_ids"] + [diff])
    config["history"] = history + [row]
    return config
