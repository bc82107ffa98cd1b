//! Tables that read well on a terminal and are also Markdown.

/// Rows of cells below a heading, as a Markdown table with aligned columns. The first column is aligned to the left,
/// the figures to the right.
pub(super) fn table(heading: &[String], rows: &[Vec<String>]) -> String {
    let cells = |row: &[String], column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let width = |column: usize| {
        rows.iter().chain([&heading.to_vec()]).map(|row| cells(row, column)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(|column| width(column).max(3)).collect();
    let line = |row: &[String]| {
        let cells = widths.iter().enumerate().map(|(column, &width)| {
            let cell = row.get(column).map_or("", String::as_str);
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule: Vec<String> = widths
        .iter()
        .enumerate()
        .map(
            |(column, &width)| {
                if column == 0 { "-".repeat(width) } else { format!("{}:", "-".repeat(width - 1)) }
            },
        )
        .collect();
    let mut out = line(heading);
    out.push_str(&line(&rule));
    rows.iter().for_each(|row| out.push_str(&line(row)));
    out
}

/// A figure, rounded to as many digits as are meaningful.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), ""), |(whole, fraction)| (whole, fraction));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && digit != '-' {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_or_so_and_thousands_apart() {
        let texts = [0.0314, 1.5, 12.34, 123.4, 1234.0, 16_811_211.9].map(number);
        assert_eq!(texts, ["0.031", "1.50", "12.3", "123", "1,234", "16,811,212"]);
    }

    #[test]
    fn a_table_is_aligned() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let table = table(&row(["system", "us"]), &[row(["a", "1.00"]), row(["much longer", "10"])]);
        let expected = "| system      |   us |\n| ----------- | ---: |\n| a           | 1.00 |\n| much longer |   10 |\n";
        assert_eq!(table, expected);
    }
}
