//! Two kinds of drawings as SVG: lines over logarithmic axes, and bars.
//!
//! Written here because it is a few dozen lines of text: the drawings follow the reader's light or dark theme, name
//! each line where it ends instead of in a legend, and stay the same bytes for the same figures.

use super::table::number;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 44.0;
const PLOT_HEIGHT: f64 = 300.0;
/// Labels at the ends of lines are at least so far apart.
const LABEL_HEIGHT: f64 = 16.0;
const BAR_HEIGHT: f64 = 22.0;

/// Classes of lines and bars with their colours on light and on dark ground.
const COLOURS: [(&str, &str, &str); 7] = [
    ("ours0", "#0b6bcb", "#5aa9f5"),
    ("ours1", "#12998f", "#3fcfc2"),
    ("limit", "#777777", "#a0a0a0"),
    ("other0", "#d9730d", "#f0a35e"),
    ("other1", "#c0392b", "#ef7b6f"),
    ("other2", "#8e5cc2", "#bd9be6"),
    ("other3", "#8a6d00", "#d8b840"),
];

/// Lines over two logarithmic axes.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) title: &'static str,
    pub(super) x_title: &'static str,
    pub(super) lines: Vec<Line>,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) label: String,
    pub(super) is_ours: bool,
    pub(super) is_limit: bool,
    pub(super) points: Vec<(f64, f64)>,
}

/// Horizontal bars; the bool says which are ours.
#[derive(Debug)]
pub(super) struct Bars {
    pub(super) title: &'static str,
    pub(super) bars: Vec<(String, f64, bool)>,
}

/// A logarithmic axis from one place on the drawing to another.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// Covers `values` with whole steps of 1, 2, 5, 10, ...
    fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(0.0, f64::max);
        let (low, high) = (step_below(low), step_above(high));
        Self { low, high: if high > low { high } else { low * 10.0 }, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        self.from + share * (self.to - self.from)
    }

    /// Where lines and numbers stand: every 1, 2 and 5 if there is room, else powers of ten.
    fn ticks(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let is_sparse = decades > 3.0;
        let mut ticks = Vec::new();
        let mut tick = self.low;
        while tick <= self.high * 1.001 {
            if !is_sparse || mantissa(tick) < 1.5 {
                ticks.push(tick);
            }
            tick = step_above(tick * 1.01);
        }
        ticks
    }
}

impl Lines {
    pub(super) fn draw(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| line.points.iter());
        let x = Axis::over(points().map(|point| point.0), LEFT, WIDTH - RIGHT);
        let y = Axis::over(points().map(|point| point.1), TOP + PLOT_HEIGHT, TOP);
        let mut out = begin(TOP + PLOT_HEIGHT + 48.0, self.title);
        for tick in y.ticks() {
            let at = y.place(tick);
            let end = WIDTH - RIGHT;
            out +=
                &format!("<line class=\"grid\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>");
            out += &text(LEFT - 8.0, at + 4.0, "end", "", &plain(tick));
        }
        let bottom = TOP + PLOT_HEIGHT;
        for tick in x.ticks().into_iter().filter(|&tick| mantissa(tick) < 1.5) {
            let at = x.place(tick);
            out +=
                &format!("<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>");
            out += &text(at, bottom + 20.0, "middle", "", &number(tick).replace(".00", "").replace(".0", ""));
        }
        out += &text(f64::midpoint(LEFT, WIDTH - RIGHT), bottom + 40.0, "middle", "", self.x_title);
        for (class, line, label_at) in self.with_labels(&y) {
            let places: Vec<(f64, f64)> =
                line.points.iter().map(|&(px, py)| (x.place(px), y.place(py))).collect();
            let path: Vec<String> = places.iter().map(|(px, py)| format!("{px:.1},{py:.1}")).collect();
            out += &format!("<g class=\"{class}\"><path d=\"M{}\"/>", path.join(" L"));
            for (px, py) in &places {
                out += &format!("<circle cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"3.5\"/>");
            }
            let end = places.last().map_or(LEFT, |place| place.0);
            out += &text(end + 10.0, label_at + 4.0, "start", "label", &line.label);
            out += "</g>";
        }
        out + "</svg>\n"
    }

    /// Each line with its class and the height at which its label stands: that of its last point, or near it.
    fn with_labels(&self, y: &Axis) -> Vec<(String, &Line, f64)> {
        let mut counts = [0, 0];
        let mut lines: Vec<(String, &Line, f64)> = self
            .lines
            .iter()
            .map(|line| {
                let count = &mut counts[usize::from(line.is_ours)];
                let class = match (line.is_limit, line.is_ours) {
                    (true, _) => "limit".to_owned(),
                    (_, ours) => {
                        *count += 1;
                        format!("{}{}", if ours { "ours" } else { "other" }, *count - 1)
                    }
                };
                (class, line, line.points.last().map_or(TOP, |point| y.place(point.1)))
            })
            .collect();
        lines.sort_by(|a, b| a.2.total_cmp(&b.2));
        let apart = apart(lines.iter().map(|line| line.2));
        lines.iter_mut().zip(apart).for_each(|(line, at)| line.2 = at);
        lines
    }
}

