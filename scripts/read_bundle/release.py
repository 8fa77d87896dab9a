"""Derives each part of a bundle again from its claim, and compares (20, 21)."""

import base64
import binascii
import datetime
import json
import re
import tarfile
import zlib

import pgp
import unzstd
from container import (
    ARCHITECTURES, CONTENT, COSIGN, FORMAT, GIB, IMAGE_TYPES, INDEX_TYPES, KIB, MIB,
    OCI_IMAGE, OCI_INDEX, REFERENCE, TAG, TRUST, VERSION, ZSTD_MAGIC,
    Refused, Unreachable, is_digest, is_size, read_json, seconds, sha256,
)

FILES = ("image-references", "release-metadata")
FOLDER = "release-manifests"
# The config map with the KubeVirt images; its stream of JSON is a block of lines below this one.
BOOT_IMAGES = "0000_50_installer_coreos-bootimages.yaml"
STREAM = re.compile(r"( +)stream: *\|[-+]? *")
# What YAML 1.2 reads as a number; base64 has none of the other letters of numbers.
YAML_NUMBER = re.compile(r"[-+]?[0-9]+(e[-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+", re.A | re.I)


def wrong(message):
    raise Refused(CONTENT, message)


def untrusted(message):
    raise Refused(TRUST, message)


# ---------------------------------------------------------------- release signatures


def config_path(digest):
    return "config/signature-sha256-%s.yaml" % digest[7:23]


def config_map(digest, signatures):
    """The ConfigMap that these signatures make."""
    name = "sha256-" + digest[7:]
    lines = [
        "apiVersion: v1",
        "kind: ConfigMap",
        "metadata:",
        "  name: " + name,
        "  namespace: openshift-config-managed",
        "  labels:",
        '    release.openshift.io/verification-signatures: ""',
        "binaryData:",
    ]
    for number, signature in enumerate(signatures, 1):
        text = base64.b64encode(signature).decode()
        text = '"%s"' % text if YAML_NUMBER.fullmatch(text) else text
        lines.append("  %s-%d: %s" % (name, number, text))
    return ("\n".join(lines) + "\n").encode()


def take_signatures(content):
    """(digest that the config map names, signatures in it); the map has to be what they make."""
    if len(content) > 16 * MIB:
        wrong("a signature config map is too long")
    named = re.search(rb"\n  name: sha256-([0-9a-f]{64})\n", content)
    rows = re.findall(rb"\n  sha256-[0-9a-f]{64}-\d+: \"?([A-Za-z0-9+/=]*)\"?(?=\n)", content)
    if not named or not rows:
        wrong("the config map of a release is malformed")
    digest = "sha256:" + named.group(1).decode()
    try:
        signatures = [base64.b64decode(row, validate=True) for row in rows]
    except (binascii.Error, ValueError):
        wrong("the config map of a release has a signature that is no base64")
    if config_map(digest, signatures) != content:
        wrong("the config map of a release is not what its signatures make")
    return digest, signatures


def signed_reference(content, digest):
    """docker-reference of the signed JSON, which has to be for this release (21)."""
    claim = read_json(content, "the content of a release signature", TRUST)
    critical = claim.get("critical") if isinstance(claim, dict) else None
    if not isinstance(critical, dict) or not set(claim) <= {"critical", "optional"}:
        untrusted("a release signature is over something else")
    image, identity = critical.get("image"), critical.get("identity")
    optional = claim.get("optional", {})
    good = (
        set(critical) == {"type", "image", "identity"}
        and critical["type"] == "atomic container signature"
        and isinstance(image, dict)
        and set(image) == {"docker-manifest-digest"}
        and isinstance(identity, dict)
        and set(identity) == {"docker-reference"}
        and isinstance(identity["docker-reference"], str)
        and identity["docker-reference"] != ""
        and isinstance(optional, dict)
        and set(optional) <= {"creator", "timestamp"}
        and isinstance(optional.get("creator", ""), str)
        and type(optional.get("timestamp", 0)) in (int, float)
    )
    if not good:
        untrusted("the content of a release signature is malformed")
    if image["docker-manifest-digest"] != digest:
        untrusted("a release signature is for another release")
    return identity["docker-reference"]


