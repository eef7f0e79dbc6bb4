//! Extensions of PHP, and the Debian packages that have them.

use std::collections::BTreeSet;

use crate::packs::PackError;

/// Where an extension is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In PHP itself.
    Core,
    /// In a package of this name after `php8.4-`.
    Package(&'static str),
}

/// What every app gets: nearly all need them, few say so, and together they weigh 3 MB.
const USUAL: [&str; 6] = ["curl", "mbstring", "mysql", "pgsql", "sqlite3", "xml"];

const CORE: [&str; 37] = [
    "calendar",
    "core",
    "ctype",
    "date",
    "exif",
    "ffi",
    "fileinfo",
    "filter",
    "ftp",
    "gettext",
    "hash",
    "iconv",
    "json",
    "libxml",
    "opcache",
    "openssl",
    "pcntl",
    "pcre",
    "pdo",
    "phar",
    "posix",
    "random",
    "readline",
    "reflection",
    "session",
    "shmop",
    "sockets",
    "sodium",
    "spl",
    "standard",
    "sysvmsg",
    "sysvsem",
    "sysvshm",
    "tokenizer",
    "zend opcache",
    "zend-opcache",
    "zlib",
];

/// Extensions that share a package, or have one of another name.
const SHARED: [(&str, &str); 13] = [
    ("dom", "xml"),
    ("simplexml", "xml"),
    ("xmlreader", "xml"),
    ("xmlwriter", "xml"),
    ("xsl", "xml"),
    ("mysqli", "mysql"),
    ("mysqlnd", "mysql"),
    ("pdo_mysql", "mysql"),
    ("pdo_pgsql", "pgsql"),
    ("pdo_sqlite", "sqlite3"),
    ("pdo_odbc", "odbc"),
    ("pdo_firebird", "interbase"),
    ("pdo_dblib", "sybase"),
];

/// Extensions whose package has their name.
const NAMED: [&str; 59] = [
    "amqp",
    "apcu",
    "ast",
    "bcmath",
    "bz2",
    "curl",
    "dba",
    "ds",
    "enchant",
    "excimer",
    "gd",
    "gearman",
    "gmagick",
    "gmp",
    "gnupg",
    "http",
    "igbinary",
    "imagick",
    "inotify",
    "interbase",
    "intl",
    "ldap",
    "mailparse",
    "maxminddb",
    "mbstring",
    "mcrypt",
    "memcache",
    "memcached",
    "mongodb",
    "msgpack",
    "mysql",
    "oauth",
    "odbc",
    "pgsql",
    "pq",
    "ps",
    "pspell",
    "psr",
    "raphf",
    "redis",
    "rrd",
    "smbclient",
    "snmp",
    "soap",
    "solr",
    "sqlite3",
    "ssh2",
    "stomp",
    "tidy",
    "uopz",
    "uploadprogress",
    "uuid",
    "xml",
    "xmlrpc",
    "yac",
    "yaml",
    "zip",
    "zmq",
    "zstd",
];

/// The names of the packages of these extensions and of the usual ones. One that Debian does not
/// have is passed over here: the build says so, which detection cannot.
pub(super) fn packages(extensions: &BTreeSet<String>) -> BTreeSet<String> {
    let asked = extensions.iter().filter_map(|name| match place(name) {
        Some(Place::Package(package)) => Some(package),
        Some(Place::Core) | None => None,
    });
    asked.chain(USUAL).map(|name| format!("php8.4-{name}")).collect()
}

/// Fails if an extension is not to be had.
pub(super) fn check(extensions: &BTreeSet<String>) -> Result<(), PackError> {
    let Some(missing) = extensions.iter().find(|name| place(name).is_none()) else { return Ok(()) };
    Err(PackError::app(
        format!(
            "the app or one of its packages requires ext-{missing}, which Debian does not have"
        ),
        format!(
            "find who asks for it: composer why ext-{missing}; or bring PHP with it in a Dockerfile"
        ),
    ))
}

fn place(extension: &str) -> Option<Place> {
    if CORE.contains(&extension) {
        return Some(Place::Core);
    }
    let shared = SHARED.iter().find(|(name, _)| *name == extension).map(|(_, package)| *package);
    let named = || NAMED.iter().copied().find(|name| *name == extension);
    shared.or_else(named).map(Place::Package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_lead_to_packages() {
        let set = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<BTreeSet<_>>();
        let all = packages(&set(&["json", "dom", "intl", "redis", "pdo_mysql", "swoole"]));
        let expected = [
            "php8.4-curl",
            "php8.4-intl",
            "php8.4-mbstring",
            "php8.4-mysql",
            "php8.4-pgsql",
            "php8.4-redis",
            "php8.4-sqlite3",
            "php8.4-xml",
        ];
        assert_eq!(all, set(&expected));
        assert!(check(&set(&["json", "zend-opcache", "simplexml"])).is_ok());
        assert_eq!(
            check(&set(&["json", "swoole"])).unwrap_err().to_string(),
            "the app or one of its packages requires ext-swoole, which Debian does not have"
        );
    }
}
