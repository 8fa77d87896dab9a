"""Derives all parts of a bundle again, and compares them with bundle.json (20, 21)."""

from catalog import Catalog
from chart import Chart
from container import COSIGN, INCOMPLETE, KIB, TRUST, Refused, Unreachable, read_json, sha256
from graph import Graph
from release import Manifests, Release, check_config_map, field, untrusted, wrong
from single import Single

# The kinds of parts that this reader derives.
KINDS = {"release": Release, "graph": Graph, "image": Single, "chart": Chart,
         "catalog": Catalog}


def merge_images(parts):
    """All images of the first part, then those of the second that are new, and so on."""
    merged, digests, proven = {}, {}, {}
    places = {place for part in parts for place in part.places if not place[1].startswith("/")}
    if len(places) != len({digest for digest, _ in places}):
        wrong("one digest is an image of two of: a release, a component, a graph")
    for part in parts:
        for row, place in zip(part.images, part.image_places):
            key = (row["name"], row["digest"], place)
            if key not in merged:
                merged[key] = dict(row, tags=[], parts=[])
            proof = "subject" not in row and bool(part.claim.get("signatures"))
            if proven.setdefault(key, proof) != proof:
                wrong("%s is proven in one part only" % row["name"])
            own = merged[key]
            own["tags"] += [tag for tag in row["tags"] if tag not in own["tags"]]
            own["parts"] += [number for number in row["parts"] if number not in own["parts"]]
            digests.setdefault(row["name"], set()).add(row["digest"])
    refuse_shared_targets(merged)
    for row in merged.values():
        if len(digests[row["name"]]) > 1:
            row["name"] += "@" + row["digest"][7:19]
    return list(merged.values())


def refuse_shared_targets(merged):
    """Different images do not go to one path under one tag (20)."""
    targets = {}
    for (_, digest, place), row in merged.items():
        for tag in row["tags"] if place.startswith("/") else []:
            if targets.setdefault((place, tag), digest) != digest:
                wrong("two images would go to %s:%s" % (place[1:], tag))


def interleave(lists):
    """The first of each list, then the second of each, until all are used up."""
    for place in range(max(map(len, lists), default=0)):
        for one in lists:
            if place < len(one):
                yield one[place]


def platforms_of(row, parts):
    """What of an index is there: what all its parts want together, or None for all of it."""
    wanted = [parts[number].platforms for number in row["parts"]]
    if "subject" in row or None in wanted:
        return None
    return [text for platforms in wanted for text in platforms]


def derive_blobs(parts, images, manifests):
    """(all manifests, all configs and layers), each once and in order."""
    trees = {}
    for row in images:
        for manifest in manifests.tree(row["digest"], platforms=platforms_of(row, parts)):
            trees[manifest.digest] = manifest
    others = list(interleave([part.leading for part in parts]))
    for manifest in trees.values():
        others += [blob["digest"] for blob in manifest.blobs()]
    return list(trees), [digest for digest in dict.fromkeys(others) if digest not in trees]


def derive_files(parts, bundle):
    paths = [("oci-layout", "layout"), ("index.json", "layout")]
    paths += dict.fromkeys(row for part in parts for row in part.files)
    rows = []
    for path, role in paths:
        if path not in bundle.contents:
            raise Unreachable(path)
        content = bundle.contents[path]
        rows.append({"path": path, "role": role, "digest": sha256(content), "size": len(content)})
    return rows


def check_cosign(row, bundle, manifests):
    """An image that is attached is a cosign signature of its subject (else 21)."""
    manifest = manifests.get(row["digest"])
    if row["role"] != "signature" or manifest.is_index or manifest.config["size"] > 50 * KIB:
        untrusted("of an unknown signer: %s is no signature image" % row["name"])
    for layer in manifest.layers:
        if layer["mediaType"] != COSIGN or layer["size"] > 50 * KIB:
            untrusted("of an unknown signer: %s is no cosign signature" % row["name"])
        content = bundle.content(layer["digest"], 50 * KIB)
        value = read_json(content, "a cosign signature", TRUST)
        if field(value, "critical", "image", "docker-manifest-digest") != row["subject"]:
            untrusted("of an unknown signer: %s signs something else" % row["name"])


def check_parts(bundle, verdict, keys, known_signer):
    """Derives all parts. A fault is noted, so that one of a later part may still decide."""
    claims = bundle.bundle["parts"]
    if not known_signer and not all(claim.get("signatures") for claim in claims):
        untrusted("of an unknown signer: a part is not proven by a signature")
    signed, parts = [], []
    manifests = Manifests(bundle)

    def derive(number, claim):
        kind = KINDS[claim["kind"]]
        own = [signed[number]] if kind is Release else []
        # The signatures beside images are no matter of a kind: its claim is what is left.
        bare = {key: value for key, value in claim.items() if key != "lookaside"}
        part = kind(number, bare, bundle, manifests, *own)
        if "lookaside" in claim:
            if list(claim)[-1] != "lookaside":
                wrong("lookaside is not the last key of its row")
            part.add_lookaside(claim["lookaside"])
        return part

    def check_signatures(claim):
        return check_config_map(claim, bundle, keys) if claim["kind"] == "release" else None

    for step in (lambda n, c: signed.append(check_signatures(c)),
                 lambda n, c: parts.append(derive(n, c))):
        for number, claim in enumerate(claims):
            try:
                step(number, claim)
            except Refused as error:
                verdict.note(error.status, str(error))
            except Unreachable:
                pass  # the fault of that blob is noted already
        if len(signed) < len(claims):
            return
    if len({part.key() for part in parts}) < len(parts):
        wrong("a part is there twice")
    if len(parts) < len(claims):
        return
    try:
        compare(bundle, parts, manifests)
        if bundle.bundle.get("holes"):
            verdict.note(INCOMPLETE, "%d images are missing" % len(bundle.bundle["holes"]))
        if not known_signer:
            for row in bundle.bundle["images"]:
                if "subject" in row:
                    check_cosign(row, bundle, manifests)
    except Unreachable:
        pass


def without_required(bundle, parts, others):
    """The configs and layers that are not in earlier bundles. What a bundle leaves out is listed in
    the order that it would have, in each row once, and no part leads with it (20)."""
    left_out = set()
    for row in bundle.bundle.get("requires", []):
        named = {blob["digest"] for blob in row["blobs"]}
        own = [digest for digest in others if digest in named]
        if [{"digest": digest, "size": bundle.sizes[digest]} for digest in own] != row["blobs"]:
            wrong("requires is not what the parts lead to")
        left_out |= named
    if any(digest in left_out for part in parts for digest in part.leading):
        wrong("requires has a blob that a part leads with")
    return [digest for digest in others if digest not in left_out]


def compare(bundle, parts, manifests):
    """bundle.json lists exactly what the parts lead to (20)."""
    images = merge_images(parts)
    if images != bundle.bundle["images"]:
        wrong("images is not what the parts lead to")
    if [hole for part in parts for hole in part.holes] != bundle.bundle.get("holes", []):
        wrong("holes is not what the parts lack")
    heads, others = derive_blobs(parts, images, manifests)
    others = without_required(bundle, parts, others)
    if heads != [row["digest"] for row in bundle.manifests]:
        wrong("the manifests in the metadata are not what the parts lead to")
    if heads + others != [row["digest"] for row in bundle.bundle["blobs"]]:
        wrong("blobs is not what the parts lead to")
    if derive_files(parts, bundle) != bundle.bundle["files"]:
        wrong("files is not what the parts lead to")
