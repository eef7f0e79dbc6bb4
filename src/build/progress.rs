//! What a build tells while it runs.

/// A piece of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A stage begins.
    Stage(Stage),
    /// A line of the log.
    Line(String),
}

/// The stages of a build, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The source is put in its place.
    Prepare,
    /// Which buildpacks apply.
    Detect,
    /// What may be kept of the last build.
    Restore,
    /// The buildpacks work.
    Build,
    /// The image is put together.
    Export,
    /// Docker takes it.
    Load,
}

impl Stage {
    /// The stage in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prepare => "preparing",
            Self::Detect => "detecting",
            Self::Restore => "restoring",
            Self::Build => "building",
            Self::Export => "exporting",
            Self::Load => "loading",
        }
    }
}
