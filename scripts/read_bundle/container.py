"""The container of a bundle, format 1: volumes, frames, tar, listing, seal, bundle.json, digests.

Of several faults the gravest decides, so a fault is noted, and what can still be checked is
checked. Only where nothing more can be checked, Refused is raised."""

import base64
import binascii
import calendar
import datetime
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import unzstd

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
BLOCK, FRAME, META_FRAME = 128 * KIB, 64 * MIB, 8 * MIB
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
HEAD_MAGIC, SEEK_MAGIC = b"\x5b\x2a\x4d\x18", b"\x5e\x2a\x4d\x18"
SEEK_END = b"\xb1\xea\x92\x8f"
RECORD = 104
CONTENT, TRUST, FORMAT, INCOMPLETE = 20, 21, 22, 30
GRAVITY = {TRUST: 3, CONTENT: 2, FORMAT: 1, INCOMPLETE: 0}

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=-]{0,127}")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
PART_FILE = re.compile(r"(config|signatures|graph|charts)(/[A-Za-z0-9_][A-Za-z0-9._+=-]*)+")
CREATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.A)
REFERENCE = re.compile(
    r"[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}"
)
COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
PATH = re.compile(r"{0}(?:/{0})*".format(COMPONENT))
IMAGE_REFERENCE = re.compile(
    r"(?P<name>[A-Za-z0-9.-]+(?::[0-9]+)?(?:/{0})+)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{{64}}))?".format(COMPONENT)
)
NUMBER = r"(?:0|[1-9]\d*)"
VERSION = re.compile(
    r"{0}\.{0}\.{0}(?:-{1}(?:\.{1})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?".format(
        NUMBER, r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
    ),
    re.A,
)
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE_TYPES = (OCI_IMAGE, "application/vnd.docker.distribution.manifest.v2+json")
INDEX_TYPES = (OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
COSIGN = "application/vnd.dev.cosign.simplesigning.v1+json"
ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "s390x": "s390x", "ppc64le": "ppc64le"}