class ReleaseKeys:
    """The keys that the reader trusts for releases."""

    def __init__(self, keys):
        self.keys = keys

    def check(self, signature, digest):
        """One release signature is good; its docker-reference."""
        if len(signature) > 50 * KIB:
            untrusted("a release signature is too long")
        try:
            content, parsed = pgp.parse_message(signature)
            pgp.verify(parsed, content, self.keys)
        except pgp.Unsupported as error:
            untrusted("this reader cannot verify the release signature: %s" % error)
        except pgp.PgpError as error:
            untrusted("release signature: %s" % error)
        return signed_reference(content, digest)


def check_claim(claim):
    """The claim of a release has its keys and types (20)."""
    keys = "kind version architecture digest reference created signatures".split()
    if claim.get("kubeVirt") is True:
        keys.append("kubeVirt")
    if list(claim) != keys or not all(isinstance(claim[key], str) for key in keys[:6]):
        wrong("the claim of a release does not have its keys and types")
    if claim["architecture"] not in list(ARCHITECTURES.values()) + ["multi"]:
        wrong("a release is of an unknown architecture")
    if claim["signatures"] != sorted(set(claim["signatures"])):
        wrong("the signatures of a claim are not in ascending order")


def check_config_map(part, bundle, keys):
    """The first docker-reference, or None of a release without signatures."""
    claimed = part.get("signatures")
    if not is_digest(part.get("digest")) or not isinstance(claimed, list):
        wrong("the claim of a release has no digest, or no list of signatures")
    if not claimed:
        return None
    path = config_path(part["digest"])
    if path not in {row["path"] for row in bundle.bundle["files"]}:
        untrusted("the config map of a release with signatures is not there")
    if path not in bundle.contents:
        raise Unreachable(path)
    digest, signatures = take_signatures(bundle.contents[path])
    if digest != part["digest"]:
        untrusted("the config map is for another release")
    references = [keys.check(signature, digest) for signature in signatures]
    if len(signatures) != len(claimed):
        untrusted("the config map has not as many signatures as the claim counts")
    if [sha256(signature) for signature in signatures] != claimed:
        wrong("the config map does not have the signatures of the claim")
    return references[0]


# ---------------------------------------------------------------- manifests


class Manifest:
    def __init__(self, digest, kind, value, size):
        self.digest, self.kind, self.size = digest, kind, size
        self.is_index = kind in INDEX_TYPES
        self.config = value.get("config")
        self.layers = value.get("layers", [])
        self.children = value.get("manifests", []) if self.is_index else []
        subject = value.get("subject") if kind in (OCI_IMAGE, OCI_INDEX) else None
        self.subject = subject.get("digest") if isinstance(subject, dict) else None

    def blobs(self):
        """Config, then layers."""
        return [] if self.is_index else [self.config] + self.layers


def is_for(child, text):
    """A manifest of an index is for this platform: without a variant, for all variants."""
    own = field(child, "platform") or {}
    names = [own.get("os"), own.get("architecture"), own.get("variant")]
    wanted = text.split("/")
    return names[: len(wanted)] == wanted


