"""As much of OpenPGP (RFC 4880, RFC 9580) as a release signature needs.

Reads signed messages and public keys, and verifies RSA and legacy EdDSA (Ed25519) signatures with
the openssl program. What a key says of itself (flags, expiry, revocation) is read, but the
self-signatures are not verified: whoever trusts the file of the key trusts what is in it."""

import base64
import bz2
import hashlib
import os
import re
import subprocess
import tempfile
import time
import zlib

# RFC 9580 section 9.5: the number of a hash algorithm and what OpenSSL calls it.
HASHES = {8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224", 12: "sha3-256", 14: "sha3-512"}
MOST = 1 << 20


class PgpError(Exception):
    """Malformed, or not good."""


class Unsupported(PgpError):
    """Perhaps good, but nothing that this reader can verify."""


def body_length(data, at):
    """The length at a new-format packet: (length, partial?, place behind)."""
    first = data[at]
    if first < 192:
        return first, False, at + 1
    if first < 224:
        return (first - 192 << 8) + data[at + 1] + 192, False, at + 2
    if first == 255:
        return int.from_bytes(data[at + 1 : at + 5], "big"), False, at + 5
    return 1 << (first & 31), True, at + 1


def packets(data):
    """All packets as (tag, body); nothing may be left over."""
    at, found = 0, []
    try:
        while at < len(data):
            head = data[at]
            if not head & 0x80:
                raise PgpError("no OpenPGP packet")
            if head & 0x40:
                tag, at, body, partial = head & 63, at + 1, b"", True
                while partial:
                    length, partial, at = body_length(data, at)
                    if at + length > len(data):
                        raise PgpError("an OpenPGP packet is cut off")
                    body, at = body + data[at : at + length], at + length
            else:
                tag, size = head >> 2 & 15, (1, 2, 4, 0)[head & 3]
                length = int.from_bytes(data[at + 1 : at + 1 + size], "big")
                length = length if size else len(data) - at - 1
                at += 1 + size
                if at + length > len(data):
                    raise PgpError("an OpenPGP packet is cut off")
                body, at = data[at : at + length], at + length
            found.append((tag, body))
    except IndexError:
        raise PgpError("an OpenPGP packet is cut off")
    return found


def unpack(body):
    """What is within a compressed data packet."""
    kind, data = body[:1], body[1:]
    try:
        if kind == b"\0":
            return data
        if kind == b"\3":
            opened, rest = bz2.BZ2Decompressor(), "unused_data"
            content = opened.decompress(data, MOST)
        elif kind in (b"\1", b"\2"):
            opened, rest = zlib.decompressobj(-15 if kind == b"\1" else 15), "unused_data"
            content = opened.decompress(data, MOST)
        else:
            raise PgpError("unknown compression")
    except (zlib.error, OSError, ValueError) as error:
        raise PgpError("compressed data: %s" % error)
    if not opened.eof or getattr(opened, rest):
        raise PgpError("compressed data does not end where its packet ends")
    return content


def subpackets(data):
    at, found = 0, []
    try:
        while at < len(data):
            length, _, at = body_length(data, at)
            if length < 1 or at + length > len(data):
                raise PgpError("malformed subpacket")
            found.append((data[at] & 127, data[at + 1 : at + length]))
            at += length
    except IndexError:
        raise PgpError("malformed subpacket")
    return found


def integers(data):
    """Multiprecision integers as bytes."""
    at, found = 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 2], "big") + 7 >> 3
        if at + 2 + size > len(data):
            raise PgpError("an integer is cut off")
        found.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return found


def parse_signature(body):
    """A signature packet of version 3 or 4 as a dict."""
    if len(body) < 10:
        raise PgpError("signature packet is too short")
    if body[0] == 3 and body[1] == 5 and len(body) > 19:
        return {"type": body[2], "trailer": body[2:7], "issuers": {body[7:15]}, "issued": body[3:7],
                "algorithm": body[15], "hash": body[16], "check": body[17:19],
                "numbers": body[19:], "hashed": []}
    if body[0] != 4:
        raise Unsupported("signature of version %d" % body[0])
    end = 6 + int.from_bytes(body[4:6], "big")
    rest = end + 2 + int.from_bytes(body[end : end + 2], "big")
    hashed, free = subpackets(body[6:end]), subpackets(body[end + 2 : rest])
    issuers = {value for kind, value in hashed + free if kind == 16}
    issuers |= {value[1:][-8:] for kind, value in hashed + free if kind == 33}
    return {"type": body[1], "algorithm": body[2], "hash": body[3], "hashed": hashed,
            "trailer": body[:end] + b"\4\xff" + end.to_bytes(4, "big"), "issuers": issuers,
            "issued": dict(hashed).get(2, b""), "check": body[rest : rest + 2],
            "numbers": body[rest + 2 :]}


def parse_message(data):
    """(literal content, signature) of a signed message: exactly these three packets."""
    found = packets(data)
    if len(found) == 1 and found[0][0] == 8:
        found = packets(unpack(found[0][1]))
    if [tag for tag, _ in found] != [4, 11, 2]:
        raise PgpError("not one-pass header, literal data and one signature")
    literal = found[1][1]
    if len(literal) < 6 or len(literal) < 6 + literal[1]:
        raise PgpError("literal data is cut off")
    signature = parse_signature(found[2][1])
    if signature["hash"] not in HASHES:
        raise PgpError("hash algorithm %d is too weak or unknown" % signature["hash"])
    one_pass = found[0][1]
    if len(one_pass) != 13 or one_pass[1:4] != bytes(
        (signature["type"], signature["hash"], signature["algorithm"])
    ):
        raise PgpError("one-pass header and signature differ")
    return literal[6 + literal[1] :], signature