class Refused(Exception):
    """A fault behind which nothing more can be checked."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Unreachable(Exception):
    """A blob cannot be read, for a reason that is noted elsewhere."""


class Verdict:
    """Collects faults: of several the gravest decides (21, then 20, then 22)."""

    def __init__(self):
        self.faults = []

    def note(self, status, message):
        self.faults.append((status, message))
        if status == TRUST:
            raise Refused(TRUST, message)  # nothing is graver: no need to go on

    def gravest(self):
        ranked = sorted(self.faults, key=lambda fault: -GRAVITY[fault[0]])
        return ranked[0] if ranked else (0, "")


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def padding(size):
    return -size % 512


# ---------------------------------------------------------------- JSON


def is_nested_deeper(text, levels=500):
    """Whether lists and objects of valid JSON are nested deeper."""
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text):
        mark = token.group()
        depth += 1 if mark in "[{" else -1 if mark in "]}" else 0
        if depth > levels:
            return True
    return False


def read_json(data, what, status):
    """Strict JSON: UTF-8, no byte order mark, no key twice, no integer beyond 2^53 - 1, 500 levels."""

    def whole(text):
        number = int(text) if len(text) < 20 else 1 << 60
        if abs(number) > (1 << 53) - 1:
            raise ValueError("integer too large")
        return number

    def unique(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a key twice")
        return dict(pairs)

    def constant(text):
        raise ValueError(text)

    def by_value(text):
        number = float(text)
        return int(number) if abs(number) < 1 << 53 and number.is_integer() else number

    try:
        text = data.decode("utf-8")
        if text.startswith("\ufeff"):
            raise ValueError("byte order mark")
        value = json.loads(text, object_pairs_hook=unique, parse_int=whole,
                           parse_float=by_value, parse_constant=constant)
        if is_nested_deeper(text):
            raise ValueError("nested too deep")
        return value
    except (ValueError, RecursionError) as error:
        raise Refused(status, "%s is no strict JSON: %s" % (what, error))


def write_json(value):
    try:
        return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    except UnicodeEncodeError:
        raise Refused(FORMAT, "JSON with half a surrogate pair")


def is_size(value):
    return type(value) is int and value >= 0


def is_digest(value):
    return isinstance(value, str) and bool(DIGEST.fullmatch(value))


def seconds(created):
    """Seconds since 1970 of YYYY-MM-DDThh:mm:ssZ, or None."""
    if not isinstance(created, str) or not CREATED.fullmatch(created):
        return None
    try:
        moment = datetime.datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return None
    return calendar.timegm(moment.timetuple())


# ---------------------------------------------------------------- what bytes have to be


def tar_header(path, size, time, kind=b"0"):
    block = bytearray(512)
    block[0 : len(path)] = path.encode("ascii")
    block[100:108] = b"0000644\0"
    block[108:116] = block[116:124] = block[329:337] = block[337:345] = b"0000000\0"
    block[124:136] = b"%011o\0" % size
    block[136:148] = b"%011o\0" % time
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def entry_head(path, size, time):
    """All blocks in front of the content."""
    if size < 8 * GIB:
        return tar_header(path, size, time)
    text = " size=%d\n" % size
    length = len(text) + 1
    while len(str(length)) + len(text) != length:
        length += 1
    record = ("%d%s" % (length, text)).encode()
    extended = tar_header("PaxHeader", len(record), time, b"x")
    return extended + record.ljust(512, b"\0") + tar_header(path, 0, time)


def head_length(size):
    return 512 if size < 8 * GIB else 1536


def entry_length(size):
    return head_length(size) + size + padding(size)


def entry(path, content, time):
    return entry_head(path, len(content), time) + content + b"\0" * padding(len(content))


def stored_header(size):
    return ZSTD_MAGIC + b"\xc0\x38" + size.to_bytes(8, "little")


def stored_length(size):
    return 14 + size + 3 * max(1, -(-size // BLOCK))


def block_header(size, last):
    return (size * 8 + last).to_bytes(3, "little")


def skippable(magic, content):
    return magic + len(content).to_bytes(4, "little") + content


def make_record(number, count, digest, start, length, lengths):
    fields = b"OCPBUNDL" + b"".join(n.to_bytes(4, "little") for n in (1, number, count, 0))
    fields += digest
    return fields + b"".join(n.to_bytes(8, "little") for n in (start, length) + tuple(lengths))


# ---------------------------------------------------------------- volumes


class Volume:
    """Where a volume lies in a file, and what its record says (nothing, if it has no tail)."""

    def __init__(self, file, path, start, end, record=None):
        self.file, self.path, self.start, self.end = file, path, start, end
        self.number, self.count, self.digest, self.tar_start, self.tar_length = 1, 1, None, 0, None
        self.lengths = None
        self.tail = None  # where the record's frame begins
        self.rows = []  # of its seek table: length in the file, length of tar
        if record:
            self.number = int.from_bytes(record[12:16], "little")
            self.count = int.from_bytes(record[16:20], "little")
            self.digest = record[24:56]
            numbers = [int.from_bytes(record[k : k + 8], "little") for k in range(56, 104, 8)]
            self.tar_start, self.tar_length = numbers[:2]
            self.lengths = numbers[2:]

    def read(self, at, length):
        """Up to length bytes, never beyond the volume."""
        self.file.seek(at)
        return self.file.read(max(0, min(length, self.end - at)))


def volume_before(file, path, end):
    """The volume that ends at end, found by its seek table."""
    whole = Volume(file, path, 0, end)
    last = whole.read(max(0, end - 9), 9)
    if len(last) < 9 or last[4:] != b"\0" + SEEK_END:
        raise Refused(FORMAT, "%s does not end with a seek table" % path)
    rows = int.from_bytes(last[:4], "little")
    length = rows * 8 + 9
    table = end - 8 - length
    tail = table - 8 - RECORD
    if tail < 0:
        raise Refused(FORMAT, "%s: the seek table is longer than the file" % path)
    data = whole.read(tail, end - tail)
    record = data[8 : 8 + RECORD]
    framed = skippable(HEAD_MAGIC, record) + SEEK_MAGIC + length.to_bytes(4, "little")
    if not data.startswith(framed) or not record.startswith(b"OCPBUNDL\1\0\0\0"):
        raise Refused(FORMAT, "%s: there is no record in front of the seek table" % path)
    numbers = struct.unpack("<%dI" % (rows * 2), data[len(framed) : -9])
    total = sum(numbers[::2])
    start = end - (total + 8 + length)
    volume = Volume(file, path, start, end, record)
    volume.tail, volume.rows = tail, list(zip(numbers[::2], numbers[1::2]))
    return volume


def find_volumes(paths, verdict):
    """All volumes of all files. A file that does not end as a volume counts as one, whole."""
    volumes = []
    for path in paths:
        file = sys.stdin.buffer if path == "-" else open(path, "rb")
        if path == "-":
            copy = tempfile.TemporaryFile()
            shutil.copyfileobj(file, copy)
            file = copy
        own, end = [], file.seek(0, os.SEEK_END)
        try:
            while end > 0 or not own:
                if len(own) == 999:
                    raise Refused(FORMAT, "%s holds more than 999 volumes" % path)
                volume = volume_before(file, path, end)
                if volume.start < 0:
                    volume.start, end = 0, 0
                    own.insert(0, volume)
                    raise Refused(FORMAT, "%s: the seek table covers more than the file" % path)
                end = volume.start
                own.insert(0, volume)
        except Refused as error:
            verdict.note(error.status, str(error))
            if not own:
                own.append(Volume(file, path, 0, end))
        numbers = [volume.number for volume in own]
        if path == "-" and numbers != sorted(numbers):
            raise Refused(FORMAT, "the volumes in a pipe are not in their order")
        volumes += own
    check_set(volumes, verdict)
    return sorted(volumes, key=lambda volume: volume.number)


def check_set(volumes, verdict):
    """All volumes are there, each once, all of the same bundle."""
    if not volumes:
        raise Refused(FORMAT, "an empty file is no bundle")
    counts = {volume.count for volume in volumes}
    if len(counts) != 1 or len({volume.digest for volume in volumes}) != 1:
        verdict.note(FORMAT, "the volumes are not of one bundle")
    numbers = sorted(volume.number for volume in volumes)
    if max(counts) > 999 or numbers != list(range(1, len(numbers) + 1)) or counts != {len(numbers)}:
        verdict.note(FORMAT, "a volume is missing, or there twice (there are %s)" % numbers[:20])


# ---------------------------------------------------------------- the head


class Head:
    """SHA256SUMS and its seal; bundle.json and time only as far as known."""

    def __init__(self, sums, sig, pub):
        self.sums, self.sig, self.pub = sums, sig, pub
        self.bundle = self.time = None
        self.der = None


def read_stored(volume, at):
    """One stored frame: its content and the place behind it."""
    header = volume.read(at, 14)
    size = int.from_bytes(header[6:14], "little")
    if header != stored_header(size) or not 0 < size <= FRAME:
        raise Refused(FORMAT, "no stored frame at byte %d" % at)
    raw = volume.read(at + 14, stored_length(size) - 14)
    content = bytearray()
    for k in range(0, size, BLOCK):
        length = min(BLOCK, size - k)
        begin = k // BLOCK * (BLOCK + 3)
        if raw[begin : begin + 3] != block_header(length, k + length == size):
            raise Refused(FORMAT, "a wrong block header in the frame at byte %d" % at)
        content += raw[begin + 3 : begin + 3 + length]
    if len(content) != size:
        raise Refused(FORMAT, "the file ends within the frame at byte %d" % at)
    return bytes(content), at + stored_length(size)


def octal(field):
    if not re.fullmatch(rb"[0-7]{11}\0", field):
        raise Refused(FORMAT, "a malformed number in a tar header")
    return int(field[:11], 8)


def take_entry(tar, at, path, limit, time):
    """The content of the entry at this place, its time, and the place behind it."""
    header = tar[at : at + 512]
    size, own = octal(header[124:136]), octal(header[136:148])
    if header != tar_header(path, size, own) or time not in (None, own):
        raise Refused(FORMAT, "the tar header of %s is not as computed" % path)
    if size > limit:
        raise Refused(FORMAT, "%s is too long" % path)
    end = at + 512 + size
    if len(tar) >= end + padding(size) and any(tar[end : end + padding(size)]):
        raise Refused(FORMAT, "the padding behind %s is not zero" % path)
    return tar[at + 512 : end], own, end + padding(size)


def front_head(volume):
    """The head that stands in front of the tar."""
    tar, at = read_stored(volume, volume.start)
    size = octal(tar[124:136])
    total = entry_length(size)
    if size > 64 * MIB or len(tar) != min(total, FRAME):
        raise Refused(FORMAT, "the listing is not cut into frames as it has to be")
    while len(tar) < total:
        more, at = read_stored(volume, at)
        if len(more) != min(FRAME, total - len(tar)):
            raise Refused(FORMAT, "the listing is not cut into frames as it has to be")
        tar += more
    sums, time, _ = take_entry(tar, 0, "SHA256SUMS", 64 * MIB, None)
    seal, at = read_stored(volume, at)
    sig, _, end = take_entry(seal, 0, "SHA256SUMS.sig", 64 * KIB, time)
    pub, _, end = take_entry(seal, end, "SHA256SUMS.pub", 64 * KIB, time)
    if end != len(seal):
        raise Refused(FORMAT, "the seal does not end with its second entry")
    head = Head(sums, sig, pub)
    head.time = time
    return head


def copied_heads(volumes):
    """The heads in the head copies that can be found."""
    for volume in volumes:
        limits = (64 * MIB, 64 * KIB, 64 * KIB, 64 * MIB)
        if not volume.lengths or any(n > most for n, most in zip(volume.lengths, limits)):
            continue
        length = 8 + RECORD + sum(volume.lengths)
        places = [volume.start] if volume.number > 1 else []
        for at in places + [volume.tail - length]:
            data = volume.read(at, length) if at >= 0 else b""
            if data[:8] != HEAD_MAGIC + (length - 8).to_bytes(4, "little"):
                continue
            files, begin = [], 8 + RECORD
            for size in volume.lengths:
                files.append(data[begin : begin + size])
                begin += size
            head = Head(*files[:3])
            head.bundle = files[3]
            yield head


def openssl(arguments, files=()):
    """Runs openssl on temporary files; {0}, {1} in the arguments are their paths."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for index, data in enumerate(files):
            paths.append(os.path.join(folder, str(index)))
            with open(paths[-1], "wb") as file:
                file.write(data)
        command = ["openssl"] + [argument.format(*paths) for argument in arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout if done.returncode == 0 else None


def key_der(pem):
    """The SubjectPublicKeyInfo as openssl writes it, and the kind of key; else 21."""
    block = rb"-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END PUBLIC KEY-----\s*"
    body = re.fullmatch(block, pem)
    if not body:
        raise Refused(TRUST, "the key is not one PEM block")
    convert = ["pkey", "-pubin", "-in", "{0}", "-pubout", "-outform", "DER"]
    der = openssl(convert, [pem])
    if der and bytes.fromhex("06072a8648ce3d0201") in der[:32]:
        der = openssl(convert + ["-ec_conv_form", "uncompressed", "-ec_param_enc", "named_curve"],
                      [pem])
    der = der or b""
    if not der or base64.b64decode(body.group(1)) != der:
        raise Refused(TRUST, "the key is not in the encoding of the page")
    if len(der) == 44 and der.startswith(bytes.fromhex("302a300506032b6570032100")):
        return der, "ed25519"
    p256 = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
    p384 = "3076301006072a8648ce3d020106052b8104002203620004"
    if der.startswith((bytes.fromhex(p256), bytes.fromhex(p384))):
        return der, "ecdsa"
    if bytes.fromhex("300d06092a864886f70d0101010500") == der[4:19]:
        shown = openssl(["pkey", "-pubin", "-in", "{0}", "-noout", "-text"], [pem]) or b""
        bits = re.search(rb"\((\d+) bit\)", shown)
        if bits and int(bits.group(1)) >= 2048:
            return der, "rsa"
    raise Refused(TRUST, "the key is none that may sign a bundle")


def as_pem(der):
    text = base64.b64encode(der)
    lines = b"".join(text[k : k + 64] + b"\n" for k in range(0, len(text), 64))
    return b"-----BEGIN PUBLIC KEY-----\n" + lines + b"-----END PUBLIC KEY-----\n"


def check_seal(head):
    """SHA256SUMS.sig is base64 (22), the key is one that may sign (21), it did sign (21)."""
    try:
        signature = base64.b64decode(head.sig[:-1], validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if not signature or base64.b64encode(signature) + b"\n" != head.sig:
        raise Refused(FORMAT, "SHA256SUMS.sig is no base64 on one line")
    head.der, kind = key_der(head.pub)
    files = [as_pem(head.der), signature, head.sums]
    if kind == "ed25519":
        command = ["pkeyutl", "-verify", "-pubin", "-inkey", "{0}", "-sigfile", "{1}",
                   "-rawin", "-in", "{2}"]
    else:
        command = ["dgst", "-sha256", "-verify", "{0}", "-signature", "{1}", "{2}"]
    if openssl(command, files) is None:
        if not head.sums:  # openssl 3.0 verifies Ed25519 over no empty file
            raise Refused(FORMAT, "SHA256SUMS is empty")
        raise Refused(TRUST, "the signature over SHA256SUMS is not good")


def find_head(volumes, verdict):
    """The first head with a good signature: the one in front, then the copies."""
    first = volumes[0]
    faults = []
    try:
        if first.number != 1:
            raise Refused(FORMAT, "volume 1 is missing")
        head = front_head(first)
        check_seal(head)
        return head
    except Refused as error:
        faults.append(error)
    for head in copied_heads(volumes):
        try:
            check_seal(head)
            verdict.note(FORMAT, "the head in front is damaged: %s" % faults[0])
            return head
        except Refused as error:
            faults.append(error)
    for error in faults:
        verdict.note(error.status, str(error))
    raise faults[0]


def read_sums(data):
    """[(path, digest)] of SHA256SUMS; its form is checked (22)."""
    rows, seen = [], set()
    lines = data.split(b"\n")
    for line in lines[:-1]:
        match = re.fullmatch(rb"([0-9a-f]{64})  ([!-~]{1,128})", line)
        if not match:
            raise Refused(FORMAT, "SHA256SUMS has a malformed line")
        hexed, path = match.group(1).decode(), match.group(2).decode()
        blob = path == "blobs/sha256/" + hexed
        own = path in ("bundle.json", "oci-layout", "index.json")
        part = bool(PART_FILE.fullmatch(path)) and len(path) <= 99
        if path in seen or not (blob or own or part):
            raise Refused(FORMAT, "SHA256SUMS lists a path that it must not: %s" % path)
        seen.add(path)
        rows.append((path, "sha256:" + hexed))
    if lines[-1] or not rows or rows[0][0] != "bundle.json":
        raise Refused(FORMAT, "SHA256SUMS does not have its form")
    return rows


# ---------------------------------------------------------------- bundle.json


def is_object(value, keys, *optional):
    """value has exactly these keys in this order, some of them perhaps not."""
    if not isinstance(value, dict):
        return False
    return list(value) == [key for key in keys if key in value or key not in optional]


def strings(value):
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def is_part(part):
    """A row of parts has a kind, in front. The claim behind it is judged when it is derived."""
    if not isinstance(part, dict) or not isinstance(part.get("kind"), str):
        return False
    return list(part)[0] == "kind"


def is_image(row, parts):
    keys = "name role digest size mediaType source tags subject parts".split()
    return (
        is_object(row, keys, "subject")
        and all(isinstance(row[key], str) for key in ("name", "role", "mediaType", "source"))
        and is_digest(row["digest"])
        and is_size(row["size"])
        and strings(row["tags"])
        and is_digest(row.get("subject", row["digest"]))
        and isinstance(row["parts"], list)
        and all(is_size(number) and number < parts for number in row["parts"])
        and row["parts"] == sorted(set(row["parts"])) != []
    )


def is_file(row):
    return (
        is_object(row, ["path", "role", "digest", "size"])
        and isinstance(row["path"], str)
        and isinstance(row["role"], str)
        and is_digest(row["digest"])
        and is_size(row["size"])
    )


def is_blob(row):
    return is_object(row, ["digest", "size"]) and is_digest(row["digest"]) and is_size(row["size"])


def is_required(row):
    return (
        is_object(row, ["bundle", "name", "assumed", "blobs"], "assumed")
        and row.get("assumed", True) is True
        and is_digest(row["bundle"])
        and isinstance(row["name"], str)
        and NAME.fullmatch(row["name"])
        and isinstance(row["blobs"], list)
        and row["blobs"] != []
        and all(is_blob(blob) for blob in row["blobs"])
    )


def is_hole(row, parts):
    keys = "part name role source digest reason lacks size".split()
    return (
        is_object(row, keys, "digest", "lacks", "size")
        and is_size(row["part"])
        and row["part"] < parts
        and all(isinstance(row[key], str) for key in ("name", "role", "source"))
        and row["reason"] in ("not-found", "not-allowed", "wrong-content", "unreadable")
        and all(is_digest(row[key]) for key in ("digest", "lacks") if key in row)
        and is_size(row.get("size", 0))
    )


def is_some(bundle, key, is_row):
    """A list that is left out where it would be empty."""
    if key not in bundle:
        return True
    rows = bundle[key]
    return isinstance(rows, list) and rows != [] and all(is_row(row) for row in rows)


def is_each_once(values):
    return len(set(values)) == len(values)


def read_bundle(data):
    """bundle.json, checked for its form and types (22)."""
    bundle = read_json(data, "bundle.json", FORMAT)
    keys = "format name repairs requires parts images holes files blobs".split()
    lists = "parts images files blobs".split()
    if isinstance(bundle, dict) and "releases" in bundle:
        raise Refused(FORMAT, "the bundle was made before format 1 had parts")
    good = (
        is_object(bundle, keys, "repairs", "requires", "holes")
        and type(bundle["format"]) is int
        and bundle["format"] == 1
        and isinstance(bundle["name"], str)
        and NAME.fullmatch(bundle["name"])
        and is_digest(bundle.get("repairs", "sha256:" + "0" * 64))
        and all(isinstance(bundle[key], list) for key in lists)
        and is_some(bundle, "requires", is_required)
        and is_each_once([row["bundle"] for row in bundle.get("requires", [])])
        and is_some(bundle, "holes", lambda row: is_hole(row, len(bundle["parts"])))
        and 1 <= len(bundle["parts"]) <= 1000
        and all(is_part(part) for part in bundle["parts"])
        and all(is_image(row, len(bundle["parts"])) for row in bundle["images"])
        and all(is_file(row) for row in bundle["files"])
        and all(is_blob(row) for row in bundle["blobs"])
    )
    if not good:
        raise Refused(FORMAT, "bundle.json does not have its keys and types")
    if write_json(bundle) != data:
        raise Refused(FORMAT, "bundle.json is not in canonical form")
    return bundle


def time_of(bundle):
    times = [seconds(part.get("created")) for part in bundle["parts"]]
    return max([0] + [time for time in times if time is not None])


def index_of(bundle):
    rows = [
        {
            "mediaType": row["mediaType"],
            "digest": row["digest"],
            "size": row["size"],
            "annotations": {"org.opencontainers.image.ref.name": row["name"]},
        }
        for row in bundle["images"]
    ]
    return write_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows})