class Manifests:
    """Reads manifests; a digest has one size throughout the bundle."""

    def __init__(self, bundle):
        self.bundle = bundle
        self.known = {}
        self.total = 0
        self.rows = {row["digest"]: row for row in reversed(bundle.bundle["images"])}

    def descriptor(self, value, what, may_lack=False):
        good = (
            isinstance(value, dict)
            and isinstance(value.get("mediaType"), str)
            and is_digest(value.get("digest"))
            and is_size(value.get("size"))
        )
        if not good:
            wrong("a malformed descriptor in %s" % what)
        size = self.bundle.sizes.get(value["digest"])
        if size != value["size"] and not (may_lack and size is None):
            wrong("%s is not in the bundle with the size that %s says" % (value["digest"], what))

    def get(self, digest, listed=None):
        """The manifest; listed is the type that its place says."""
        if digest not in self.known:
            self.known[digest] = self.read(digest, listed)
        manifest = self.known[digest]
        if listed in IMAGE_TYPES + INDEX_TYPES and listed != manifest.kind:
            wrong("the manifest %s is listed as another type" % digest)
        return manifest

    def read(self, digest, listed):
        content = self.bundle.manifest(digest)
        self.total += len(content)
        if len(content) > 4 * MIB or self.total > 256 * MIB:
            wrong("the manifest %s is too long" % digest)
        value = read_json(content, "the manifest " + digest, CONTENT)
        if not isinstance(value, dict) or value.get("schemaVersion") != 2:
            wrong("the manifest %s does not have schemaVersion 2" % digest)
        kind = value.get("mediaType", listed or self.rows.get(digest, {}).get("mediaType"))
        if kind in IMAGE_TYPES:
            good = isinstance(value.get("config"), dict) and isinstance(value.get("layers"), list)
        else:
            good = kind in INDEX_TYPES and isinstance(value.get("manifests"), list)
            good = good and "config" not in value and "layers" not in value
        if not good:
            wrong("the manifest %s is malformed" % digest)
        manifest = Manifest(digest, kind, value, len(content))
        for blob in manifest.blobs():
            self.descriptor(blob, "the manifest " + digest)
        for child in manifest.children:
            self.descriptor(child, "the manifest " + digest, may_lack=True)
        if any(child["mediaType"] not in IMAGE_TYPES + INDEX_TYPES for child in manifest.children):
            wrong("the index %s lists something that is no manifest" % digest)
        return manifest

    def tree(self, digest, listed=None, depth=0, seen=None, platforms=None):
        """The manifest, then all below it, each child with its own before the next one; of an
        index only what is for one of the platforms, if there are some."""
        seen = set() if seen is None else seen
        manifest = self.get(digest, listed)
        if manifest.is_index and depth > 4:
            wrong("indexes are nested too deep")
        if digest in seen:
            return []
        seen.add(digest)
        found = [manifest]
        for child in manifest.children:
            own = platforms if child["mediaType"] in INDEX_TYPES else None
            if platforms and own is None and not any(is_for(child, text) for text in platforms):
                continue
            found += self.tree(child["digest"], child["mediaType"], depth + 1, seen, own)
        return found


# ---------------------------------------------------------------- payload


class Unpacked:
    """The tar of a layer as a file to read from; counts what all layers unpack to."""

    def __init__(self, chunks, budget):
        self.chunks, self.budget = chunks, budget
        self.stored = bytearray()  # of the layer, as it is stored
        self.ready = bytearray()  # of the tar
        first = self.pull(4)
        self.stored[:0] = first
        if first[:2] == b"\x1f\x8b":
            self.pieces = self.gunzip()
        elif first == ZSTD_MAGIC:
            self.pieces = unzstd.stream(self.pull)
        else:
            self.pieces = iter(lambda: self.pull(MIB), b"")

    def pull(self, count):
        """Up to count bytes of the layer as it is stored."""
        while len(self.stored) < count:
            piece = next(self.chunks, None)
            if piece is None:
                break
            self.stored += piece
        taken = bytes(self.stored[:count])
        del self.stored[:count]
        return taken

    def gunzip(self):
        data = self.pull(MIB)
        while data:
            opened = zlib.decompressobj(31)
            while not opened.eof:
                piece = opened.decompress(data, MIB)
                data = opened.unconsumed_tail or opened.unused_data
                if piece:
                    yield piece
                if not data and not opened.eof:
                    data = self.pull(MIB)
                    if not data:
                        raise zlib.error("gzip data is cut off")
            data = data or self.pull(MIB)

    def read(self, count):
        while len(self.ready) < count:
            piece = next(self.pieces, None)
            if piece is None:
                break
            self.budget[0] -= len(piece)
            if self.budget[0] < 0:
                wrong("the layers unpack to more than they may")
            self.ready += piece
        taken = bytes(self.ready[:count])
        del self.ready[:count]
        return taken


