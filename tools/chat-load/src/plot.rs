//! Plots as SVG: over the number of members, as bars, and over time.

use plotters::coord::Shift;
use plotters::coord::combinators::WithKeyPoints;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::failure::Result;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const WIDTH: u32 = 780;
const FONT: &str = "sans-serif";
/// In the unit of plotters: a pixel of the picture is 1.24 of these.
const FONT_SIZE: u32 = 16;
const TITLE_SIZE: u32 = 19;
const LEGEND_WIDTH: u32 = 260;
/// Height of a line of text in pixels.
const LINE_HEIGHT: i32 = 20;
const GREY: RGBColor = RGBColor(0x77, 0x77, 0x77);
/// The colours of our systems, then those of the others.
const OURS: [RGBColor; 2] = [RGBColor(0x0b, 0x6b, 0xcb), RGBColor(0x12, 0x99, 0x8f)];
const OTHERS: [RGBColor; 4] = [
    RGBColor(0xd9, 0x73, 0x0d),
    RGBColor(0xc0, 0x39, 0x2b),
    RGBColor(0x8e, 0x5c, 0xc2),
    RGBColor(0x8a, 0x6d, 0x00),
];

/// Points to be joined by a line.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) is_ours: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

/// One of several plots that share a time axis.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// Draws lines over logarithmic axes. The legend lists them by their last values, the greatest first.
pub(crate) fn over_members(title: &str, lines: &[Line]) -> Result<String> {
    draw(360, title, |area| {
        let values = |of: fn(&(f64, f64)) -> f64| lines.iter().flat_map(|line| &line.points).map(of);
        let (x, y) = (axis(values(|point| point.0)), axis(values(|point| point.1)));
        let (plot, legend) = area.split_horizontally(WIDTH - LEGEND_WIDTH);
        let mut chart = ChartBuilder::on(&plot)
            .margin_right(10)
            .x_label_area_size(44)
            .y_label_area_size(60)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(GREY.mix(0.3))
            .label_style((FONT, FONT_SIZE))
            .x_desc("members")
            .x_label_formatter(&|x| thousands(*x))
            .y_label_formatter(&|y| plain(*y))
            .draw()?;
        let mut ends = Vec::new();
        for (line, color) in lines.iter().zip(colors(lines)) {
            let width = if line.is_ours { 3 } else { 2 };
            let style = color.stroke_width(width).filled();
            chart.draw_series(LineSeries::new(line.points.iter().copied(), style).point_size(3))?;
            ends.push((line.points.last().map_or(0.0, |point| point.1), &line.label, color));
        }
        ends.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (row, (_, label, color)) in (1..).zip(ends) {
            let y = row * LINE_HEIGHT;
            legend.draw(&PathElement::new([(0, y), (18, y)], color.stroke_width(3)))?;
            legend.draw(&Text::new(label.clone(), (24, y), text(color, HPos::Left)))?;
        }
        Ok(())
    })
}

/// Draws horizontal bars. The bool says which are ours.
pub(crate) fn bars(title: &str, bars: &[(String, f64, bool)]) -> Result<String> {
    let names = i32::try_from(LEGEND_WIDTH).unwrap_or(i32::MAX);
    let longest = bars.iter().map(|bar| bar.1).fold(f64::MIN_POSITIVE, f64::max);
    let height = LINE_HEIGHT * (i32::try_from(bars.len()).unwrap_or(i32::MAX) + 1);
    draw(height.unsigned_abs(), title, |area| {
        for (row, (label, value, is_ours)) in (0..).zip(bars) {
            let y = row * LINE_HEIGHT + LINE_HEIGHT / 2;
            #[expect(clippy::cast_possible_truncation, reason = "a share of the width of the picture")]
            let end = names + (value / longest * f64::from(WIDTH - LEGEND_WIDTH - 80)).max(1.0) as i32;
            let color = if *is_ours { OURS[0] } else { GREY };
            area.draw(&Text::new(label.clone(), (names - 8, y), text(BLACK, HPos::Right)))?;
            area.draw(&Rectangle::new([(names, y - 8), (end, y + 8)], color.filled()))?;
            area.draw(&Text::new(format!("{value:.2}"), (end + 8, y), text(color, HPos::Left)))?;
        }
        Ok(())
    })
}

/// Draws panels over minutes, one below the other.
pub(crate) fn over_time(title: &str, panels: &[Panel]) -> Result<String> {
    let count = u32::try_from(panels.len())?;
    draw(160 * count, title, |area| {
        for (panel, area) in panels.iter().zip(area.split_evenly((panels.len(), 1))) {
            draw_panel(panel, &area)?;
        }
        Ok(())
    })
}

