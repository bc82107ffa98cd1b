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

const STYLE: &str = "<style>\
    text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#444}\
    .title{font-weight:600;fill:#222}\
    .grid{stroke:#8884;stroke-width:1}\
    path,circle,rect{stroke-linejoin:round}\
    .ours0{--c:#0b6bcb}.ours1{--c:#12998f}.limit{--c:#888}\
    .other0{--c:#d9730d}.other1{--c:#c0392b}.other2{--c:#8e5cc2}.other3{--c:#a38105}\
    path{fill:none;stroke:var(--c);stroke-width:2}.ours0 path,.ours1 path{stroke-width:3}\
    .limit path{stroke-dasharray:5 4}\
    circle,rect{fill:var(--c)}.label{fill:var(--c);font-weight:600}\
    @media (prefers-color-scheme:dark){text{fill:#bbb}.title{fill:#eee}\
    .ours0{--c:#5aa9f5}.ours1{--c:#3fcfc2}.limit{--c:#999}.other0{--c:#f0a35e}.other1{--c:#ef7b6f}.other2{--c:#bd9be6}.other3{--c:#d8b840}\
    .label{fill:var(--c)}}\
    </style>";

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
            out += &format!("<line class=\"grid\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>");
            out += &text(LEFT - 8.0, at + 4.0, "end", "", &plain(tick));
        }
        let bottom = TOP + PLOT_HEIGHT;
        for tick in x.ticks().into_iter().filter(|&tick| mantissa(tick) < 1.5) {
            let at = x.place(tick);
            out += &format!("<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>");
            out += &text(at, bottom + 20.0, "middle", "", &number(tick).replace(".00", "").replace(".0", ""));
        }
        out += &text(f64::midpoint(LEFT, WIDTH - RIGHT), bottom + 40.0, "middle", "", self.x_title);
        for (class, line, label_at) in self.with_labels(&y) {
            let places: Vec<(f64, f64)> = line.points.iter().map(|&(px, py)| (x.place(px), y.place(py))).collect();
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

    /// Each line with its colour and the height at which its label stands: that of its last point, moved down where
    /// it would cover the one above.
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
        for index in 1..lines.len() {
            lines[index].2 = lines[index].2.max(lines[index - 1].2 + LABEL_HEIGHT);
        }
        lines
    }
}

impl Bars {
    pub(super) fn draw(&self) -> String {
        let names = 210.0;
        let longest = self.bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
        let mut out = begin(TOP + BAR_HEIGHT * self.bars.len() as f64 + 12.0, self.title);
        for (index, (label, value, is_ours)) in self.bars.iter().enumerate() {
            let top = TOP + BAR_HEIGHT * index as f64;
            let width = (value / longest * (WIDTH - names - 80.0)).max(1.0);
            let class = if *is_ours { "ours0" } else { "limit" };
            out += &text(names - 8.0, top + 13.0, "end", "", label);
            out += &format!("<g class=\"{class}\"><rect x=\"{names}\" y=\"{top}\" width=\"{width:.1}\" height=\"16\" rx=\"2\"/>");
            out += &text(names + width + 8.0, top + 13.0, "start", "label", &format!("{value:.2}"));
            out += "</g>";
        }
        out + "</svg>\n"
    }
}

fn begin(height: f64, title: &str) -> String {
    let mut out = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">");
    out += STYLE;
    out += &text(16.0, 24.0, "start", "title", title);
    out
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
    value / 10_f64.powf(value.log10().floor() + 0.0)
}

fn step_above(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|&step| step >= value * 0.999).unwrap_or(value)
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
    fn labels_do_not_cover_each_other() {
        let line = |value| Line { label: "a".to_owned(), is_ours: false, is_limit: false, points: vec![(10.0, value), (100.0, value)] };
        let lines = Lines { title: "", x_title: "", lines: vec![line(1.0), line(1.01), line(100.0)] };
        let places = lines.with_labels(&Axis { low: 1.0, high: 100.0, from: 300.0, to: 0.0 });
        let heights: Vec<f64> = places.iter().map(|place| place.2).collect();
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= LABEL_HEIGHT), "{heights:?}");
    }
}
