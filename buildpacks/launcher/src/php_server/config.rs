//! The configurations of nginx and php-fpm, as texts. Pure.

use std::path::PathBuf;

/// How an app is to be served.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) port: u16,
    /// The folder of the files that everybody may ask for.
    pub(super) root: PathBuf,
    /// Whether that is the app's own folder, which holds more than that.
    pub(super) is_whole_app: bool,
    /// The file in it that answers for paths without a file.
    pub(super) front: Option<String>,
    /// Whether Vite left files that are named by their content.
    pub(super) has_hashed_assets: bool,
    /// Processes of PHP.
    pub(super) children: u64,
    /// The app's own part of the configuration.
    pub(super) own: Option<PathBuf>,
    /// Where everything is written to.
    pub(super) home: PathBuf,
}

/// Files at the top of an app that are no pages of it.
const PRIVATE: &str = "    location ~* ^/(?:vendor|node_modules|layers)/ { return 404; }\n    \
    location ~* ^/(?:composer\\.(?:json|lock)|package(?:-lock)?\\.json|Procfile|Aptfile|paas\\.toml|\
    nginx_app\\.conf|artisan)$ { return 404; }\n";

/// Files that are named by their content.
const HASHED: &str = "    location ^~ /build/assets/ {\n      \
    add_header Cache-Control \"public, max-age=31536000, immutable\";\n      try_files $uri =404;\n    }\n";

impl Settings {
    /// The socket between the two.
    pub(super) fn socket(&self) -> PathBuf {
        self.home.join("fpm.sock")
    }

    /// Where nginx's configuration is written to.
    pub(super) fn nginx_file(&self) -> PathBuf {
        self.home.join("nginx.conf")
    }

    /// Where php-fpm's configuration is written to.
    pub(super) fn fpm_file(&self) -> PathBuf {
        self.home.join("fpm.conf")
    }

    /// nginx's configuration. Files of an image all have the same time, so that validators made of
    /// times would call a new deploy "not modified": there are none.
    pub(super) fn nginx(&self) -> String {
        let home = self.home.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("  {name}_temp_path {home}/{name};\n"))
            .concat();
        format!(
            "daemon off;\npid {home}/nginx.pid;\nerror_log stderr error;\nworker_processes 2;\n\
             events {{ worker_connections 1024; }}\nhttp {{\n  include /etc/nginx/mime.types;\n  \
             default_type application/octet-stream;\n  access_log off;\n  server_tokens off;\n  \
             sendfile on;\n  tcp_nopush on;\n  keepalive_timeout 75s;\n  keepalive_requests 100000;\n  \
             client_max_body_size 0;\n{temporary}  \
             map $http_x_forwarded_proto $behind_https {{ default \"\"; https on; }}\n  \
             upstream php {{ server unix:{socket}; }}\n  server {{\n    listen {port} backlog=1024;\n    \
             root \"{root}\";\n    index index.php index.html index.htm;\n    absolute_redirect off;\n    \
             etag off;\n    if_modified_since off;\n    location ~ /\\.(?!well-known/) {{ return 404; }}\n\
             {private}{hashed}{pages}{php}  }}\n}}\n",
            socket = self.socket().display(),
            port = self.port,
            root = self.root.display(),
            private = if self.is_whole_app { PRIVATE } else { "" },
            hashed = if self.has_hashed_assets { HASHED } else { "" },
            pages = self.pages(),
            php = PHP,
        )
    }

    fn pages(&self) -> String {
        if let Some(own) = &self.own {
            return format!("    include \"{}\";\n", own.display());
        }
        let last = match &self.front {
            Some(front) => format!("/{front}$is_args$args"),
            None => "=404".to_owned(),
        };
        format!(
            "    location / {{\n      add_header Last-Modified \"\";\n      \
             try_files $uri $uri/ {last};\n    }}\n"
        )
    }

    /// php-fpm's configuration. The app's variables are its configuration, so they are passed on.
    pub(super) fn fpm(&self) -> String {
        let children = self.children;
        format!(
            "[global]\ndaemonize = no\nerror_log = /proc/self/fd/2\nlog_level = warning\n\
             log_limit = 8192\n[app]\nlisten = {socket}\nlisten.backlog = 1024\npm = dynamic\n\
             pm.max_children = {children}\npm.start_servers = {start}\npm.min_spare_servers = 1\n\
             pm.max_spare_servers = {spare}\npm.max_requests = 2000\nclear_env = no\n\
             catch_workers_output = yes\ndecorate_workers_output = no\n\
             php_admin_value[error_log] = /proc/self/fd/2\nphp_admin_flag[log_errors] = on\n",
            socket = self.socket().display(),
            start = children.min(2),
            spare = (children / 2).max(2).min(children),
        )
    }
}