def check_names(volumes, bundle, sums):
    """Each file has the signed name (21). A pipe has no name."""
    wanted = bundle["name"]
    if "repairs" in bundle:
        wanted += ".%s.patch" % hashlib.sha256(sums).hexdigest()[:8]
    for path in {volume.path for volume in volumes} - {"-"}:
        name = re.sub(r"\.tar\.zst(\.[0-9]{3})?$", "", os.path.basename(path), flags=re.A)
        if name != wanted:
            raise Refused(TRUST, "%s is not called %s, as is signed" % (path, wanted))


# ---------------------------------------------------------------- metadata


class Metadata:
    """Decodes the compressed frames, as many as belong to the metadata."""

    def __init__(self, volume, at):
        self.volume, self.at = volume, at
        self.tar = bytearray()
        self.frames = []  # (length in the file, length of tar)

    def next_frame(self):
        if self.frames and self.frames[-1][1] != META_FRAME:
            raise Refused(FORMAT, "the metadata ends too early")
        data = self.volume.read(self.at, 18)
        try:
            header = unzstd.frame_header(data)
            if header is None:
                raise unzstd.ZstdError("the file ends here")
            length, window, size, _, descriptor = header
            if descriptor & 31 or not size or size > META_FRAME or window > 64 * MIB:
                raise unzstd.ZstdError("not a frame that metadata may have")
            decoder, at = unzstd.Decoder(window), self.at + length
            last = 0
            while not last:
                number = int.from_bytes(self.volume.read(at, 3), "little")
                last, kind, length = number & 1, number >> 1 & 3, number >> 3
                raw = 1 if kind == 1 else length
                block = self.volume.read(at + 3, raw)
                if at + 3 + raw > self.volume.end or kind == 3 or length > BLOCK:
                    raise unzstd.ZstdError("a malformed block, or the file ends here")
                decoder.block(kind, block, length)
                at += 3 + raw
                if len(decoder.out) > size or at - self.at > 128 * MIB:
                    raise unzstd.ZstdError("a frame is longer than it may be")
            if len(decoder.out) != size:
                raise unzstd.ZstdError("a frame is shorter than its header says")
        except unzstd.ZstdError as error:
            raise Refused(FORMAT, "the frame at byte %d: %s" % (self.at, error))
        self.frames.append((at - self.at, size))
        self.tar += decoder.out
        self.at = at
        if len(self.tar) > 256 * MIB:
            raise Refused(FORMAT, "the metadata is too long")

    def need(self, length):
        while len(self.tar) < length:
            self.next_frame()

    def goes_on(self):
        """Only at a multiple of 8 MiB the next 14 bytes decide."""
        if len(self.tar) % META_FRAME:
            return False
        data = self.volume.read(self.at, 14)
        size = int.from_bytes(data[6:14], "little")
        stored = data == stored_header(size) and 1 <= size <= FRAME
        return data[:4] == ZSTD_MAGIC and not stored

    def bundle_json(self, time):
        self.need(512)
        size = octal(bytes(self.tar[124:136]))
        if size <= 64 * MIB:
            self.need(entry_length(size))
        return take_entry(bytes(self.tar), 0, "bundle.json", 64 * MIB, time)[0]

    def count_blobs(self, first, sizes):
        """How many blobs stand in the metadata, whose other entries have the length first."""
        length, count = first, 0
        self.need(length)
        while True:
            while length < len(self.tar) and count < len(sizes):
                length += entry_length(sizes[count])
                count += 1
            if length < len(self.tar):
                raise Refused(FORMAT, "there is more metadata than entries")
            if length == len(self.tar) and not self.goes_on():
                return count
            self.next_frame()


