//! Curves over time as SVG, one panel below the other, in the light or dark of whoever looks at them.

const WIDTH: f64 = 760.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 110.0;
const PANEL_HEIGHT: f64 = 110.0;
const TITLE_HEIGHT: f64 = 44.0;
const PANEL_TITLE_HEIGHT: f64 = 34.0;
const LABEL_HEIGHT: f64 = 16.0;

/// A class of curve with its colour on light and on dark ground.
const COLOURS: [(&str, &str, &str); 2] = [("line0", "#0b6bcb", "#5aa9f5"), ("line1", "#d9730d", "#f0a35e")];

#[derive(Debug)]
pub(super) struct Panel {
    pub(super) title: &'static str,
    /// Each with its label; all start at zero.
    pub(super) lines: Vec<(&'static str, Vec<(f64, f64)>)>,
}

pub(super) fn draw(title: &str, x_title: &str, panels: &[Panel]) -> String {
    let x_max = panels.iter().flat_map(Panel::points).map(|point| point.0).fold(0.0, f64::max);
    let height = TITLE_HEIGHT + panels.len() as f64 * (PANEL_HEIGHT + PANEL_TITLE_HEIGHT) + 44.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">"
    );
    out += &style();
    out += &text(16.0, 24.0, "start", "title", title);
    let mut top = TITLE_HEIGHT;
    for panel in panels {
        top += PANEL_TITLE_HEIGHT;
        out += &text(LEFT, top - 12.0, "start", "title", panel.title);
        out += &panel.draw(top, x_max);
        top += PANEL_HEIGHT;
    }
    for tick in ticks(x_max) {
        out += &text(x_place(tick, x_max), top + 18.0, "middle", "", &plain(tick));
    }
    out += &text(f64::midpoint(LEFT, WIDTH - RIGHT), top + 36.0, "middle", "", x_title);
    out + "</svg>\n"
}

impl Panel {
    fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.lines.iter().flat_map(|(_, points)| points.iter().copied())
    }

    fn draw(&self, top: f64, x_max: f64) -> String {
        let y_max = self.points().map(|point| point.1).fold(0.0, f64::max);
        let ticks = ticks(y_max);
        let y_max = ticks.last().copied().unwrap_or(1.0).max(y_max);
        let place = |y: f64| top + PANEL_HEIGHT - y / y_max * PANEL_HEIGHT;
        let mut out = String::new();
        for tick in ticks {
            let (at, end) = (place(tick), WIDTH - RIGHT);
            out +=
                &format!("<line class=\"grid\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>");
            out += &text(LEFT - 8.0, at + 4.0, "end", "", &plain(tick));
        }
        let mut label_above = f64::INFINITY;
        let mut lines: Vec<_> = self.lines.iter().enumerate().collect();
        lines.sort_by(|(_, (_, a)), (_, (_, b))| {
            let last = |points: &[(f64, f64)]| points.last().map_or(0.0, |point| point.1);
            last(a).total_cmp(&last(b))
        });
        for (index, (label, points)) in lines {
            let path: Vec<String> =
                points.iter().map(|(x, y)| format!("{:.1},{:.1}", x_place(*x, x_max), place(*y))).collect();
            let label_at = points.last().map_or(top, |point| place(point.1)).min(label_above - LABEL_HEIGHT);
            label_above = label_at;
            out += &format!("<g class=\"line{index}\"><path d=\"M{}\"/>", path.join(" L"));
            out += &text(WIDTH - RIGHT + 10.0, label_at + 4.0, "start", "label", label);
            out += "</g>";
        }
        out
    }
}

fn x_place(x: f64, x_max: f64) -> f64 {
    LEFT + x / x_max.max(f64::MIN_POSITIVE) * (WIDTH - RIGHT - LEFT)
}

/// From zero to just above `max` in three to six steps of 1, 2 or 5.
fn ticks(max: f64) -> Vec<f64> {
    if max <= 0.0 {
        return vec![0.0, 1.0];
    }
    let power = 10_f64.powf((max / 4.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| max / step <= 5.0);
    let step = step.unwrap_or(power * 10.0);
    (0..).map(|count| f64::from(count) * step).take_while(|tick| *tick < max + step).collect()
}

fn plain(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn style() -> String {
    let rule = |class: &str, colour: &str| {
        format!(".{class} path{{stroke:{colour}}}.{class} .label{{fill:{colour}}}")
    };
    let light: String = COLOURS.iter().map(|(class, light, _)| rule(class, light)).collect();
    let dark: String = COLOURS.iter().map(|(class, _, dark)| rule(class, dark)).collect();
    format!(
        "<style>text{{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#444}}\
         .title,.label{{font-weight:600}}.title{{fill:#222}}\
         .grid{{stroke:#888;stroke-opacity:.3;stroke-width:1}}\
         path{{fill:none;stroke-width:1.5;stroke-linejoin:round}}{light}\
         @media (prefers-color-scheme:dark){{text{{fill:#bbb}}.title{{fill:#eee}}{dark}}}</style>"
    )
}

fn text(x: f64, y: f64, anchor: &str, class: &str, text: &str) -> String {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"{class}>{text}</text>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_a_few_round_numbers_and_holds_the_greatest_value() {
        assert_eq!(ticks(9.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(100.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        for max in [0.03, 1.0, 7.7, 123.0, 4_999.0] {
            let ticks = ticks(max);
            assert!((3..=8).contains(&ticks.len()) && *ticks.last().unwrap() >= max, "{max}: {ticks:?}");
        }
    }
}
