//! Manifests: which blobs an image consists of, or which platforms' images there are. Pure.
//!
//! Read are the OCI's and Docker's second schema, which say the same in other words. Not read is what is
//! no image: signatures, charts and whatever else registries are used for.

use serde::Deserialize;

use crate::model::BlobDigest;

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// Of one image.
    Image(Image),
    /// Of several platforms' images.
    Index(Vec<Variant>),
}

/// An image's blobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, lowest first.
    pub layers: Vec<Descriptor>,
}

/// A blob, as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Which.
    pub digest: BlobDigest,
    /// How large it is, in bytes.
    pub size: u64,
}

/// One platform's image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Which platform's; an index need not say it.
    pub platform: Option<Platform>,
    /// Its manifest.
    pub manifest: BlobDigest,
}

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// For instance `linux`.
    pub os: String,
    /// For instance `amd64`.
    pub architecture: String,
}

/// Why a manifest is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is no manifest.
    #[error("the manifest cannot be read: {0}")]
    Malformed(String),
    /// The request and the manifest call it by two names.
    #[error("the manifest says that it is `{said}`, and the request that it is `{sent}`")]
    Disagrees {
        /// The manifest's word.
        said: String,
        /// The request's.
        sent: String,
    },
    /// It is of another kind.
    #[error("a manifest of the type `{0}` is not taken")]
    Kind(String),
    /// What it describes is something else.
    #[error("it is no image: its configuration is of the type `{0}`")]
    NoImage(String),
    /// A layer that is no tar, or that is kept elsewhere.
    #[error("its layer {number} is of the type `{kind}`, which no container is made of")]
    Layer {
        /// From 1.
        number: usize,
        /// The type.
        kind: String,
    },
    /// It names too much.
    #[error("it names {count} {what}, and {most} are taken at most")]
    Many {
        /// How many.
        count: usize,
        /// Of what.
        what: &'static str,
        /// The bound.
        most: usize,
    },
}

impl Manifest {
    /// Reads one that was sent as a document of the type `sent`.
    pub fn parse(bytes: &[u8], sent: Option<&str>) -> Result<Self, ManifestError> {
        let malformed = |error: serde_json::Error| ManifestError::Malformed(error.to_string());
        let document: Document = serde_json::from_slice(bytes).map_err(malformed)?;
        let sent = sent.and_then(|text| text.split(';').next()).map(|text| text.trim().to_owned());
        let kind = match (document.media_type.clone(), sent) {
            (Some(said), Some(sent)) if said != sent => {
                return Err(ManifestError::Disagrees { said, sent });
            }
            (Some(kind), _) | (None, Some(kind)) => kind,
            (None, None) => return Err(ManifestError::Malformed("it has no mediaType".to_owned())),
        };
        match kind.as_str() {
            "application/vnd.oci.image.manifest.v1+json"
            | "application/vnd.docker.distribution.manifest.v2+json" => {
                image(document).map(Self::Image)
            }
            "application/vnd.oci.image.index.v1+json"
            | "application/vnd.docker.distribution.manifest.list.v2+json" => {
                index(document).map(Self::Index)
            }
            _ => Err(ManifestError::Kind(kind)),
        }
    }

    /// Of several platforms' images the one that runs here.
    pub fn choose<'a>(variants: &'a [Variant], here: &Platform) -> Option<&'a Variant> {
        variants.iter().find(|variant| variant.platform.as_ref() == Some(here))
    }
}

/// The type that a manifest says it is of.
pub fn media_type(bytes: &[u8]) -> Option<String> {
    let document: Document = serde_json::from_slice(bytes).ok()?;
    document.media_type
}

fn image(document: Document) -> Result<Image, ManifestError> {
    let config = document.config.ok_or(ManifestError::Malformed("it has no config".to_owned()))?;
    if !CONFIGURATIONS.contains(&config.media_type.as_str()) {
        return Err(ManifestError::NoImage(config.media_type));
    }
    few(document.layers.len(), "layers", MAX_LAYERS)?;
    if let Some((at, layer)) = document
        .layers
        .iter()
        .enumerate()
        .find(|(_, layer)| !LAYERS.contains(&layer.media_type.as_str()))
    {
        return Err(ManifestError::Layer { number: at + 1, kind: layer.media_type.clone() });
    }
    let layers = document.layers.into_iter().map(Part::described).collect::<Result<_, _>>()?;
    Ok(Image { config: config.described()?, layers })
}

fn index(document: Document) -> Result<Vec<Variant>, ManifestError> {
    few(document.manifests.len(), "platforms", MAX_VARIANTS)?;
    let variant = |mut part: Part| {
        let platform = part.platform.take();
        Ok(Variant { platform, manifest: part.described()?.digest })
    };
    document.manifests.into_iter().map(variant).collect()
}