fn draw_panel(panel: &Panel, area: &Area<'_>) -> Result<()> {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let x_max = points().map(|point| point.0).fold(f64::MIN_POSITIVE, f64::max);
    let mut values: Vec<f64> = points().map(|point| point.1).collect();
    values.sort_by(f64::total_cmp);
    let top = top(&values);
    let beyond = values.iter().filter(|&&value| value > top).count();
    let title = match values.last() {
        Some(&worst) if beyond > 0 => format!("{} ({beyond} higher, up to {})", panel.title, plain(worst)),
        _ => panel.title.to_owned(),
    };
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, FONT_SIZE))
        .margin_right(110)
        .margin_top(6)
        .x_label_area_size(24)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..x_max, 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GREY.mix(0.3))
        .y_labels(5)
        .label_style((FONT, FONT_SIZE))
        .x_label_formatter(&|minutes| format!("{} min", plain(*minutes)))
        .y_label_formatter(&|y| plain(*y))
        .draw()?;
    let (_, height) = area.dim_in_pixel();
    for (row, (line, color)) in (0..).zip(panel.lines.iter().zip(colors(&panel.lines))) {
        let points = line.points.iter().map(|&(x, y)| (x, y.min(top)));
        chart.draw_series(LineSeries::new(points, color.stroke_width(2)))?;
        let at = (i32::try_from(WIDTH)? - 100, i32::try_from(height / 3)? + row * LINE_HEIGHT);
        area.draw(&Text::new(line.label.clone(), at, text(color, HPos::Left)))?;
    }
    Ok(())
}

/// The top of an axis for ascending `values`. It fits nearly all of them, so that one extreme value does not press
/// the others to the ground.
fn top(values: &[f64]) -> f64 {
    let Some(&max) = values.last() else { return 1.0 };
    let nearly_all = values[(values.len() - 1) * 98 / 100];
    let top = if max > nearly_all * 2.0 { nearly_all } else { max };
    if top > 0.0 { top * 1.1 } else { 1.0 }
}

fn draw(height: u32, title: &str, body: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height + 40)).into_drawing_area();
        root.fill(&WHITE)?;
        let area = root.titled(title, (FONT, TITLE_SIZE))?;
        body(&area)?;
        root.present()?;
    }
    Ok(svg)
}

fn text(color: RGBColor, side: HPos) -> TextStyle<'static> {
    (FONT, FONT_SIZE).into_font().color(&color).pos(Pos::new(side, VPos::Center))
}

/// Ours are blue and green. The limit, which the others are compared with, is grey.
fn colors(lines: &[Line]) -> Vec<RGBColor> {
    let (mut ours, mut others) = (OURS.iter().cycle(), OTHERS.iter().cycle());
    let color = |line: &Line| {
        let next = if line.is_ours {
            ours.next()
        } else if line.label.starts_with("limit") {
            None
        } else {
            others.next()
        };
        next.copied().unwrap_or(GREY)
    };
    lines.iter().map(color).collect()
}

/// A logarithmic axis around `values`, with marks at 1, 2 and 5 of each power of ten. If it spans more than three
/// powers, only 1 has a mark.
fn axis(values: impl Iterator<Item = f64> + Clone) -> WithKeyPoints<LogCoord<f64>> {
    let min = values.clone().fold(f64::INFINITY, f64::min) / 1.1;
    let max = values.fold(f64::MIN_POSITIVE, f64::max) * 1.1;
    let steps: &[f64] = if max / min > 1_000.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let marks = (-6..9).flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
    let marks = marks.filter(|mark| (min..max).contains(mark)).collect();
    (min..max).log_scale().with_key_points(marks)
}

/// The number without trailing zeros.
fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn thousands(value: f64) -> String {
    if value < 1_000.0 { plain(value) } else { format!("{},000", plain(value / 1_000.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sample_that_is_far_off_does_not_scale_the_axis() {
        let mut values = vec![2.0; 99];
        values.push(500.0);
        assert!(top(&values) < 3.0);
        values.fill(2.0);
        assert!(top(&values) > 2.0);
        assert_eq!(top(&[]), 1.0);
        assert_eq!(top(&[0.0]), 1.0);
    }

    #[test]
    fn every_label_is_in_the_picture_as_text() {
        let line = Line { label: "chat".to_owned(), is_ours: true, points: vec![(10.0, 0.5), (1000.0, 2.0)] };
        let bar = ("limit: a datagram per read batch".to_owned(), 0.1, false);
        let panel = Panel {
            title: "memory, MiB",
            lines: vec![Line { label: "p99".to_owned(), is_ours: true, points: vec![(0.0, 1.0)] }],
        };
        for (svg, label) in [
            (over_members("title", &[line]).unwrap(), "chat"),
            (bars("title", std::slice::from_ref(&bar)).unwrap(), bar.0.as_str()),
            (over_time("title", &[panel]).unwrap(), "p99"),
        ] {
            assert!(svg.contains(label) && svg.contains("title"), "{svg}");
        }
    }
}
