"""Derives the part that is a Helm chart with its images from its claim (20)."""

from container import CONTENT, IMAGE_REFERENCE, MIB, PATH, TAG, is_digest, read_json
from release import Image, Part, wrong

KEYS = ["kind", "name", "version", "origin", "artifact", "path", "tag", "images"]
IMAGE_KEYS = ["reference", "digest", "path", "tag", "how", "where"]
HOW = {"annotation", "lock file", "manifest", "image path", "list"}
CONFIG = "application/vnd.cncf.helm.config.v1+json"


def check_place(row):
    if not PATH.fullmatch(row["path"]) or not TAG.fullmatch(row["tag"]):
        wrong("the path or the tag of a chart or of its image is malformed")


class Chart(Part):
    """A chart, and the images that it needs. Their places are their paths at a target."""

    def __init__(self, index, claim, bundle, manifests):
        super().__init__(index, claim, bundle, manifests)
        self.check_claim()
        images = [image for image in map(self.image, claim["images"]) if image]
        name = "%s-%s" % (claim["name"], claim["version"].replace("+", "_"))
        source = self.source() + "@" + claim["artifact"]
        row = self.make_row("chart", name, [claim["tag"]], source, None)
        self.check_artifact()
        images.append(Image(row, "/" + claim["path"]))
        self.attach(images)
        self.take([other for image in images for other in image.with_attached()])

    def check_claim(self):
        claim = self.claim
        texts = [value for key, value in claim.items() if key != "images"]
        if list(claim) != [key for key in KEYS if key != "origin" or key in claim]:
            wrong("the claim of a chart does not have its keys")
        if not all(isinstance(text, str) for text in texts) or not isinstance(claim["images"], list):
            wrong("the claim of a chart does not have its types")
        if not is_digest(claim["artifact"]):
            wrong("the artifact of a chart is no digest")
        check_place(claim)

    def image(self, row):
        keys = [key for key in IMAGE_KEYS if key != "digest" or key in row]
        if not isinstance(row, dict) or list(row) != keys:
            wrong("an image of a chart does not have its keys")
        if not all(isinstance(value, str) for value in row.values()) or row["how"] not in HOW:
            wrong("an image of a chart does not have its types")
        reference = IMAGE_REFERENCE.fullmatch(row["reference"])
        if not reference or not (reference.group("tag") or reference.group("digest")):
            wrong("the reference of an image is malformed")
        digest = row.get("digest")
        if "digest" in row and not is_digest(digest) or reference.group("digest") not in (None, digest):
            wrong("the reference of an image has another digest")
        check_place(row)
        name = row["reference"]
        source = name if digest is None else reference.group("name") + "@" + digest
        if self.lacks("chart-image", name, source):
            return None
        own = self.make_row("chart-image", row["reference"], [row["tag"]], source, None)
        return Image(own, "/" + row["path"])

    def source(self):
        origin = self.claim.get("origin", "")
        if not origin.startswith("oci://"):
            return "localhost/charts/" + self.claim["name"].lower()
        reference = IMAGE_REFERENCE.fullmatch(origin[6:])
        if not reference:
            wrong("the origin of a chart is malformed")
        return reference.group("name")

    def check_artifact(self):
        manifest = self.manifests.get(self.claim["artifact"])
        config = manifest.config
        if manifest.is_index or config["mediaType"] != CONFIG or config["size"] > 5 * MIB:
            wrong("the artifact of a chart is no chart")
        self.leading = [config["digest"]]
        content = self.bundle.content(config["digest"], 5 * MIB)
        said = read_json(content, "the config of a chart", CONTENT)
        if not isinstance(said, dict) or any(
            said.get(key) != self.claim[key] for key in ("name", "version")
        ):
            wrong("the artifact is another chart")

    def key(self):
        return repr(self.claim)