fn few(count: usize, what: &'static str, most: usize) -> Result<(), ManifestError> {
    if count <= most { Ok(()) } else { Err(ManifestError::Many { count, what, most }) }
}

/// Either kind, as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: Option<String>,
    config: Option<Part>,
    #[serde(default)]
    layers: Vec<Part>,
    #[serde(default)]
    manifests: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<Platform>,
}

impl Part {
    fn described(self) -> Result<Descriptor, ManifestError> {
        let digest =
            self.digest.parse().map_err(|error| ManifestError::Malformed(format!("{error}")))?;
        Ok(Descriptor { digest, size: self.size })
    }
}

const CONFIGURATIONS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
/// How a layer is compressed is seen by its bytes; its type only says that it is one, and is kept here.
const LAYERS: [&str; 7] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

/// The largest manifest, in bytes, as the specification asks for at least.
pub const MAX_MANIFEST: usize = 4 << 20;
/// Docker stacks no more of them upon each other.
const MAX_LAYERS: usize = 127;
/// Platforms of an index, with what builders attach to each.
const MAX_VARIANTS: usize = 200;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn blob(kind: &str, number: u64) -> Value {
        json!({ "mediaType": kind, "digest": format!("sha256:{number:064x}"), "size": number })
    }

    fn image(config: &str, layers: &[&str]) -> Value {
        let layers = layers.iter().zip(2..).map(|(kind, number)| blob(kind, number));
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": blob(config, 1),
            "layers": layers.collect::<Vec<_>>(),
        })
    }

    #[track_caller]
    fn check(document: &Value, sent: Option<&str>, expected: &str) {
        let told = match Manifest::parse(document.to_string().as_bytes(), sent) {
            Ok(Manifest::Image(image)) => {
                let sizes: Vec<_> = image.layers.iter().map(|layer| layer.size).collect();
                format!("image {} of {sizes:?}", image.config.size)
            }
            Ok(Manifest::Index(variants)) => format!("index of {}", variants.len()),
            Err(error) => error.to_string(),
        };
        assert!(told.contains(expected), "{told}");
    }

    #[test]
    fn images_of_both_schemas_are_read_and_what_is_none_is_refused() {
        let [oci, docker] = CONFIGURATIONS;
        check(&image(oci, &LAYERS[..3]), None, "image 1 of [2, 3, 4]");
        let mut schema2 = image(docker, &LAYERS[4..5]);
        let kind = "application/vnd.docker.distribution.manifest.v2+json";
        schema2["mediaType"] = kind.into();
        check(&schema2, Some(&format!("{kind}; charset=utf-8")), "image 1 of [2]");
        check(&schema2, Some("application/vnd.oci.image.manifest.v1+json"), "and the request that");
        schema2["mediaType"] = Value::Null;
        check(&schema2, Some(kind), "image 1");
        check(&schema2, None, "no mediaType");

        check(&image("application/vnd.cncf.helm.config.v1+json", &[]), None, "it is no image");
        let signature = "application/vnd.dev.cosign.simplesigning.v1+json";
        check(&image(oci, &[signature]), None, "its layer 1 is of the type");
        check(&image(oci, &[LAYERS[0]; 128]), None, "it names 128 layers, and 127");
        let first = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        check(&json!({ "schemaVersion": 1 }), Some(first), "is not taken");
        let mut bad = image(oci, &LAYERS[..1]);
        bad["layers"][0]["digest"] = "sha256:../../etc/passwd".into();
        check(&bad, None, "not a valid digest");
        bad["layers"][0]["size"] = (-1).into();
        check(&bad, None, "cannot be read");
        check(&json!([]), None, "cannot be read");
    }

    #[test]
    fn of_an_index_the_platform_is_chosen() {
        let mut manifests = Vec::new();
        for (number, architecture) in ["arm64", "amd64", "unknown"].iter().enumerate() {
            let mut part = blob("application/vnd.oci.image.manifest.v1+json", number as u64);
            let os = if *architecture == "unknown" { "unknown" } else { "linux" };
            part["platform"] = json!({ "os": os, "architecture": architecture, "variant": "v8" });
            manifests.push(part);
        }
        let kind = "application/vnd.oci.image.index.v1+json";
        let index = json!({ "mediaType": kind, "manifests": manifests });
        let Ok(Manifest::Index(variants)) = Manifest::parse(index.to_string().as_bytes(), None)
        else {
            panic!("no index")
        };
        let here = |architecture: &str| {
            let platform =
                Platform { os: "linux".to_owned(), architecture: architecture.to_owned() };
            Manifest::choose(&variants, &platform).map(|found| found.manifest.to_string())
        };
        assert_eq!(here("amd64"), Some(format!("sha256:{:064x}", 1)));
        assert_eq!(here("s390x"), None);
    }
}