def scan_layer(chunks, budget, files):
    """({name: [content, …]}, {names that this layer hides from those below})."""
    found, hidden = {name: [] for name in files}, set()
    whole = {FOLDER + "/.wh..wh..opq", ".wh." + FOLDER, ".wh..wh..opq"}
    try:
        with tarfile.open(fileobj=Unpacked(chunks, budget), mode="r|") as tar:
            for member in tar:
                path = re.sub(r"^(\./+)+", "", member.name).rstrip("/")
                if path in whole:
                    hidden |= set(files)
                for name in files:
                    if path == FOLDER + "/.wh." + name:
                        hidden.add(name)
                    if path != FOLDER + "/" + name:
                        continue
                    if not member.isreg():
                        hidden.add(name)
                        continue
                    if member.size > 16 * MIB:
                        wrong("%s is too long" % name)
                    found[name].append(tar.extractfile(member).read())
    except tarfile.ReadError as error:
        if str(error) != "empty file":
            wrong("a layer of the payload is no tar: %s" % error)
    except (tarfile.TarError, zlib.error, unzstd.ZstdError, EOFError, ValueError) as error:
        wrong("a layer of the payload cannot be unpacked: %s" % error)
    return found, hidden


def read_payload(bundle, manifest, with_boot_images):
    """Both files of the payload, from the topmost layers that have them, and the bytes of the
    config map with boot images, if that is wanted: None where it is not there."""
    known, budget = {}, [8 * GIB]
    files = FILES + (BOOT_IMAGES,) * with_boot_images
    for layer in reversed(manifest.layers):
        found, hidden = scan_layer(bundle.chunks(layer["digest"]), budget, files)
        for name in set(files) - set(known):
            if len(found[name]) > 1:
                wrong("%s is twice in one layer" % name)
            if found[name]:
                known[name] = found[name][0]
            elif name in hidden and name in FILES:
                wrong("%s is hidden by a layer" % name)
            elif name in hidden:
                known[name] = None
        if len(known) == len(files):
            break
    if not set(FILES) <= set(known):
        wrong("the payload is in no layer")
    return [read_json(known[name], name, CONTENT) for name in FILES] + [known.get(BOOT_IMAGES)]


def stream_of(content):
    """The JSON in the config map. Python's own library has no reader of YAML: this one takes the
    form in which publishers write it, a block of text, and refuses all others."""
    try:
        lines = content.decode().split("\n")
    except UnicodeDecodeError:
        wrong("the boot images are no text")
    tops = [at for at, line in enumerate(lines) if line.rstrip() == "data:"]
    if len(tops) != 1:
        raise Refused(FORMAT, "the boot images have another form than this reader reads")
    rest = lines[tops[0] + 1:]
    ends = [at for at, line in enumerate(rest) if line and not line.startswith(" ")]
    data = rest[: ends[0]] if ends else rest
    heads = [at for at, line in enumerate(data) if STREAM.fullmatch(line)]
    if len(heads) != 1:
        raise Refused(FORMAT, "the boot images have another form than this reader reads")
    indent = STREAM.fullmatch(data[heads[0]]).group(1) + " "
    block = data[heads[0] + 1:]
    others = [at for at, line in enumerate(block) if line.strip() and not line.startswith(indent)]
    text = "\n".join(block[: others[0]] if others else block)
    return read_json(text.encode(), "the stream of the boot images", CONTENT)


def kubevirt_images(content, architecture):
    """(end of the tag, reference) of each KubeVirt image for the architecture; all for multi."""
    if content is None:
        return []
    stream = stream_of(content)
    if not isinstance(field(stream, "architectures"), dict):
        wrong("the boot images have no architectures")
    found = []
    for own in ARCHITECTURES.values() if architecture == "multi" else [architecture]:
        source = field(stream, "architectures", own, "images", "kubevirt", "digest-ref")
        if source in (None, ""):
            continue
        if not isinstance(source, str) or not REFERENCE.fullmatch(source):
            wrong("the KubeVirt image for %s has no reference by digest" % own)
        found.append((own, source))
    name = "kube-virt-container"
    several = len(found) > 1
    return [(name + "-" + own if several else name, source) for own, source in found]


