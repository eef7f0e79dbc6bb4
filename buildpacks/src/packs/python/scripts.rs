//! Scripts that bring their own server: there is no object to load, the file itself is run. A new
//! one is a line of a table.

/// How the scripts of one library are run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// What such a file imports.
    module: &'static str,
    /// The program that runs it, and tells whether the library is installed.
    pub(super) program: &'static str,
    /// A shell line; `FILE` stands for the script.
    pub(super) line: &'static str,
}

/// The libraries. Gradio and Dash listen where the variables say unless the script does.
const SCRIPTS: [Script; 5] = [
    Script {
        module: "streamlit",
        program: "streamlit",
        line: "exec streamlit run FILE --server.headless=true --server.address=0.0.0.0 \
               --server.port=${PORT:-8000}",
    },
    Script {
        module: "chainlit",
        program: "chainlit",
        line: "exec chainlit run FILE --headless --host 0.0.0.0 --port ${PORT:-8000}",
    },
    Script {
        module: "panel",
        program: "panel",
        line: "exec panel serve FILE --address 0.0.0.0 --port ${PORT:-8000} \
               --allow-websocket-origin='*'",
    },
    Script {
        module: "gradio",
        program: "python",
        line: "GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=${PORT:-8000} exec python FILE",
    },
    Script {
        module: "dash",
        program: "python",
        line: "HOST=0.0.0.0 DASH_DEBUG=false exec python FILE",
    },
];

impl Script {
    /// Whose script a file is, by what it imports.
    pub(super) fn of(text: &str) -> Option<&'static Self> {
        let imported = |line: &str| {
            let mut words = line.split_whitespace();
            let keyword = matches!(words.next(), Some("import" | "from"));
            words.next().filter(|_| keyword).map(|it| it.trim_end_matches(',').to_owned())
        };
        let modules: Vec<String> = text.lines().filter_map(imported).collect();
        let imports = |name: &str| modules.iter().any(|it| it.split('.').next() == Some(name));
        SCRIPTS.iter().find(|script| imports(script.module))
    }

    /// The library, for the log.
    pub(super) fn library(&self) -> &'static str {
        self.module
    }
}