def check_closure(sums, bundle):
    """SHA256SUMS lists bundle.json, files[] and blobs[], in this order (20)."""
    wanted = [(row["path"], row["digest"]) for row in bundle["files"]]
    wanted += [("blobs/sha256/" + row["digest"][7:], row["digest"]) for row in bundle["blobs"]]
    if sums[1:] != wanted:
        raise Refused(CONTENT, "SHA256SUMS and bundle.json do not list the same")


def check_metadata(metadata, count, bundle, raw, time):
    """Headers and padding (22), digests (20), oci-layout and index.json (22): the first fault in
    the order of the tar decides. The contents by path."""
    contents = {}
    if not bundle["files"]:
        check_layout(contents, bundle)
    at = entry_length(len(raw))
    rows = [(row["path"], row) for row in bundle["files"]]
    rows += [("blobs/sha256/" + row["digest"][7:], row) for row in bundle["blobs"][:count]]
    for number, (path, row) in enumerate(rows):
        size = row["size"]
        begin = at + head_length(size)
        content = bytes(metadata.tar[begin : begin + size])
        if metadata.tar[at:begin] != entry_head(path, size, time):
            raise Refused(FORMAT, "the tar header of %s is not as computed" % path)
        at += entry_length(size)
        if any(metadata.tar[begin + size : at]):
            raise Refused(FORMAT, "the padding behind %s is not zero" % path)
        if sha256(content) != row["digest"]:
            raise Refused(CONTENT, "%s does not have its digest" % path)
        contents[path] = content
        if number + 1 == len(bundle["files"]):
            check_layout(contents, bundle)
    if time != time_of(bundle):
        raise Refused(FORMAT, "the time of the entries is not that of the parts")
    return contents