def read_keys(path):
    """The keys of an armored or binary file; each a dict with what self-signatures say."""
    with open(path, "rb") as file:
        data = file.read()
    if data.startswith(b"-----"):
        text = data.decode("ascii", "replace").replace("\r", "")
        blocks = re.findall(r"-----BEGIN PGP PUBLIC KEY BLOCK-----\n(.*?)-----END", text, re.S)
        bodies = [block.split("\n\n", 1)[-1] for block in blocks]
        bodies = [re.sub(r"\n=[A-Za-z0-9+/]{4}\s*$", "\n", body) for body in bodies]
        data = b"".join(base64.b64decode(body) for body in bodies)
    keys, key, primary = [], None, None
    for tag, body in packets(data):
        if tag in (6, 14):
            if body[:1] != b"\4":
                key = None
                continue
            finger = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).digest()
            key = {"id": finger[-8:], "made": int.from_bytes(body[1:5], "big"), "body": body,
                   "algorithm": body[5], "said": (-1, {}), "revoked": False}
            primary = key if tag == 6 else primary
            key["primary"] = primary
            keys.append(key)
        elif tag == 2 and key is not None:
            note_self_signature(key, body)
    if not keys:
        raise PgpError("no key in %s" % path)
    return keys


def note_self_signature(key, body):
    """Keeps the newest self-signature, and any revocation."""
    try:
        signature = parse_signature(body)
    except PgpError:
        return
    if key["primary"]["id"] not in signature["issuers"]:
        return
    if signature["type"] in (0x20, 0x28):
        key["revoked"] = True
    if signature["type"] in (0x10, 0x11, 0x12, 0x13, 0x18, 0x1F):
        issued = int.from_bytes(signature["issued"], "big")
        if issued >= key["said"][0]:
            key["said"] = (issued, dict(signature["hashed"]))


def check_usable(key):
    """A key may sign, and is neither expired nor revoked; nor is its primary key."""
    for one in (key, key["primary"]):
        said = one["said"][1]
        life = int.from_bytes(said.get(9, b""), "big")
        if one["revoked"]:
            raise PgpError("the release key is revoked")
        if life and one["made"] + life <= time.time():
            raise PgpError("the release key has expired")
    flags = key["said"][1].get(27)
    if flags is not None and not (flags[:1] or b"\0")[0] & 2:
        raise PgpError("the release key may not sign")


def der(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 128 | len(length))) + length + body


def verify(signature, content, keys):
    """Raises PgpError unless one of keys made this signature over content."""
    mine = [key for key in keys if key["id"] in signature["issuers"]]
    if not mine:
        raise PgpError("no trusted release key made the release signature")
    if signature["type"] != 0:
        raise Unsupported("signature of type %d" % signature["type"])
    name = HASHES[signature["hash"]]
    made = hashlib.new(name.replace("-", "_"), content + signature["trailer"]).digest()
    if made[:2] != signature["check"]:
        raise PgpError("release signature is not over this content")
    fault = None
    for key in mine:
        try:
            check_usable(key)
            return verify_with(key, signature, made, name)
        except PgpError as error:
            fault = error
    raise fault


def verify_with(key, signature, made, name):
    numbers = integers(signature["numbers"])
    if signature["algorithm"] in (1, 3) and key["algorithm"] in (1, 3) and len(numbers) == 1:
        modulus, exponent = integers(key["body"][6:])[:2]
        inner = der(0x30, der(2, b"\0" * (modulus[0] >> 7), modulus),
                    der(2, b"\0" * (exponent[0] >> 7), exponent))
        oid = bytes.fromhex("300d06092a864886f70d0101010500")
        public = der(0x30, oid, der(3, b"\0", inner))
        options = ["-pkeyopt", "rsa_padding_mode:pkcs1", "-pkeyopt", "digest:" + name]
        return openssl_verify(public, numbers[0].rjust(len(modulus), b"\0"), made, options)
    ed25519 = bytes.fromhex("092b06010401da470f01")
    if signature["algorithm"] == key["algorithm"] == 22 and key["body"][6:16] == ed25519:
        point = integers(key["body"][16:])[0]
        if len(point) != 33 or point[:1] != b"\x40" or len(numbers) != 2:
            raise PgpError("malformed EdDSA key or signature")
        public = bytes.fromhex("302a300506032b6570032100") + point[1:]
        pair = numbers[0].rjust(32, b"\0") + numbers[1].rjust(32, b"\0")
        return openssl_verify(public, pair, made, ["-rawin"])
    raise Unsupported("public-key algorithm %d" % signature["algorithm"])


def openssl_verify(public, signature, made, options):
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("key", "signature", "input")]
        for path, data in zip(paths, (public, signature, made)):
            with open(path, "wb") as file:
                file.write(data)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths[0],
                   "-sigfile", paths[1], "-in", paths[2]] + options
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode:
        raise PgpError("release signature is not good")