def utc(text, fraction):
    """YYYY-MM-DDThh:mm:ss with Z or an offset, as a time in UTC; None if it is no time."""
    form = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)%s(?:Z|([+-])(\d\d):(\d\d))" % fraction
    match = re.fullmatch(form, text, re.A) if isinstance(text, str) else None
    base = seconds(match.group(1) + "Z") if match else None
    if base is None:
        return None
    if match.group(2):
        hours, minutes = int(match.group(3)), int(match.group(4))
        if hours > 23 or minutes > 59:
            return None
        base -= (hours * 3600 + minutes * 60) * (-1 if match.group(2) == "-" else 1)
    try:
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=base)
    except OverflowError:
        return None
    return "%04d" % moment.year + moment.strftime("-%m-%dT%H:%M:%SZ")


def field(value, *keys):
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def created_of(references, config):
    stamp = field(references, "metadata", "creationTimestamp")
    if stamp is None:
        return utc(field(config, "created"), r"(?:\.\d+)?") or "1970-01-01T00:00:00Z"
    return utc(stamp, "") or wrong("creationTimestamp of the payload is no time")


# ---------------------------------------------------------------- a part


def repository(reference):
    return reference.split("@")[0]


def in_order(digests):
    """A list of digests, ascending, none twice, not empty."""
    good = isinstance(digests, list) and digests and all(map(is_digest, digests))
    return good and digests == sorted(set(digests))


def json_bytes(value):
    return json.dumps(value).encode()


def index_attachments(images):
    """Rows by name, and referrers by subject."""
    by_name, by_subject = {}, {}
    for row in images:
        by_name.setdefault(row["name"], []).append(row)
        if not row["tags"] and "subject" in row:
            by_subject.setdefault(row["subject"], []).append(row)
    return by_name, by_subject


class Image:
    """A row of images, what is attached to it, and whether it belongs to a release image, to a
    component or to a graph (its place)."""

    def __init__(self, row, place):
        self.row, self.place, self.attached = row, place, []

    def with_attached(self):
        return [self] + [other for image in self.attached for other in image.with_attached()]


