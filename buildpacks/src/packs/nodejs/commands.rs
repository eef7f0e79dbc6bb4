//! The words that each package manager understands, and what its failures mean.

use super::package_manager::Manager;
use crate::packs::tool::Known;

/// Which dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Everything,
    Production,
}

/// How the dependencies for the build are removed from where they were installed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pruning {
    /// The manager removes them.
    By(&'static [&'static str]),
    /// It cannot: what is there is removed, and the rest installed again from its cache.
    Anew,
    /// It cannot at all.
    Never(&'static str),
}

/// The command that installs.
pub(super) fn install(manager: Manager, locked: bool, extent: Extent) -> Vec<&'static str> {
    let mut args = match (manager, locked) {
        (Manager::Npm, true) => vec!["ci"],
        (_, false) => vec!["install"],
        (Manager::Yarn | Manager::Pnpm | Manager::Bun, true) => {
            vec!["install", "--frozen-lockfile"]
        }
        (Manager::Berry, true) => vec!["install", "--immutable"],
    };
    match (manager, extent) {
        (Manager::Npm, Extent::Production) => args.push("--omit=dev"),
        (Manager::Npm, Extent::Everything) => args.push("--include=dev"),
        (Manager::Pnpm, Extent::Production) => args.push("--prod"),
        (Manager::Pnpm, Extent::Everything) => args.push("--prod=false"),
        (Manager::Yarn, Extent::Production) => args.push("--production=true"),
        (Manager::Yarn, Extent::Everything) => args.push("--production=false"),
        (Manager::Bun, Extent::Production) => args.push("--production"),
        (Manager::Bun, Extent::Everything) => {}
        (Manager::Berry, _) => args.push("--inline-builds"),
    }
    args
}

/// How what only the build needed is removed. `berry` is the major version of Yarn, if it is known.
pub(super) fn prune(manager: Manager, workspaces: usize, berry: Option<u32>) -> Pruning {
    match manager {
        Manager::Npm => Pruning::By(&["prune", "--omit=dev", "--ignore-scripts"]),
        Manager::Yarn => Pruning::By(&["install", "--production=true", "--ignore-scripts"]),
        Manager::Pnpm if workspaces == 0 => Pruning::By(&["prune", "--prod", "--ignore-scripts"]),
        Manager::Pnpm | Manager::Bun => Pruning::Anew,
        Manager::Berry if berry.is_some_and(|major| major < 4) => Pruning::Never(
            "development dependencies stay in the image: yarn removes them from version 4 on",
        ),
        Manager::Berry => Pruning::By(&["workspaces", "focus", "--all", "--production"]),
    }
}

/// Prisma fetches an engine when it is installed, and when it generates its client.
pub(super) const PRISMA: Known = (
    "binaries.prisma.sh",
    "Prisma's engine cannot be downloaded",
    "name a mirror that the server reaches: PRISMA_ENGINES_MIRROR = \"https://…\" below [build.env] \
     in paas.toml",
);

/// What failures of build scripts mean.
pub(super) const BUILD_KNOWN: [Known; 12] = [
    (
        "JavaScript heap out of memory",
        "Node ran out of memory",
        "give it more: memory = \"2g\" below [build], and NODE_OPTIONS = \
         \"--max-old-space-size=1536\" below [build.env], in paas.toml",
    ),
    (
        "from Google Fonts",
        "the fonts cannot be fetched, because the server does not reach Google",
        "put their files into the app and load them by next/font/local; or name a way out: \
         HTTPS_PROXY = \"http://…\" below [build.env] in paas.toml",
    ),
    PRISMA,
    (
        "Invalid environment variables",
        "the app checks variables that a build does not have",
        "SKIP_ENV_VALIDATION = \"1\", or a value for each, below [build.env] in paas.toml",
    ),
    (
        "DATABASE_URL",
        "the build wants a database, and does not see the app's configuration",
        "give it an address that nobody asks: DATABASE_URL = \"postgres://build\" below [build.env] \
         in paas.toml; what needs data belongs behind a request",
    ),
    (
        "Cannot find module",
        "a module is missing",
        "add the module to \"dependencies\": npm install --save MODULE",
    ),
    (
        "\\r: No such file",
        "a script has the line ends of Windows",
        "sed -i 's/\\r$//' FILE && git add --renormalize . && git commit",
    ),
    (
        ".sh: not found",
        "a script is not there, or has the line ends of Windows",
        "sed -i 's/\\r$//' FILE && git add --renormalize . && git commit",
    ),
    (
        "Permission denied",
        "a file may not be run",
        "git update-index --chmod=+x FILE && git commit, or run it by name: sh FILE",
    ),
    (
        "command not found",
        "a program is missing",
        "add the package that has the program: npm install --save-dev PACKAGE",
    ),
    (
        ": not found",
        "a program is missing",
        "add the package that has the program: npm install --save-dev PACKAGE",
    ),
    ("", "the script failed", "try the same where you write the app, then deploy again"),
];

