"""Derives the part that is one image from its claim (20)."""

import re

from container import IMAGE_REFERENCE, PATH, TAG, is_digest
from release import Image, Part, is_for, wrong

PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?", re.A)
KEYS = ["kind", "reference", "digest", "path", "tag"]


class Single(Part):
    """One image with what is attached to it. Its place is its path at a target."""

    def __init__(self, index, claim, bundle, manifests):
        super().__init__(index, claim, bundle, manifests)
        own = {key: value for key, value in claim.items() if key != "platforms"}
        keys = [key for key in KEYS if key != "digest" or key in claim]
        if list(own) != keys or not all(isinstance(value, str) for value in own.values()):
            wrong("the claim of an image does not have its keys and types")
        wanted = self.check_platforms() if "platforms" in claim else None
        name, digest = claim["reference"], claim.get("digest")
        reference = IMAGE_REFERENCE.fullmatch(name)
        if not reference or not (reference.group("tag") or reference.group("digest")):
            wrong("the reference of an image is malformed")
        if "digest" in claim and not is_digest(digest) or reference.group("digest") not in (None, digest):
            wrong("the reference of an image has another digest")
        if not PATH.fullmatch(claim["path"]) or not TAG.fullmatch(claim["tag"]):
            wrong("the path or the tag of an image is malformed")
        source = name if digest is None else reference.group("name") + "@" + digest
        if self.lacks("image", name, source):
            return self.take([])
        if wanted:
            self.check_offered(wanted)
        self.platforms = wanted
        row = self.make_row("image", name, [claim["tag"]], source, None)
        image = Image(row, "/" + claim["path"])
        self.attach([image])
        self.take(image.with_attached())

    def check_platforms(self):
        wanted = self.claim["platforms"]
        good = isinstance(wanted, list) and wanted and list(self.claim)[-1] == "platforms"
        good = good and all(isinstance(text, str) and PLATFORM.fullmatch(text) for text in wanted)
        if not good or wanted != sorted(set(wanted)):
            wrong("the platforms of an image are malformed")
        return wanted

    def check_offered(self, wanted):
        manifest = self.manifests.get(self.claim["digest"])
        rows = [child for one in self.manifests.tree(manifest.digest, platforms=wanted)
                for child in one.children]
        for text in wanted if manifest.is_index else []:
            if not any(is_for(row, text) for row in rows):
                wrong("an image has nothing for %s" % text)

    def key(self):
        return repr(self.claim)
