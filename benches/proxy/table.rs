//! The one table that is printed.

use crate::contest::Samples;
use crate::contestant::COLUMNS;
use crate::row::{Row, Sample, Unit};

/// Rates as ratios to the first column (medians of the ratios within each round), all else as it is.
pub(crate) fn print(samples: &Samples) {
    print!("\n{:<32}", "");
    for kind in COLUMNS {
        print!("{:>12}", kind.name());
    }
    println!();
    for (row, columns) in samples {
        print!("{:<32}", row.name());
        for (index, column) in columns.iter().enumerate() {
            print!("{:>12}", cell(*row, index, &columns[0], column));
        }
        println!();
        if row.unit() == Unit::Rate {
            print!("{:<32}", "  processor time per request");
            for column in columns {
                let cost = median(column.iter().filter_map(|sample| sample.cost));
                print!("{:>12}", format!("{cost:.1} µs"));
            }
            println!();
        }
    }
}

fn cell(row: Row, index: usize, first: &[Sample], column: &[Sample]) -> String {
    let value = median(column.iter().map(|sample| sample.value));
    match row.unit() {
        Unit::Rate if index == 0 => format!("{value:.0}/s"),
        Unit::Rate => {
            let ratios = column.iter().zip(first).map(|(own, first)| own.value / first.value);
            format!("{:.2}", median(ratios))
        }
        Unit::Latency => format!("{value:.0} µs"),
        Unit::Memory => format!("{:.1} KiB", value / 1024.0),
    }
}

/// Says what failed, and how much in all.
pub(crate) fn failures(samples: &Samples) -> u64 {
    let mut all = 0;
    for (row, columns) in samples {
        for (kind, column) in COLUMNS.iter().zip(columns) {
            let failed: u64 = column.iter().map(|sample| sample.failures).sum();
            if failed > 0 {
                println!("{}: {}: {failed} failures", kind.name(), row.name());
            }
            all += failed;
        }
    }
    all
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}
