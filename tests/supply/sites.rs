//! The sites of Deno and Java, in the layout that each has.

use std::os::unix::fs::PermissionsExt;

use paas::build::toolchains::{Scheme, Toolchain, Toolchains};
use sha2::{Digest, Sha256};

use crate::mirror::{Mirror, Page, tar_gz};
use crate::{ask, only};

#[tokio::test]
async fn deno_is_a_zip_with_one_program() {
    let (mirror, dir) = (Mirror::start(), tempfile::tempdir().unwrap());
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("deno", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut zip, b"elf").unwrap();
    let zip = zip.finish().unwrap().into_inner();
    let file = format!("deno-{}-unknown-linux-gnu.zip", std::env::consts::ARCH);
    let sum = format!("{}  {file}\n", hex::encode(Sha256::digest(&zip)));
    let list = r#"{"std":["0.9.0"],"cli":["v2.4.5","v2.4.0-rc.1","v1.46.3"]}"#;
    mirror.put("/deno/versions.json", Page::Body(list.into()));
    mirror.put(&format!("/deno/release/v2.4.5/{file}.sha256sum"), Page::Body(sum.into()));
    mirror.put(&format!("/deno/release/v2.4.5/{file}"), Page::Body(zip));
    let toolchains = Toolchains::open(dir.path(), only(&mirror)).unwrap();
    let deno = |range| ask(Toolchain::Deno, range, Scheme::Npm);
    let got = toolchains.provide(&deno("2.x")).await.unwrap();
    assert_eq!(got.version, "2.4.5");
    let mode = got.path.join("bin/deno").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    let error = toolchains.provide(&deno("^3")).await.unwrap_err();
    assert_eq!(error.nearest, ["2.4.5", "1.46.3"]);
}

#[tokio::test]
async fn java_comes_as_a_kit_and_as_a_runtime() {
    let (mirror, dir) = (Mirror::start(), tempfile::tempdir().unwrap());
    let arch = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x64" };
    for kind in ["jdk", "jre"] {
        let files = [("bin/java", "elf"), ("lib/modules", "all"), ("jmods/java.base.jmod", "none")];
        let files = files.map(|(path, body)| (format!("jdk-21.0.5+11/{path}"), body));
        let archive = tar_gz(&files.each_ref().map(|(path, body)| (path.as_str(), *body)));
        let digest = hex::encode(Sha256::digest(&archive));
        let link = format!("{}/elsewhere/{kind}.tar.gz", mirror.address);
        mirror.put(&format!("/elsewhere/{kind}.tar.gz"), Page::Body(archive));
        let filter = format!(
            "architecture={arch}&heap_size=normal&image_type={kind}&jvm_impl=hotspot&os=linux\
             &project=jdk&vendor=eclipse&page=0"
        );
        let order = "&sort_method=DEFAULT&sort_order=DESC";
        let number = |security| format!(r#"{{"major":21,"minor":0,"security":{security}}}"#);
        let list = format!(r#"{{"versions":[{},{}]}}"#, number(5), number(4));
        let url =
            format!("/java/info/release_versions?{filter}&page_size=50&release_type=ga{order}");
        mirror.put(&url, Page::Body(list.into()));
        let release = format!(
            r#"[{{"binaries":[{{"package":{{"link":"{link}","checksum":"{digest}","size":1}}}}],
            "release_name":"jdk-21.0.5+11","version_data":{}}}]"#,
            number(5)
        );
        let url = format!("/java/assets/feature_releases/21/ga?{filter}&page_size=20{order}");
        mirror.put(&url, Page::Body(release.into()));
    }
    let toolchains = Toolchains::open(dir.path(), only(&mirror)).unwrap();
    let exactly = |kind, version| ask(kind, version, Scheme::Exact);
    for kind in [Toolchain::Jdk, Toolchain::Jre] {
        let got = toolchains.provide(&exactly(kind, "21")).await.unwrap();
        assert_eq!(got.version, "21.0.5");
        assert!(got.path.join("bin/java").is_file() && got.path.join("lib/modules").is_file());
        assert!(!got.path.join("jmods").exists());
    }
    let error = toolchains.provide(&exactly(Toolchain::Jdk, "17")).await.unwrap_err();
    assert_eq!(error.nearest, ["21", "25", "21.0.5"]);
    assert!(error.hint.contains("java.runtime.version=21"), "{error:?}");
}
