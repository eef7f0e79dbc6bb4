//! `run.toml`, and `stack.toml` before it: the images that a builder makes apps for.

use serde::Deserialize;

/// A `run.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct RunToml {
    #[serde(default)]
    images: Vec<RunImage>,
}

/// A `stack.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct StackToml {
    #[serde(default)]
    run_image: RunImage,
}

/// An image, and where else it is.
#[derive(Debug, Clone, Default, Deserialize)]
struct RunImage {
    #[serde(default)]
    image: String,
    #[serde(default)]
    mirrors: Vec<String>,
}

impl RunToml {
    /// The names of its first image.
    pub(crate) fn names(self) -> Vec<String> {
        self.images.into_iter().next().unwrap_or_default().names()
    }
}

impl StackToml {
    /// The names of its image.
    pub(crate) fn names(self) -> Vec<String> {
        self.run_image.names()
    }
}

impl RunImage {
    fn names(self) -> Vec<String> {
        let all = std::iter::once(self.image).chain(self.mirrors);
        all.filter(|name| !name.is_empty()).collect()
    }
}