class Part:
    """What every kind of part has: images with what is attached to them, files, leading blobs."""

    def __init__(self, index, claim, bundle, manifests):
        self.index, self.claim, self.bundle, self.manifests = index, claim, bundle, manifests
        self.by_name, self.by_subject = index_attachments(bundle.bundle["images"])
        self.images, self.image_places, self.places = [], [], set()
        self.holes, self.listed = [], {}  # images that bundle.json says are missing
        for row in bundle.bundle.get("holes", []):
            if row["part"] == index:
                self.listed[row["name"], row["source"]] = row
        self.files = []  # (path, role)
        self.leading = []  # digests
        self.platforms = None  # what of its images is there, if not all of them
        self.counted = set()  # manifests whose attachments were looked for
        self.referrers = 0

    def take(self, images):
        """These are all images of the part, in their order."""
        self.images = [image.row for image in images]
        self.image_places = [image.place for image in images]
        self.places = {(image.row["digest"], image.place) for image in images}

    def add_lookaside(self, rows):
        """The files with signatures that are kept beside images, as the row lists them."""
        subjects = set()
        for row in self.images:
            if "subject" not in row and not row["source"].startswith("localhost/"):
                tree = self.manifests.tree(row["digest"], platforms=self.platforms)
                subjects |= {manifest.digest for manifest in tree}
        rows = rows if isinstance(rows, list) else []
        good = all(isinstance(row, dict) and list(row) == ["digest", "signatures"] for row in rows)
        if not rows or not good or not in_order([row["digest"] for row in rows]):
            wrong("lookaside is malformed")
        for row in rows:
            if row["digest"] not in subjects or not in_order(row["signatures"]):
                wrong("lookaside has signatures of something else, or not in order")
            for digest in row["signatures"]:
                self.add_signature(row["digest"], digest)

    def add_signature(self, subject, digest):
        path = "signatures/%s/%s" % (subject[7:], digest[7:23])
        if path not in {row["path"] for row in self.bundle.bundle["files"]}:
            wrong("%s is not there" % path)
        if path not in self.bundle.contents:
            raise Unreachable(path)
        message = self.bundle.contents[path]
        if sha256(message) != digest or len(message) > 50 * KIB:
            wrong("%s is not the signature of the claim" % path)
        try:
            content, _ = pgp.parse_message(message)
        except pgp.PgpError as error:
            wrong("%s: %s" % (path, error))
        claim = read_json(content, path, CONTENT)
        optional = claim.pop("optional", None) if isinstance(claim, dict) else None
        try:
            if not isinstance(optional, dict):
                untrusted("it has no optional")
            signed_reference(json_bytes(claim), subject)
        except Refused as error:
            wrong("%s: %s" % (path, error))
        self.files.append((path, "lookaside-signature"))

    def lacks(self, role, name, source):
        """Whether the bundle says that it does not have this image. Its row, as it has to be, is
        noted. An image without a digest can only be one of these."""
        row = self.listed.get((name, source))
        if row is None:
            return False if "@" in source else wrong("nothing says which image %s was" % name)
        hole = {"part": self.index, "name": name, "role": role, "source": source}
        if "@" in source:
            hole["digest"] = source.split("@")[1]
        hole.update((key, row[key]) for key in ("reason", "lacks", "size") if key in row)
        self.holes.append(hole)
        return True

    def key(self):
        """What no other part has."""
        return (self.claim["kind"], self.claim["digest"])

    def make_row(self, role, name, tags, source, subject):
        manifest = self.manifests.get(source.split("@")[1])
        row = {"name": name, "role": role, "digest": manifest.digest, "size": manifest.size,
               "mediaType": manifest.kind, "source": source, "tags": tags}
        if subject:
            row["subject"] = subject
        row["parts"] = [self.index]
        return row

    def attach(self, bearers):
        """Depth by depth: all images of the part, then their referrers, and so on. A manifest
        counts for the first image that has it."""
        for depth in range(6):
            subjects, referrers = [], []
            for image in bearers:
                own = None if "subject" in image.row else self.platforms
                for manifest in self.manifests.tree(image.row["digest"], platforms=own):
                    if manifest.digest not in self.counted:
                        self.counted.add(manifest.digest)
                        subjects.append((manifest.digest, image))
            for digest, image in subjects:
                tag = "sha256-%s.sig" % digest[7:]
                for row in self.by_name.get(tag, [])[:1]:
                    source = repository(image.row["source"]) + "@" + row["digest"]
                    image.attached.append(
                        Image(self.make_row("signature", tag, [tag], source, digest), image.place))
            for digest, image in subjects:
                rows = self.by_subject.get(digest, [])
                self.referrers += len(rows)
                if len(rows) > 1000 or self.referrers > 10000 or (rows and depth == 4):
                    wrong("too many referrers")
                for found in sorted({row["digest"] for row in rows}):
                    if self.manifests.get(found).subject != digest:
                        wrong("%s does not refer to what it is attached to" % found)
                    source = repository(image.row["source"]) + "@" + found
                    row = self.make_row("referrer", found, [], source, digest)
                    referrers.append(Image(row, image.place))
                    image.attached.append(referrers[-1])
            bearers = referrers


# ---------------------------------------------------------------- a release


def without_tag(reference):
    """The repository of a docker-reference, which may have a tag or a digest."""
    return re.sub(r":[^/:]*$", "", reference.split("@")[0])


