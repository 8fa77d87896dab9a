"""Derives the part that is one image from its claim (20)."""

from container import IMAGE_REFERENCE, PATH, TAG, is_digest
from release import Image, Part, wrong

KEYS = ["kind", "reference", "digest", "path", "tag"]


class Single(Part):
    """One image with what is attached to it. Its place is its path at a target."""

    def __init__(self, index, claim, bundle, manifests):
        super().__init__(index, claim, bundle, manifests)
        if list(claim) != [key for key in KEYS if key != "digest" or key in claim] or not all(isinstance(value, str) for value in claim.values()):
            wrong("the claim of an image does not have its keys and types")
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
        row = self.make_row("image", name, [claim["tag"]], source, None)
        image = Image(row, "/" + claim["path"])
        self.attach([image])
        self.take(image.with_attached())

    def key(self):
        return tuple(self.claim.values())
