#!/usr/bin/env python3
"""A second reader of bundles, format 1, written from the page of the format alone.

  read-bundle.py [--format-only] [--trusted-key FILE.pub]... [--release-key FILE.asc]...
                 [--list] [--extract DIR] FILE...

FILE is a bundle, or all volumes of one in any order; "-" is a pipe. Ends with the status of the
page: 0 good, 20 content is wrong, 21 trust is refused, 22 no bundle, 30 good, but the bundle lists
images that it does not have; 2 for wrong usage."""

import argparse
import os
import sys

# The modules lie beside this file, wherever it is called from.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "read_bundle"))

import closure  # noqa: E402
import container  # noqa: E402
import pgp  # noqa: E402
import release  # noqa: E402
from container import INCOMPLETE, TRUST, Refused, Verdict  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description="Checks a bundle of format 1.")
    parser.add_argument("--format-only", action="store_true", help="do not derive the parts")
    parser.add_argument("--trusted-key", action="append", default=[], metavar="FILE.pub")
    parser.add_argument("--release-key", action="append", default=[], metavar="FILE.asc")
    parser.add_argument("--list", action="store_true", help="list images and blobs, too")
    parser.add_argument("--extract", metavar="DIR", help="a folder that is empty or not there yet")
    parser.add_argument("files", nargs="+", metavar="FILE")
    asked = parser.parse_args()
    if asked.files.count("-") > 1:
        parser.error("standard input can be read once only")
    if asked.extract and os.path.lexists(asked.extract):
        if os.path.islink(asked.extract) or not os.path.isdir(asked.extract):
            parser.error("%s is no folder" % asked.extract)
        if os.listdir(asked.extract):
            parser.error("%s is not empty" % asked.extract)
    return parser, asked


def show(bundle, whole):
    value = bundle.bundle
    print("name    %s" % value["name"])
    for part in value["parts"]:
        named = part["kind"] in ("catalog", "image")
        own = ["reference"] if named else ["version", "architecture"]
        print("part    %s" % " ".join(str(part.get(key, "")) for key in ["kind"] + own + ["digest"]))
    print("images  %d" % len(value["images"]))
    print("blobs   %d, %d bytes" % (len(value["blobs"]), sum(b["size"] for b in value["blobs"])))
    if whole:
        for row in value["images"]:
            print("image   %s %s %s" % (row["role"], row["name"], row["digest"]))
        for row in value["blobs"]:
            print("blob    %s %d" % (row["digest"], row["size"]))


def extract(bundle, folder):
    """Writes what was verified. The folder is empty and paths are checked, so nothing that is
    written can lie outside of it; O_EXCL and O_NOFOLLOW keep it so."""
    entries = {
        "SHA256SUMS": [bundle.head.sums],
        "SHA256SUMS.sig": [bundle.head.sig],
        "SHA256SUMS.pub": [bundle.head.pub],
    }
    entries.update((path, [content]) for path, content in bundle.contents.items())
    for digest in bundle.sections:
        entries["blobs/sha256/" + digest[7:]] = bundle.chunks(digest)
    for path, chunks in entries.items():
        target = os.path.join(folder, *path.split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(target, flags, 0o644), "wb") as file:
            for chunk in chunks:
                file.write(chunk)


def check(asked, trusted, keys, verdict):
    """The bundle, as far as it could be read; faults are noted in the verdict."""
    bundle = None
    try:
        volumes = container.find_volumes(asked.files, verdict)
        kinds = None if asked.format_only else list(closure.KINDS)
        bundle = container.check_container(volumes, trusted, verdict, kinds)
        if not asked.format_only and bundle.has_metadata:
            closure.check_parts(bundle, verdict, release.ReleaseKeys(keys), bool(trusted))
    except Refused as error:
        if (error.status, str(error)) not in verdict.faults:
            verdict.faults.append((error.status, str(error)))
    return bundle


def main():
    parser, asked = arguments()
    verdict = Verdict()
    try:
        trusted = []
        for path in asked.trusted_key:
            with open(path, "rb") as file:
                trusted.append(container.key_der(file.read())[0])
        keys = [key for path in asked.release_key for key in pgp.read_keys(path)]
    except (OSError, Refused, pgp.PgpError, ValueError) as error:
        parser.error("a key cannot be read: %s" % error)
    try:
        bundle = check(asked, trusted, keys, verdict)
    except OSError as error:
        parser.error(str(error))
    status, message = verdict.gravest()
    if bundle and status != TRUST:
        show(bundle, asked.list)
    if status:
        print("%d: %s" % (status, message), file=sys.stderr)
    if asked.extract and status in (0, INCOMPLETE):
        extract(bundle, asked.extract)
    return status


if __name__ == "__main__":
    sys.exit(main())