/// How nginx asks PHP. A script that is no file is never asked for.
const PHP: &str = r#"    location ~ [^/]\.php(?:/|$) {
      fastcgi_split_path_info ^(.+?\.php)(/.*)$;
      set $rest $fastcgi_path_info;
      try_files $fastcgi_script_name =404;
      fastcgi_pass php;
      fastcgi_buffer_size 32k;
      fastcgi_buffers 16 16k;
      fastcgi_read_timeout 300s;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_param SCRIPT_NAME $fastcgi_script_name;
      fastcgi_param PATH_INFO $rest;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param REQUEST_SCHEME $scheme;
      fastcgi_param DOCUMENT_URI $document_uri;
      fastcgi_param DOCUMENT_ROOT $document_root;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
      fastcgi_param SERVER_SOFTWARE nginx;
      fastcgi_param SERVER_ADDR $server_addr;
      fastcgi_param SERVER_PORT $server_port;
      fastcgi_param SERVER_NAME $host;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param REMOTE_PORT $remote_port;
      fastcgi_param GATEWAY_INTERFACE CGI/1.1;
      fastcgi_param REDIRECT_STATUS 200;
      fastcgi_param HTTPS $behind_https if_not_empty;
      fastcgi_param HTTP_PROXY "";
    }
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            port: 5000,
            root: "/workspace/public".into(),
            is_whole_app: false,
            front: Some("index.php".into()),
            has_hashed_assets: false,
            children: 6,
            own: None,
            home: "/tmp/php-server".into(),
        }
    }

    fn check(settings: &Settings, has: &[&str], lacks: &[&str]) {
        let text = settings.nginx();
        for part in has {
            assert!(text.contains(part), "{part} in {text}");
        }
        for part in lacks {
            assert!(!text.contains(part), "{part} in {text}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }

    #[test]
    fn nginx_serves_what_the_app_is() {
        let front = "try_files $uri $uri/ /index.php$is_args$args;";
        let usual = ["listen 5000 ", "root \"/workspace/public\";", front];
        check(&settings(), &usual, &["composer", "immutable", "include \""]);
        let whole = Settings { is_whole_app: true, front: None, ..settings() };
        check(&whole, &["composer", "try_files $uri $uri/ =404;"], &[front]);
        let own = Settings { own: Some("/workspace/nginx_app.conf".into()), ..settings() };
        check(&own, &["include \"/workspace/nginx_app.conf\";"], &["location / {"]);
        check(&Settings { has_hashed_assets: true, ..settings() }, &["immutable"], &[]);
    }

    #[test]
    fn fpm_has_as_many_processes_as_told() {
        let text = settings().fpm();
        let parts =
            ["max_children = 6", "start_servers = 2", "max_spare_servers = 3", "clear_env = no"];
        for part in parts {
            assert!(text.contains(part), "{part} in {text}");
        }
        let one = Settings { children: 1, ..settings() }.fpm();
        assert!(one.contains("start_servers = 1") && one.contains("max_spare_servers = 1"));
    }
}