OCI_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}\n'


def check_layout(contents, bundle):
    """oci-layout and index.json (22)."""
    layout = [(row["path"], row["role"]) for row in bundle["files"][:2]]
    if layout != [("oci-layout", "layout"), ("index.json", "layout")]:
        raise Refused(FORMAT, "files does not begin with oci-layout and index.json")
    if contents["oci-layout"] != OCI_LAYOUT:
        raise Refused(FORMAT, "oci-layout is not as it has to be")
    if contents["index.json"] != index_of(bundle):
        raise Refused(FORMAT, "index.json is not as it has to be")


def read_metadata(volume, at, sums, head):
    """bundle.json, the frames, and what they hold. Refused with the first fault."""
    metadata = Metadata(volume, at)
    raw = metadata.bundle_json(head.time)
    bundle = signed_bundle(raw, sums)
    length = entry_length(len(raw)) + sum(entry_length(row["size"]) for row in bundle["files"])
    count = metadata.count_blobs(length, [row["size"] for row in bundle["blobs"]])
    contents = check_metadata(metadata, count, bundle, raw, head.time)
    return raw, bundle, metadata, count, contents


def signed_bundle(raw, sums):
    """bundle.json with the digest that is signed (20), in its form (22), listing the same (20)."""
    if sha256(raw) != sums[0][1]:
        raise Refused(CONTENT, "bundle.json does not have its digest")
    bundle = read_bundle(raw)
    check_closure(sums, bundle)
    if any(row["size"] > 64 * MIB for row in bundle["files"]):
        raise Refused(FORMAT, "a file is too long")
    return bundle