/// Ascending heights, moved as little as it takes for labels not to cover each other: those that are too close form a
/// group around the middle of where they would be.
fn apart(heights: impl Iterator<Item = f64>) -> Vec<f64> {
    // Each group: how many labels, and the mean of where its first one would be for each of them.
    let mut groups: Vec<(usize, f64)> = Vec::new();
    for (index, height) in heights.enumerate() {
        let mut group = (1, height - index as f64 * LABEL_HEIGHT);
        while let Some(&(count, first)) = groups.last().filter(|last| last.1 > group.1) {
            groups.pop();
            let all = count + group.0;
            group = (all, (first * count as f64 + group.1 * group.0 as f64) / all as f64);
        }
        groups.push(group);
    }
    let firsts = groups.into_iter().flat_map(|(count, first)| std::iter::repeat_n(first, count));
    firsts.enumerate().map(|(index, first)| first + index as f64 * LABEL_HEIGHT).collect()
}

impl Bars {
    pub(super) fn draw(&self) -> String {
        let names = 210.0;
        let longest = self.bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
        let mut out = begin(TOP + BAR_HEIGHT * self.bars.len() as f64 + 12.0, self.title);
        for (index, (label, value, is_ours)) in self.bars.iter().enumerate() {
            let top = TOP + BAR_HEIGHT * index as f64;
            let width = (value / longest * (WIDTH - names - 90.0)).max(1.0);
            let class = if *is_ours { "ours0" } else { "limit" };
            out += &text(names - 8.0, top + 13.0, "end", "", label);
            out += &format!(
                "<g class=\"{class}\"><rect x=\"{names}\" y=\"{top}\" width=\"{width:.1}\" height=\"16\" rx=\"2\"/>"
            );
            out += &text(names + width + 8.0, top + 13.0, "start", "label", &format!("{value:.2}"));
            out += "</g>";
        }
        out + "</svg>\n"
    }
}

fn begin(height: f64, title: &str) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">"
    );
    out += &style();
    out += &text(16.0, 24.0, "start", "title", title);
    out
}

fn style() -> String {
    let rule = |class: &str, colour: &str| {
        format!(
            ".{class} path{{stroke:{colour}}}.{class} circle,.{class} rect,.{class} .label{{fill:{colour}}}"
        )
    };
    let light: String = COLOURS.iter().map(|(class, light, _)| rule(class, light)).collect();
    let dark: String = COLOURS.iter().map(|(class, _, dark)| rule(class, dark)).collect();
    format!(
        "<style>text{{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#444}}\
         .title,.label{{font-weight:600}}.title{{fill:#222}}\
         .grid{{stroke:#888;stroke-opacity:.3;stroke-width:1}}\
         path{{fill:none;stroke-width:2;stroke-linejoin:round}}.ours0 path,.ours1 path{{stroke-width:3}}\
         .limit path{{stroke-dasharray:5 4}}{light}\
         @media (prefers-color-scheme:dark){{text{{fill:#bbb}}.title{{fill:#eee}}{dark}}}</style>"
    )
}

fn text(x: f64, y: f64, anchor: &str, class: &str, text: &str) -> String {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"{class}>{text}</text>")
}

/// Powers of ten and their 2 and 5 without zeros that say nothing.
fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn mantissa(value: f64) -> f64 {
    value / 10_f64.powf(value.log10().floor())
}

fn step_above(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|step| step * power)
        .into_iter()
        .find(|&step| step >= value * 0.999)
        .unwrap_or(value)
}

fn step_below(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [5.0, 2.0, 1.0].map(|step| step * power).into_iter().find(|&step| step <= value * 1.001).unwrap_or(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_covers_its_values_with_round_numbers() {
        let axis = Axis::over([0.031, 9.3].into_iter(), 0.0, 1.0);
        assert_eq!((axis.low, axis.high), (0.02, 10.0));
        let members = Axis::over([10.0, 10_000.0].into_iter(), 0.0, 3.0);
        assert!((members.place(100.0) - 1.0).abs() < 1e-9);
        assert_eq!(members.ticks().len(), 10);
    }

    #[test]
    fn labels_stand_apart_and_near_their_lines() {
        assert_eq!(apart([10.0, 50.0].into_iter()), [10.0, 50.0]);
        let middle = LABEL_HEIGHT / 2.0;
        assert_eq!(apart([20.0, 20.0, 90.0].into_iter()), [20.0 - middle, 20.0 + middle, 90.0]);
        let crowded = apart([20.0, 20.0, 25.0, 26.0].into_iter());
        assert!(crowded.windows(2).all(|pair| pair[1] - pair[0] >= LABEL_HEIGHT - 1e-9), "{crowded:?}");
    }
}
