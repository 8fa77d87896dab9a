const KiB = 1024;
const MiB = 1024 * KiB;

/**
 * The size that, by the OCI distribution specification, registries have to accept at least, and
 * clients may refuse to exceed.
 */
export const MAX_MANIFEST_BYTES = 4 * MiB;
/**
 * `bundle.json`, `index.json` and `SHA256SUMS` name every blob of a bundle; twenty thousand blobs
 * take 3 MiB.
 */
export const MAX_LISTING_BYTES = 64 * MiB;
/** What is kept of a bundle, unpacked: its listing, and all of its manifests. */
export const MAX_HISTORY_BYTES = 512 * MiB;
/** A photograph: those of telephones have 20 MiB at most. */
export const MAX_PICTURE_BYTES = 64 * MiB;
/** The same when it is unpacked into memory: 64 million pixels of four bytes. */
export const MAX_PIXEL_BYTES = 256 * MiB;
/** A receipt: one of a thousand bundles takes less. */
export const MAX_RECEIPT_BYTES = 4 * MiB;
/** An OpenPGP release signature is under 2 KiB; the ceiling is the one `oc` announces. */
export const MAX_SIGNATURE_BYTES = 50 * KiB;
/** An error body is for a message only. */
export const MAX_ERROR_BODY_BYTES = 64 * KiB;
/** A token answer: registries send up to some tens of KiB where a token carries many scopes. */
export const MAX_TOKEN_BODY_BYTES = MiB;
/** A page of a tag list. */
export const MAX_TAG_PAGE_BYTES = 4 * MiB;
/** All tags of a repository: 900,000 of cosign's, which are longer than most. */
export const MAX_TAGS_BYTES = 64 * MiB;
/** Pages of a tag list: enough for a million tags where a registry gives only 100 a page. */
export const MAX_TAG_PAGES = 10_000;
/**
 * A registry is asked for a thousand tags a page, and may give fewer. After so many pages a list
 * whose pages bring less than so many new tags, one with another, does not end.
 */
export const MAX_THIN_TAG_PAGES = 100;
export const MIN_TAGS_PER_PAGE = 5;
/** image-references of a release with 190 components has 200 KiB. */
export const MAX_PAYLOAD_FILE_BYTES = 16 * MiB;
/** Unpacked bytes of release image layers that are read in search of `release-manifests/`. */
export const MAX_PAYLOAD_LAYER_BYTES = 8 * 1024 * MiB;
/** Unpacked bytes of the layers of one image that programs are taken out of: real ones have 5 GiB. */
export const MAX_TOOLS_LAYER_BYTES = 64 * 1024 * MiB;
/** Characters of all names in such a layer: the names of a base layer have 2 MiB. */
export const MAX_LAYER_NAMES = 128 * MiB;
/** A program: the largest real one is under 1 GiB, and a zip holds no larger file without Zip64. */
export const MAX_PROGRAM_BYTES = 4 * 1024 * MiB - 2;
/** A key file, public or private. */
export const MAX_KEY_BYTES = 64 * KiB;
/** A file of CA certificates: a distribution's own bundle has 220 KiB. */
export const MAX_CERTIFICATES_BYTES = 16 * MiB;
/** An auth file of a large site has some tens of KiB. */
export const MAX_AUTH_FILE_BYTES = 4 * MiB;
/** The answer of a credential helper: a token of some KiB at most. */
export const MAX_HELPER_BYTES = MiB;
/** A password may be a token of some KiB. */
export const MAX_PASSWORD_BYTES = 64 * KiB;
/** A registries.conf, or a file of mirror sets. */
export const MAX_CONFIGURATION_BYTES = 4 * MiB;
/** An ImageSetConfiguration: 20,000 images take 1 MiB. */
export const MAX_IMAGE_SET_BYTES = MiB;
/** A CatalogSource as a template: one with an icon has some KiB. */
export const MAX_SOURCE_TEMPLATE_BYTES = 256 * KiB;
/** A lock of an image set: as a listing, it names every blob; so does a bundle of the largest set. */
export const MAX_LOCK_BYTES = 64 * MiB;
/** How deep what a file asks for may be nested in a lock of it. */
export const MAX_LOCK_DEPTH = 32;
/** How deep an index may hold indexes. */
export const MAX_INDEX_DEPTH = 4;
/** Referrers of one manifest: signatures, attestations and SBOMs of real images are a handful. */
export const MAX_REFERRERS = 1000;
/**
 * Referrers of all images of a release together: five for each of the images and indexes of a
 * `multi` release are half of it.
 */
export const MAX_ALL_REFERRERS = 10_000;
/**
 * How far referrers may refer to referrers: a signature over an attestation over an SBOM is the
 * third.
 */
export const MAX_REFERRER_DEPTH = 4;
/** Parts of one bundle: a site that carries everything for a year has some dozens. */
export const MAX_PARTS = 1000;
/** All manifests of a bundle together; they are held in memory. 20,000 images take about 60 MiB. */
export const MAX_METADATA_BYTES = 256 * MiB;
/** The answer of an update service: a channel of two minor versions takes about 1 MiB. */
export const MAX_GRAPH_BYTES = 64 * MiB;
/** A kubeconfig of somebody with hundreds of clusters, with certificates in it. */
export const MAX_KUBECONFIG_BYTES = 16 * MiB;
/** A token or a certificate that a kubeconfig names by its file. */
export const MAX_KUBE_CREDENTIAL_BYTES = MiB;
/** An answer of an API server: no object is larger than 3 MiB, a list has 500 at most. */
export const MAX_KUBE_ANSWER_BYTES = 64 * MiB;
/** The files of a chart, unpacked, and one of them: what Helm takes. */
export const MAX_CHART_BYTES = 100 * MiB;
export const MAX_CHART_FILE_BYTES = 5 * MiB;
/** The index of a chart repository: that of a large one has 30 MiB. */
export const MAX_CHART_INDEX_BYTES = 64 * MiB;
/** What a chart renders to: its custom resource definitions may have some MiB. */
export const MAX_RENDERED_BYTES = 64 * MiB;
/** One document of an operator catalog: a bundle with its manifests has some MiB at most. */
export const MAX_CATALOG_DOCUMENT_BYTES = 64 * MiB;
/** A file of a catalog in YAML: it is parsed document by document, which takes many times its size. */
export const MAX_CATALOG_YAML_BYTES = 16 * MiB;
/** All files of a catalog: the index of all operators of Red Hat has 200 MiB. */
export const MAX_CATALOG_BYTES = 4 * 1024 * MiB;
/** Documents of a catalog: the index of all operators of Red Hat has some 10,000. */
export const MAX_CATALOG_DOCUMENTS = 1_000_000;
/** Files of a catalog, in whatever layout. */
export const MAX_CATALOG_FILES = 100_000;
/**
 * How deep JSON may be nested. Nothing real comes near it, and what is read has to be written again
 * and compared: functions that call themselves for each level, as those of the engine do, run out of
 * stack at some thousands.
 */
export const MAX_JSON_DEPTH = 500;