def salvage_metadata(volumes, at, sums, fault):
    """What can be had of damaged metadata: bundle.json of a head copy, the frames that the seek
    table lists, and the files and manifests that have their digests. Else the fault ends all."""
    copies = [head.bundle for head in copied_heads(volumes)]
    raw = next((copy for copy in copies if sha256(copy) == sums[0][1]), None)
    if raw is None:
        raise fault
    bundle = signed_bundle(raw, sums)
    rows = [("bundle.json", sums[0][1], len(raw))]
    rows += [(row["path"], row["digest"], row["size"]) for row in bundle["files"]]
    least = len(rows)
    rows += [("blobs/sha256/" + row["digest"][7:], row["digest"], row["size"])
             for row in bundle["blobs"]]
    ends, end = {}, 0
    for number, (_, _, size) in enumerate(rows, 1):
        end += entry_length(size)
        if number >= least:
            ends[end] = number
    metadata, covered, place = Metadata(volumes[0], at), 0, at
    for length, size in volumes[0].rows[2:]:
        metadata.frames.append((length, size))
        covered, place = covered + size, place + length
        if covered > 256 * MIB or size > META_FRAME:
            raise fault
        if covered in ends:
            break
    if covered not in ends:
        raise fault
    listed = metadata.frames
    try:
        reread = Metadata(volumes[0], at)
        while len(reread.tar) < covered:
            reread.next_frame()
        metadata.tar = reread.tar if reread.frames == listed else bytearray(covered)
    except Refused:
        metadata.tar = bytearray(covered)
    computed = {"oci-layout": OCI_LAYOUT, "index.json": index_of(bundle)}
    contents, begin = {}, 0
    for path, digest, size in rows[: ends[covered]]:
        content = bytes(metadata.tar[begin + head_length(size) :][:size])
        begin += entry_length(size)
        for known in (content, computed.get(path, content)):
            if sha256(known) == digest:
                contents[path] = known
    contents.pop("bundle.json", None)
    return raw, bundle, metadata, ends[covered] - least, contents


# ---------------------------------------------------------------- frames and tail