/// What failures of the managers mean.
pub(super) const KNOWN: [Known; 22] = [
    (
        "can only install packages when your package.json and package-lock.json",
        "package-lock.json does not match package.json",
        "bring it up to date: npm install && git add package-lock.json; if that changes nothing, \
         make it anew: rm -r package-lock.json node_modules && npm install",
    ),
    (
        "Your lockfile needs to be updated",
        "yarn.lock does not match package.json",
        "bring it up to date: yarn install && git add yarn.lock",
    ),
    (
        "The lockfile would have been modified",
        "yarn.lock does not match package.json",
        "bring it up to date: yarn install && git add yarn.lock",
    ),
    (
        "ERR_PNPM_OUTDATED_LOCKFILE",
        "pnpm-lock.yaml does not match package.json",
        "bring it up to date: pnpm install && git add pnpm-lock.yaml",
    ),
    (
        "lockfile had changes, but lockfile is frozen",
        "bun.lock does not match package.json",
        "bring it up to date: bun install && git add bun.lock",
    ),
    PRISMA,
    (
        "code E401",
        "the registry wants a login",
        "//HOST/:_authToken=${NPM_TOKEN} in .npmrc, and NPM_TOKEN = \"…\" below [build.env] in paas.toml",
    ),
    (
        "ERR_PNPM_FETCH_401",
        "the registry wants a login",
        "//HOST/:_authToken=${NPM_TOKEN} in .npmrc, and NPM_TOKEN = \"…\" below [build.env] in paas.toml",
    ),
    (
        "Permission denied (publickey)",
        "a dependency from git asks for an SSH key, which a build does not have",
        "npm pkg set dependencies.NAME=git+https://HOST/OWNER/NAME.git",
    ),
    (
        "fatal error:",
        "a native module is compiled, and a header file of a C library is missing",
        "name the Debian package that has the file: echo libNAME-dev >> Aptfile",
    ),
    (
        "code ERESOLVE",
        "two packages ask for versions that cannot go together",
        "find the pair: npm install; then change one of the versions in package.json",
    ),
    (
        "is not in this registry",
        "the registry has no such package, or shows it only to those who log in",
        "check the names in package.json; a registry of your own is named in .npmrc",
    ),
    ("code E404", "the registry has no such package", "check the names in package.json"),
    ("ERR_PNPM_FETCH_404", "the registry has no such package", "check the names in package.json"),
    (
        "No matching version found for",
        "the registry has no such version",
        "check the versions in package.json",
    ),
    (
        "EALLOWGIT",
        "npm fetches packages from git only where that is allowed",
        "echo allow-git=root >> .npmrc && git add .npmrc",
    ),
    (
        "network request to",
        "a registry does not answer",
        "check the address in .npmrc, and on the server: curl -I ADDRESS",
    ),
    ("code ETARGET", "the registry has no such version", "check the versions in package.json"),
    (
        "ERR_PNPM_NO_MATCHING_VERSION",
        "the registry has no such version",
        "check the versions in package.json",
    ),
    (
        "gyp ERR!",
        "a native module has no ready-made binary for this Node.js and could not be compiled",
        "ask for a Node.js that it has binaries for: npm pkg set engines.node=22.x; or update the module",
    ),
    (
        "code EINTEGRITY",
        "a package differs from what the lock file says",
        "make the lock file anew: rm package-lock.json && npm install",
    ),
    (
        "ERR_PNPM_TARBALL_INTEGRITY",
        "a package differs from what the lock file says",
        "make the lock file anew: rm pnpm-lock.yaml && pnpm install",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_manager_gets_its_own_words() {
        let check = |manager, locked, extent, expected: &str| {
            assert_eq!(install(manager, locked, extent).join(" "), expected);
        };
        check(Manager::Npm, true, Extent::Production, "ci --omit=dev");
        check(Manager::Npm, false, Extent::Everything, "install --include=dev");
        check(
            Manager::Yarn,
            true,
            Extent::Production,
            "install --frozen-lockfile --production=true",
        );
        check(Manager::Berry, true, Extent::Everything, "install --immutable --inline-builds");
        check(Manager::Pnpm, true, Extent::Everything, "install --frozen-lockfile --prod=false");
        check(Manager::Bun, true, Extent::Production, "install --frozen-lockfile --production");
        check(Manager::Bun, false, Extent::Everything, "install");
        assert_eq!(prune(Manager::Pnpm, 2, None), Pruning::Anew);
        assert!(matches!(prune(Manager::Berry, 0, Some(3)), Pruning::Never(_)));
        assert!(matches!(prune(Manager::Berry, 0, None), Pruning::By(_)));
    }
}
