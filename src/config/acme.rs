//! The settings of certificates: who issues them.

use std::path::PathBuf;

use super::{reader::Reader, settings::AcmeSettings};

/// Reads them; `default` is who issues them where nothing is said.
pub(super) fn read(reader: &mut Reader<'_>, default: &str) -> Option<AcmeSettings> {
    let directories = reader.many("acme", default, directory);
    let email = reader.one("acme_email", "", |text| Ok(text.to_owned()));
    let root = reader.one("acme_root", "", |text| Ok(PathBuf::from(text)));
    let external = reader.one("acme_external", "", external);
    let directories: Vec<String> = directories.into_iter().flatten().collect();
    (!directories.is_empty()).then(|| AcmeSettings {
        directories,
        email: Some(email).filter(|email| !email.is_empty()),
        root: Some(root).filter(|root| !root.as_os_str().is_empty()),
        external,
    })
}

/// The default authority.
pub(super) const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// A directory's URL; `None` for `off`.
fn directory(text: &str) -> Result<Option<String>, String> {
    match text {
        "off" => Ok(None),
        url if url.starts_with("https://") => Ok(Some(url.to_owned())),
        _ => Err(format!("`{text}` is not the https:// URL of an ACME directory, nor `off`")),
    }
}

/// `KEY-ID:HMAC-KEY`.
fn external(text: &str) -> Result<Option<(String, String)>, String> {
    match text.split_once(':') {
        _ if text.is_empty() => Ok(None),
        Some((id, key)) if !id.is_empty() && !key.is_empty() => {
            Ok(Some((id.to_owned(), key.to_owned())))
        }
        _ => Err("it must be KEY-ID:HMAC-KEY as the authority gave them".to_owned()),
    }
}