class Section:
    """A piece of tar that begins a new frame: where it lies, and what it consists of."""

    def __init__(self, kind, start, length, head=b"", digest=None, size=0):
        self.kind, self.start, self.length = kind, start, length
        self.head, self.digest, self.size = head, digest, size


def make_sections(head, metadata, bundle, count):
    """All sections of the tar."""
    listing = entry("SHA256SUMS", head.sums, head.time)
    seal = entry("SHA256SUMS.sig", head.sig, head.time)
    seal += entry("SHA256SUMS.pub", head.pub, head.time)
    sections = [Section("fixed", 0, len(listing), listing)]
    at = len(listing)
    sections.append(Section("fixed", at, len(seal), seal))
    at += len(seal)
    sections.append(Section("metadata", at, len(metadata.tar)))
    at += len(metadata.tar)
    for row in bundle["blobs"][count:]:
        path = "blobs/sha256/" + row["digest"][7:]
        start = entry_head(path, row["size"], head.time)
        length = entry_length(row["size"])
        sections.append(Section("blob", at, length, start, row["digest"], row["size"]))
        at += length
    sections.append(Section("fixed", at, 1024, b"\0" * 1024))
    return sections


class Frame:
    def __init__(self, volume, at, length, section, begin, size):
        self.volume, self.at, self.length = volume, at, length
        self.section, self.begin, self.size = section, begin, size  # begin: within the section


def plan_volume(volume, sections, metadata, copy):
    """The frames that a volume has to have, and the place where its tail begins."""
    begin = volume.tar_start
    end = sections[-1].start + 1024
    if volume.tar_length is not None:
        end = min(end, begin + volume.tar_length)
    frames, at = [], volume.start + (copy if volume.number > 1 else 0)
    for section in sections:
        low = max(begin, section.start)
        high = min(end, section.start + section.length)
        if low >= high:
            continue
        if section.kind == "metadata":
            for length, size in metadata.frames:
                frames.append(Frame(volume, at, length, section, low - section.start, size))
                low, at = low + size, at + length
            continue
        while low < high and at < volume.end:  # sizes are not believed: no rows without file
            size = min(FRAME, high - low)
            length = stored_length(size)
            frames.append(Frame(volume, at, length, section, low - section.start, size))
            low, at = low + size, at + length
    return frames, at


def check_cuts(volumes, sections, verdict):
    """The volumes fit together, and are cut only where they may be (22)."""
    total = sections[-1].start + 1024
    at = 0
    for volume in volumes:
        if volume.tar_length is None:
            continue  # it has no tail: that is noted already
        if volume.tar_start != at or volume.tar_length <= 0:
            verdict.note(FORMAT, "volume %d does not begin where the one before ends"
                         % volume.number)
        at = volume.tar_start + volume.tar_length
        inside = [s for s in sections if s.start < at < s.start + s.length]
        for section in inside:
            if section.kind != "blob" or at % 512 or at - section.start < len(section.head):
                verdict.note(FORMAT, "volume %d is cut where it must not be" % volume.number)
        if (at >= total) != (volume.number == volume.count) or at > total:
            verdict.note(FORMAT, "volume %d does not end where it has to" % volume.number)
        if volume.number == 1 and at < sections[3].start:
            verdict.note(FORMAT, "the metadata is not whole in volume 1")


def check_tail(volume, frames, tail, head, raw, verdict):
    """Head copies, record and seek table are as computed (22)."""
    if volume.tar_length is None:
        return
    files = (head.sums, head.sig, head.pub, raw)
    digest = hashlib.sha256(head.sums).digest()
    record = make_record(volume.number, volume.count, digest, volume.tar_start,
                         volume.tar_length, [len(data) for data in files])
    copy = skippable(HEAD_MAGIC, record + b"".join(files))
    row = len(copy).to_bytes(4, "little") + b"\0" * 4
    rows = [f.length.to_bytes(4, "little") + f.size.to_bytes(4, "little") for f in frames]
    wanted = b""
    if volume.number > 1:
        rows.insert(0, row)
        if volume.read(volume.start, len(copy)) != copy:
            verdict.note(FORMAT, "volume %d does not begin with its head copy" % volume.number)
    if volume.number == volume.count:
        rows.append(row)
        wanted = copy
    rows.append((8 + RECORD).to_bytes(4, "little") + b"\0" * 4)
    table = b"".join(rows) + len(rows).to_bytes(4, "little") + b"\0" + SEEK_END
    wanted += skippable(HEAD_MAGIC, record) + skippable(SEEK_MAGIC, table)
    if tail + len(wanted) != volume.end or volume.read(tail, len(wanted)) != wanted:
        verdict.note(FORMAT, "the tail of volume %d is not as computed" % volume.number)


