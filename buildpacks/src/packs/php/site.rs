//! Which folder is served, and what answers for paths without a file.

use super::project::Project;
use crate::environment::sorted_entries;
use crate::packs::{App, PackError, Process};
use crate::php_server::is_plain;

/// How the app is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    /// The folder, relative to the app's.
    pub(super) root: String,
    /// Whether `index.php` answers for paths without a file.
    pub(super) front: Front,
    pub(super) because: String,
}

/// What answers for paths without a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Front {
    /// `index.php`: it knows the paths.
    Index,
    /// Nothing.
    None,
}

/// A framework: a package, or a file that only it has; its folder; its name.
const FRAMEWORKS: [(&str, &str, &str, &str); 16] = [
    ("laravel/framework", "artisan", "public", "Laravel"),
    ("symfony/framework-bundle", "bin/console", "public", "Symfony"),
    ("slim/slim", "", "public", "Slim"),
    ("cakephp/cakephp", "bin/cake.php", "webroot", "CakePHP"),
    ("yiisoft/yii2", "yii", "web", "Yii"),
    ("codeigniter4/framework", "spark", "public", "CodeIgniter"),
    ("laminas/laminas-mvc", "", "public", "Laminas"),
    ("craftcms/cms", "craft", "web", "Craft"),
    ("typo3/cms-core", "", "public", "TYPO3"),
    ("drupal/core", "", "web", "Drupal"),
    ("drupal/core-recommended", "", "web", "Drupal"),
    ("roots/wordpress", "", "web", "Bedrock"),
    ("magento/framework", "bin/magento", "pub", "Magento"),
    ("getkirby/cms", "", "public", "Kirby"),
    ("", "wp-includes/version.php", ".", "WordPress"),
    ("", "core/lib/Drupal.php", ".", "Drupal"),
];

/// Where people put the file that everything begins with.
const ROOTS: [&str; 9] =
    ["public", "web", "webroot", "htdocs", "html", "public_html", "www", "pub", "."];

/// The framework's name and folder.
pub(super) fn framework(app: &App, project: &Project) -> Option<(&'static str, &'static str)> {
    let found = FRAMEWORKS.iter().find(|(package, file, _, _)| {
        if package.is_empty() { app.has(file) } else { project.requires(package) }
    });
    found.map(|(_, _, root, name)| (*name, *root))
}

/// Whether anything looks like a PHP app: the file that is seen.
pub(super) fn index(app: &App) -> Option<String> {
    let paths = ROOTS.iter().map(|root| path(root, "index.php"));
    paths.into_iter().find(|path| app.has(path))
}

/// Decides.
pub(super) fn choose(app: &App, project: &Project) -> Result<Site, PackError> {
    let framework = framework(app, project);
    if let Some((name, root)) = framework.filter(|(_, root)| app.has(path(root, "index.php"))) {
        let because = format!("{name}, with {}", path(root, "index.php"));
        return Ok(Site { root: root.to_owned(), front: Front::Index, because });
    }
    let Some(root) = ROOTS.into_iter().find(|root| app.has(path(root, "index.php"))) else {
        return Err(PackError::app(
            "the app does not say what is served: there is no index.php in public, web, webroot, \
             htdocs, html or the app's own folder",
            "name the folder: echo 'web: php-server --root FOLDER' > Procfile",
        ));
    };
    let index = path(root, "index.php");
    let front = match (framework, root) {
        (Some(_), _) => Some("a framework has it"),
        (None, ".") if rewrites(app)? => Some(".htaccess names it"),
        (None, ".") if is_alone(app)? => Some("it is alone"),
        (None, ".") => None,
        (None, _) => Some("its folder is for it"),
    };
    let because = match front {
        Some(why) => format!("there is {index}, which answers for unknown paths, because {why}"),
        None => format!("there is {index}; unknown paths are not found"),
    };
    let front = if front.is_some() { Front::Index } else { Front::None };
    Ok(Site { root: root.to_owned(), front, because })
}

impl Site {
    /// What serves it.
    pub(super) fn process(&self) -> Process {
        let front: &[&str] = match self.front {
            Front::Index => &["--front", "index.php"],
            Front::None => &[],
        };
        Process::new("web", &[&["php-server", "--root", &self.root], front].concat())
    }
}

/// The folder that an app's Procfile has served, where that is by our server.
pub(super) fn root_of_procfile(text: &str) -> Option<&str> {
    let line = text.lines().find(|line| line.starts_with("web:"))?;
    let root = line.split_once("php-server --root ")?.1.split_whitespace().next()?;
    is_plain(root).then_some(root)
}

/// Whether Apache's rules send unknown paths to `index.php`.
fn rewrites(app: &App) -> Result<bool, PackError> {
    Ok(app.text(".htaccess")?.unwrap_or_default().contains("index.php"))
}

/// Whether `index.php` is the only script at the top.
fn is_alone(app: &App) -> Result<bool, PackError> {
    let entries = sorted_entries(app.dir()).map_err(PackError::io(app.dir()))?;
    let scripts = entries.iter().filter(|path| path.extension().is_some_and(|it| it == "php"));
    Ok(scripts.count() == 1)
}

fn path(root: &str, file: &str) -> String {
    if root == "." { file.to_owned() } else { format!("{root}/{file}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[&str], require: &str, expected: &str) {
        let manifest = format!(r#"{{"require":{{"{require}":"1"}}}}"#);
        let mut all: Vec<(&str, &str)> = files.iter().map(|name| (*name, "")).collect();
        if !require.is_empty() {
            all.push(("composer.json", &manifest));
        }
        let (app, _dir) = App::of(&all);
        let shown = match choose(&app, &Project::of(&app).unwrap()) {
            Ok(site) => site.process().shown(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{files:?}");
    }

    #[test]
    fn the_folder_is_where_frameworks_and_people_put_it() {
        let public = "php-server --root public --front index.php";
        check(&["public/index.php", "index.php", "artisan"], "laravel/framework", public);
        check(&["public/index.php", "public/about.php"], "", public);
        check(&["web/index.php"], "drupal/core", "php-server --root web --front index.php");
        check(
            &["webroot/index.php", "index.php"],
            "cakephp/cakephp",
            "php-server --root webroot --front index.php",
        );
        let root = "php-server --root . --front index.php";
        check(&["index.php", "wp-login.php", "wp-includes/version.php"], "", root);
        check(&["index.php"], "", root);
        check(&["index.php", "about.php"], "", "php-server --root .");
        check(
            &["src/app.php"],
            "slim/slim",
            "the app does not say what is served: there is no index.php in public, web, webroot, \
             htdocs, html or the app's own folder",
        );
    }

    #[test]
    fn apaches_rules_tell_whether_unknown_paths_are_known() {
        let rules =
            [("index.php", ""), ("about.php", ""), (".htaccess", "RewriteRule . /index.php [L]")];
        let (app, _dir) = App::of(&rules);
        assert_eq!(choose(&app, &Project::default()).unwrap().front, Front::Index);
    }

    #[test]
    fn a_procfile_may_name_the_folder() {
        assert_eq!(
            root_of_procfile("worker: x\nweb: php-server --root app/pub --front a.php"),
            Some("app/pub")
        );
        assert_eq!(root_of_procfile("web: php artisan serve"), None);
    }
}
