//! The settings of backups: where they are kept.

use std::path::PathBuf;

use super::reader::Reader;
use crate::model::{BackupPlace, S3Place};

/// Reads them; `None` if there is no place.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<BackupPlace> {
    let place = reader.one("backup_to", "", place);
    let text = |text: &str| Ok(text.to_owned());
    let endpoint = reader.one("backup_s3_endpoint", "", endpoint);
    let region = reader.one("backup_s3_region", "us-east-1", text);
    let key_id = reader.one("backup_s3_key_id", "", text);
    let secret_file = reader.one("backup_s3_secret_file", "", |text| Ok(PathBuf::from(text)));
    let (bucket, prefix) = match place? {
        Text::Folder(folder) => return Some(BackupPlace::Folder(folder)),
        Text::Bucket { bucket, prefix } => (bucket, prefix),
    };
    for (setting, missing) in [
        ("backup_s3_key_id", key_id.is_empty()),
        ("backup_s3_secret_file", secret_file.as_os_str().is_empty()),
    ] {
        if missing {
            reader.fault(setting, format!("it is needed to sign requests to s3://{bucket}"));
        }
    }
    Some(BackupPlace::S3(S3Place { bucket, prefix, endpoint, region, key_id, secret_file }))
}

/// What `backup_to` says.
enum Text {
    Folder(PathBuf),
    Bucket { bucket: String, prefix: String },
}

/// A path, or `s3://BUCKET/PREFIX`.
fn place(text: &str) -> Result<Option<Text>, String> {
    let wrong =
        || format!("`{text}` is neither a path such as `/mnt/backups` nor `s3://BUCKET/PREFIX`");
    let Some(rest) = text.strip_prefix("s3://") else {
        let folder = PathBuf::from(text);
        let given = !text.is_empty();
        let valid = !given || folder.is_absolute();
        return valid.then(|| given.then_some(Text::Folder(folder))).ok_or_else(wrong);
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let prefix = prefix.trim_end_matches('/');
    let printable = prefix.bytes().all(|byte| byte.is_ascii_graphic());
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(plain) || !printable {
        return Err(wrong());
    }
    Ok(Some(Text::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() }))
}

fn endpoint(text: &str) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let valid =
        host.is_some_and(|host| !host.is_empty() && host.bytes().all(|it| it.is_ascii_graphic()));
    let wrong = || format!("`{text}` is not a URL such as `https://s3.example.com`");
    valid.then(|| Some(text.to_owned())).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigFault, Given, resolve};

    fn check(file: &str) -> Result<Option<BackupPlace>, Vec<ConfigFault>> {
        let file = Some((PathBuf::from("config.toml"), file.to_owned()));
        let given = Given { file, host_name: "box".to_owned(), ..Given::default() };
        resolve(&given).map(|config| config.backup)
    }

    #[test]
    fn a_place_is_a_folder_or_a_bucket() {
        assert_eq!(check("").unwrap(), None);
        let folder = check("backup_to = '/mnt/backups'").unwrap().unwrap();
        assert_eq!(folder.to_string(), "/mnt/backups");
        let bucket = "backup_to = 's3://my-bucket/a/b/'\nbackup_s3_key_id = 'id'\n\
                      backup_s3_secret_file = '/etc/paas-s3'\n\
                      backup_s3_endpoint = 'http://127.0.0.1:9000'";
        let Some(BackupPlace::S3(place)) = check(bucket).unwrap() else { panic!("not a bucket") };
        assert_eq!((place.bucket.as_str(), place.prefix.as_str()), ("my-bucket", "a/b"));
        assert_eq!(place.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(place.region, "us-east-1");
    }

    #[test]
    fn what_is_wrong_or_missing_is_told_at_once() {
        for wrong in ["mnt/backups", "s3://", "s3://B", "s3://bucket name", "ftp://x"] {
            let faults = check(&format!("backup_to = '{wrong}'")).unwrap_err();
            assert!(faults[0].problem.contains("neither a path"), "{wrong}: {}", faults[0]);
        }
        let faults = check("backup_to = 's3://bucket'\nbackup_s3_endpoint = 'here'").unwrap_err();
        let places: Vec<_> = faults.iter().map(|fault| fault.place.as_str()).collect();
        let expected =
            ["config.toml: backup_s3_endpoint", "backup_s3_key_id", "backup_s3_secret_file"];
        assert_eq!(places, expected);
    }
}