class Bundle:
    """The checked container: reads the contents of blobs."""

    def __init__(self, head, bundle, raw, contents, sections, frames, count):
        self.head, self.bundle, self.raw, self.contents = head, bundle, raw, contents
        self.manifests = bundle["blobs"][:count]
        self.sizes = {row["digest"]: row["size"] for row in bundle["blobs"]}
        for earlier in bundle.get("requires", []):  # what earlier bundles have
            for row in earlier["blobs"]:
                self.sizes.setdefault(row["digest"], row["size"])
        self.sections = {s.digest: s for s in sections if s.kind == "blob"}
        self.fixed = [s for s in sections if s.kind == "fixed"]
        self.frames = {}
        for frame in frames:
            self.frames.setdefault(frame.section, []).append(frame)
        self.bad = set()
        # Every file and every manifest of the metadata has its digest.
        self.has_metadata = len(contents) == 1 + len(bundle["files"]) + count

    def manifest(self, digest):
        content = self.contents.get("blobs/sha256/" + digest[7:])
        if content is None:
            if digest in self.bad or digest in {row["digest"] for row in self.manifests}:
                raise Unreachable(digest)
            raise Refused(CONTENT, "the manifest %s is not in the bundle" % digest)
        return content

    def chunks(self, digest):
        """The content of a config or layer, piece by piece."""
        if digest in self.bad:
            raise Unreachable(digest)
        inside = self.contents.get("blobs/sha256/" + digest[7:])
        if inside is not None:  # one image's layer may be another one's manifest
            yield inside
            return
        if digest not in self.sections:
            raise Refused(CONTENT, "the blob %s is not in the bundle" % digest)
        section = self.sections[digest]
        low, high = len(section.head), len(section.head) + section.size
        for frame in self.frames.get(section, []):
            for at, begin, length in blocks(frame):
                skip = max(0, low - begin)
                stop = min(length, high - begin)
                if skip < stop:
                    yield frame.volume.read(at + 3 + skip, stop - skip)

    def content(self, digest, limit):
        if self.sizes.get(digest, 0) > limit:
            raise Refused(CONTENT, "the blob %s is too long" % digest)
        return b"".join(self.chunks(digest))


def blocks(frame):
    """Each block of a stored frame: place in the file, place in the section, length."""
    for k in range(0, frame.size, BLOCK):
        yield frame.at + 14 + k // BLOCK * (BLOCK + 3), frame.begin + k, min(BLOCK, frame.size - k)


def check_section(section, frames, verdict):
    """Framing, header and padding (22), then the digest (20). Is its content good?"""
    what = section.digest or "a part of fixed bytes"
    hashed, at, framed = hashlib.sha256(), 0, True
    low, high = len(section.head), len(section.head) + section.size
    for frame in frames:
        if frame.begin != at:
            return False  # a volume is missing: that is noted already
        if frame.volume.read(frame.at, 14) != stored_header(frame.size):
            framed = False
        for place, begin, length in blocks(frame):
            data = frame.volume.read(place, 3 + length)
            last = begin + length == frame.begin + frame.size
            if len(data) < 3 + length:
                verdict.note(FORMAT, "the file ends within %s" % what)
                return False
            framed = framed and data[:3] == block_header(length, last)
            data = data[3:]
            ahead = max(0, low - begin)
            behind = max(0, high - begin)
            framed = framed and data[:ahead] == section.head[begin:low][:length]
            framed = framed and not any(data[behind:] if behind < length else b"")
            hashed.update(data[ahead:behind])
        at += frame.size
    if not framed:
        verdict.note(FORMAT, "around %s, framing, header or padding is not as computed" % what)
        return False
    if at != section.length:
        return False
    if section.digest and "sha256:" + hashed.hexdigest() != section.digest:
        verdict.note(CONTENT, "the blob %s does not have its digest" % section.digest)
        return False
    return True


def check_blobs(bundle, sections, verdict):
    for section in sections:
        if section.kind == "metadata":
            continue
        if not check_section(section, bundle.frames.get(section, []), verdict):
            bundle.bad.add(section.digest)


def check_container(volumes, trusted, verdict, kinds):
    """Everything about the file that does not need the parts to be derived; kinds are those that
    are known, or None for all."""
    head = find_head(volumes, verdict)
    if trusted and head.der not in trusted:
        raise Refused(TRUST, "the signer is not trusted: key id %s"
                      % hashlib.sha256(head.der).hexdigest())
    if as_pem(head.der) != head.pub:
        verdict.note(FORMAT, "SHA256SUMS.pub is not written as openssl writes it")
    sums = read_sums(head.sums)
    first = volumes[0]
    if first.number != 1:
        raise Refused(FORMAT, "volume 1 is missing")
    if head.time is None:  # the head is a copy, so take the time as it has to be
        if sha256(head.bundle) != sums[0][1]:
            raise Refused(CONTENT, "bundle.json does not have its digest")
        head.time = time_of(read_bundle(head.bundle))
    fixed = make_sections(head, Metadata(first, 0), {"blobs": []}, 0)[:2]
    _, at = plan_volume(Volume(first.file, first.path, first.start, first.end),
                        fixed + [Section("fixed", 1 << 62, 0)], None, 0)
    try:
        found = read_metadata(first, at, sums, head)
    except Refused as fault:
        found = salvage_metadata(volumes, at, sums, fault)
        verdict.note(fault.status, str(fault))
        head.time = time_of(found[1])
    raw, bundle, metadata, count, contents = found
    check_names(volumes, bundle, head.sums)
    if "repairs" in bundle:
        raise Refused(FORMAT, "this is a patch; alone it is refused")
    if kinds is not None and any(part["kind"] not in kinds for part in bundle["parts"]):
        raise Refused(FORMAT, "a part is of a kind that this reader does not know")
    sections = make_sections(head, metadata, bundle, count)
    check_cuts(volumes, sections, verdict)
    copy = 8 + RECORD + sum(map(len, (head.sums, head.sig, head.pub, raw)))
    frames = []
    for volume in volumes:
        own, tail = plan_volume(volume, sections, metadata, copy)
        check_tail(volume, own, tail, head, raw, verdict)
        frames += own
    contents["bundle.json"] = raw
    result = Bundle(head, bundle, raw, contents, sections, frames, count)
    check_blobs(result, sections, verdict)
    return result
