//! Debian packages by gem: what a gem with a part in C is compiled with, and what it runs with.

use super::bundle::Bundle;
use crate::packs::packages::Packages;

/// A gem, what it needs to run, and what it needs to be compiled.
type Needs = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Gems that need the same whether or not the lock has them ready-made.
const ALWAYS: [Needs; 11] = [
    ("mysql2", &["libmariadb3"], &["libmariadb-dev"]),
    ("rmagick", &["libmagickwand-7.q16-10"], &["libmagickwand-dev"]),
    ("mini_magick", &["imagemagick"], &[]),
    ("ruby-vips", &["libvips42t64"], &[]),
    ("charlock_holmes", &["libicu76"], &["libicu-dev"]),
    ("curb", &["libcurl4t64"], &["libcurl4-openssl-dev"]),
    ("ethon", &["libcurl4t64"], &[]),
    ("idn-ruby", &["libidn12"], &["libidn-dev"]),
    ("ruby-filemagic", &["libmagic1t64"], &["libmagic-dev"]),
    ("rbnacl", &["libsodium23"], &[]),
    ("rugged", &[], &["cmake"]),
];

/// Gems that need it only where nothing ready-made is in the lock.
const COMPILED: [Needs; 4] = [
    ("nokogiri", &["libxml2", "libxslt1.1"], &["libxml2-dev", "libxslt1-dev"]),
    ("sqlite3", &["libsqlite3-0"], &["libsqlite3-dev"]),
    ("tiny_tds", &["libsybdb5"], &["freetds-dev"]),
    ("ffi", &["libffi8"], &["libffi-dev"]),
];

/// Debian's Ruby.
const RUN: [&str; 2] = ["ruby", "ruby-bundler"];
/// The same for a build.
const BUILD: [&str; 3] = ["ruby", "ruby-bundler", "ruby-dev"];
/// psych, which most locks have, is compiled with it.
const YAML: &str = "libyaml-dev";

/// The packages of an app, with Debian's Ruby where that is the one.
pub(super) fn packages(bundle: &Bundle, image: Image, ruby: Ruby) -> Packages {
    let always = ALWAYS.iter().filter(|(gem, _, _)| bundle.has(gem));
    let compiled = COMPILED.iter().filter(|(gem, _, _)| bundle.compiles(gem));
    let (mut run, mut build) = match ruby {
        Ruby::Debian => (RUN.to_vec(), BUILD.to_vec()),
        Ruby::Portable => (vec!["libyaml-0-2"], Vec::new()),
    };
    build.push(YAML);
    for (_, libraries, headers) in always.chain(compiled) {
        run.extend(*libraries);
        // Gems are loaded while assets are built, too.
        build.extend(libraries.iter().chain(*headers));
    }
    match image {
        Image::App => Packages::new(run, build),
        Image::Pages => Packages::new([], build),
    }
}

/// Whose Ruby it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruby {
    Debian,
    Portable,
}

/// What the image is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Image {
    /// A program in Ruby.
    App,
    /// Pages that a generator makes while the app is built.
    Pages,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packs::App;

    #[test]
    fn gems_bring_their_libraries() {
        let lock = "GEM\n  specs:\n    mysql2 (0.5.6)\n    nokogiri (1.18.3-x86_64-linux-gnu)\n    sqlite3 (2.5.0)\n";
        let (app, _dir) = App::of(&[("Gemfile", ""), ("Gemfile.lock", lock)]);
        let bundle = Bundle::of(&app).unwrap();
        let joined =
            |all: std::collections::BTreeSet<String>| all.into_iter().collect::<Vec<_>>().join(" ");
        let app = packages(&bundle, Image::App, Ruby::Debian);
        assert_eq!(joined(app.run), "libmariadb3 libsqlite3-0 ruby ruby-bundler");
        assert_eq!(
            joined(app.build),
            "libmariadb-dev libmariadb3 libsqlite3-0 libsqlite3-dev libyaml-dev ruby ruby-bundler ruby-dev"
        );
        assert_eq!(joined(packages(&bundle, Image::Pages, Ruby::Debian).run), "");
        let portable = packages(&bundle, Image::App, Ruby::Portable);
        assert_eq!(joined(portable.run), "libmariadb3 libsqlite3-0 libyaml-0-2");
    }
}
