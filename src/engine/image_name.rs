//! The names of images that this installation makes: `paas/<what>:<installation>-<which>`. Pure.
//!
//! Whose an image is stands in its name and not in its labels: labels are part of an image's id, and
//! two installations are to make the same image of the same source.

/// A name for an image of an app, or of a base image (`what`).
pub fn image_name(what: &str, installation: &str, which: &str) -> String {
    format!("{REPOSITORY}{what}:{installation}-{which}")
}

/// Whether a name was given by that installation.
pub(super) fn is_named_by(installation: &str, name: &str) -> bool {
    let tag = name.strip_prefix(REPOSITORY).and_then(|rest| rest.split_once(':'));
    let which = tag.and_then(|(_, tag)| tag.strip_prefix(installation));
    which.is_some_and(|which| which.starts_with('-'))
}

const REPOSITORY: &str = "paas/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_it_is() {
        let name = image_name("blog", "k3f9", "12");
        assert_eq!(name, "paas/blog:k3f9-12");
        assert!(is_named_by("k3f9", &name));
        for other in ["k3f", "k3f91", "12", ""] {
            assert!(!is_named_by(other, &name), "{other}");
        }
        for name in ["blog:k3f9-12", "mine/blog:k3f9-12", "paas/blog:latest", "paas/blog", "<none>"]
        {
            assert!(!is_named_by("k3f9", name), "{name}");
        }
    }
}
