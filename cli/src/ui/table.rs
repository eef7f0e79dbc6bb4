//! Tables of text: columns as wide as they need to be, nothing cut off, notes under a row.

use super::clean;

/// A table.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
enum Row {
    Cells(Vec<String>),
    Note(String),
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self { rows: vec![Row::Cells(headings.map(str::to_owned).to_vec())] }
    }

    /// Lines of `name  value`, without a heading.
    pub(crate) fn pairs() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a row. What is empty is shown as `-`.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        let cells = cells.map(|cell| {
            let cell = clean(&cell, false).replace('\n', " ");
            if cell.is_empty() { "-".to_owned() } else { cell }
        });
        self.rows.push(Row::Cells(cells.to_vec()));
    }

    /// Adds a remark under the last row.
    pub(crate) fn note(&mut self, text: &str) {
        self.rows.push(Row::Note(clean(text, false)));
    }

    /// The table, line by line.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            let Row::Cells(cells) = row else { continue };
            widths.resize(widths.len().max(cells.len()), 0);
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        self.rows.iter().map(|row| row.line(&widths)).collect()
    }
}

impl Row {
    fn line(&self, widths: &[usize]) -> String {
        match self {
            Self::Note(text) => format!("  {text}"),
            Self::Cells(cells) => {
                let mut line = String::new();
                for (cell, width) in cells.iter().zip(widths) {
                    let padding = width.saturating_sub(cell.chars().count()) + 2;
                    line.push_str(cell);
                    line.extend(std::iter::repeat_n(' ', padding));
                }
                line.trim_end().to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let mut table = Table::new(["PROCESS", "STATE", "MEM"]);
        table.row(["web.1".to_owned(), "running".to_owned(), "12 MiB".to_owned()]);
        table.row(["äworker.10".to_owned(), "crashed".to_owned(), String::new()]);
        table.note("exit code 1, next try in 8 s");
        let expected = "\
PROCESS     STATE    MEM
web.1       running  12 MiB
äworker.10  crashed  -
  exit code 1, next try in 8 s";
        assert_eq!(table.lines().join("\n"), expected);
    }
}