class Release(Part):
    """One part, derived from its claim."""

    def __init__(self, index, claim, bundle, manifests, signed):
        super().__init__(index, claim, bundle, manifests)
        self.signed = signed
        self.derive()

    def derive(self):
        claim, digest = self.claim, self.claim["digest"]
        check_claim(claim)
        release = self.manifests.get(digest)
        payload = self.payload_image(release)
        config = read_json(self.bundle.content(payload.config["digest"], 4 * MIB),
                           "the config of the payload image", CONTENT)
        own = "multi" if release.is_index else ARCHITECTURES.get(field(config, "architecture"))
        if own != claim["architecture"]:
            wrong("the release has another architecture than its claim")
        wanted = claim.get("kubeVirt") is True
        references, metadata, boot = read_payload(self.bundle, payload, wanted)
        disks = kubevirt_images(boot, own)
        self.check_payload(references, metadata)
        if created_of(references, config) != claim["created"]:
            wrong("the claim has another time than the payload")
        self.check_reference()
        if claim["signatures"]:
            self.files.append((config_path(digest), "release-signature"))
        self.collect_images(references, disks)
        self.leading = self.find_leading(release, payload)

    def payload_image(self, release):
        if not release.is_index:
            return release
        children = release.children
        linux = [c for c in children if field(c, "platform", "os") == "linux"
                 and field(c, "platform", "architecture") == "amd64"]
        if not children:
            wrong("the release index is empty")
        chosen = (linux or children)[0]
        manifest = self.manifests.get(chosen["digest"], chosen["mediaType"])
        return wrong("the payload image is an index") if manifest.is_index else manifest

    def check_payload(self, references, metadata):
        version = field(references, "metadata", "name")
        good = (
            field(references, "apiVersion") == "image.openshift.io/v1"
            and field(references, "kind") == "ImageStream"
            and field(metadata, "kind") == "cincinnati-metadata-v0"
            and isinstance(version, str)
            and VERSION.fullmatch(version)
            and field(metadata, "version") == version == self.claim["version"]
        )
        if not good:
            wrong("the payload is not that of the claimed version")

    def check_reference(self):
        reference = self.claim["reference"]
        if not REFERENCE.fullmatch(reference) or reference.split("@")[1] != self.claim["digest"]:
            wrong("the reference of a release is malformed")
        if self.signed is not None and repository(reference) != without_tag(self.signed):
            wrong("the reference of a release is not in the signed repository")

    def components(self, references):
        tags = field(references, "spec", "tags")
        if not isinstance(tags, list):
            wrong("image-references has no list of tags")
        seen = []
        for tag in tags:
            if field(tag, "from", "kind") != "DockerImage":
                continue
            name, source = field(tag, "name"), field(tag, "from", "name")
            if not isinstance(name, str) or not TAG.fullmatch(name) or name in seen:
                wrong("a component without a name of its own")
            if not isinstance(source, str) or not REFERENCE.fullmatch(source):
                wrong("the component %s has no reference by digest" % name)
            seen.append(name)
            yield name, source

    def collect_images(self, references, disks):
        prefix = ("%(version)s-%(architecture)s" % self.claim).replace("+", "_")
        rows = [("release", prefix, self.claim["reference"])]
        rows += [("component", prefix + "-" + name, source)
                 for name, source in self.components(references)]
        rows += [("kubevirt", prefix + "-" + name, source) for name, source in disks]
        if len({name for _, name, _ in rows}) != len(rows):
            wrong("a component is called as the KubeVirt image is")
        images = []
        for role, name, source in rows:
            if not TAG.fullmatch(name):
                wrong("%s is no tag" % name)
            if role != "release" and self.lacks(role, name, source):
                continue
            place = "release" if role == "release" else "component"
            images.append(Image(self.make_row(role, name, [name], source, None), place))
        self.attach(images)
        self.take([other for image in images for other in image.with_attached()])

    def find_leading(self, release, payload):
        """Config and layers, the top layer first, of the payload image, then of its siblings."""
        chosen = [payload]
        for child in release.children:
            manifest = self.manifests.get(child["digest"], child["mediaType"])
            if not manifest.is_index and manifest is not payload:
                chosen.append(manifest)
        return [blob["digest"] for manifest in chosen
                for blob in [manifest.config] + manifest.layers[::-1]]
