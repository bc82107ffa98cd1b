//! The server's numbers in the text format of Prometheus: every field of chat-core's `Stats`, so a new counter needs nothing here.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use chat_core::access::BanList;
use chat_core::journal::JournalDepth;
use chat_core::transport::Lags;
use chat_core::{Measure, Name, Room, Rooms, Stats, TransportStats};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// Rooms with numbers of their own: those that the operator has named, in that order. Prometheus keeps every label for ever,
/// so the other ones, and those that members open, are added up.
const ROOMS_SHOWN_MAX: usize = 50;

/// How the rest of the rooms is called. No room can have that name.
const OTHERS: &str = "(other)";

/// How long an I/O thread may take to say how far behind its members are.
const PATIENCE: Duration = Duration::from_millis(250);

/// Scrapers that ask more often than this share one answer: it costs the I/O threads a look at each member.
const FRESH: Duration = Duration::from_millis(100);

/// What is served, and when it was made.
pub(super) struct Metrics {
    registry: Registry,
    made: Option<(Instant, String)>,
}

impl Metrics {
    pub(super) fn new(rooms: &Rooms, named: &[Name], bans: &BanList) -> Self {
        let mut shown: Vec<(String, Room)> = named
            .iter()
            .take(ROOMS_SHOWN_MAX)
            .filter_map(|name| Some((name.to_string(), rooms.get(name)?)))
            .collect();
        if shown.is_empty() {
            let first = rooms.first();
            shown.push((first.name().map_or_else(String::new, ToString::to_string), first));
        }
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Numbers { rooms: rooms.clone(), shown, bans: bans.clone() }));
        Self { registry, made: None }
    }

    /// The numbers of this moment.
    pub(super) fn text(&mut self, now: Instant) -> String {
        if let Some((at, text)) = &self.made
            && now.saturating_duration_since(*at) < FRESH
        {
            return text.clone();
        }
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "cannot write the metrics");
        }
        self.made = Some((now, text.clone()));
        text
    }
}

/// Reads the rooms when it is asked: there is no second set of counters that could differ.
#[derive(Debug)]
struct Numbers {
    rooms: Rooms,
    shown: Vec<(String, Room)>,
    bans: BanList,
}

/// The numbers under one room label.
struct RoomNumbers<'a> {
    label: &'a str,
    stats: Vec<Measure>,
    by_transport: BTreeMap<&'static str, Vec<Measure>>,
    lags: BTreeMap<&'static str, Lags>,
    journal: Option<JournalDepth>,
}

impl<'a> RoomNumbers<'a> {
    fn new(label: &'a str) -> Self {
        let stats = Stats::default().measures();
        Self { label, stats, by_transport: BTreeMap::new(), lags: BTreeMap::new(), journal: None }
    }

    fn add(&mut self, stats: &Stats, by_transport: &[(&'static str, TransportStats)]) {
        add(&mut self.stats, &stats.measures());
        for (word, stats) in by_transport {
            let of = self.by_transport.entry(word).or_insert_with(|| TransportStats::default().measures());
            add(of, &stats.measures());
        }
    }

    fn add_room(&mut self, room: &Room) {
        self.add(&room.stats(), &room.stats_by_transport());
        self.journal = match (self.journal, room.journal_depth()) {
            (Some(mut sum), Some(more)) => {
                sum.in_flight += more.in_flight;
                sum.is_failing |= more.is_failing;
                Some(sum)
            }
            (sum, more) => sum.or(more),
        };
    }
}

fn add(sums: &mut [Measure], more: &[Measure]) {
    sums.iter_mut().zip(more).for_each(|(sum, more)| sum.value += more.value);
}

impl Numbers {
    /// The numbers of each room that is shown, and of the others together, if there are or were any.
    fn read(&self) -> Vec<RoomNumbers<'_>> {
        let mut all: Vec<RoomNumbers<'_>> =
            self.shown.iter().map(|(label, _)| RoomNumbers::new(label)).collect();
        let place = |room: &Room| self.shown.iter().position(|(_, shown)| shown == room);
        let mut others = RoomNumbers::new(OTHERS);
        let rooms = self.rooms.all();
        let (vanished, by_transport) = self.rooms.stats_of_vanished();
        others.add(&vanished, &by_transport);
        for room in &rooms {
            place(room).map_or(&mut others, |place| &mut all[place]).add_room(room);
        }
        for answer in self.rooms.survey(PATIENCE) {
            let numbers = place(&answer.room).map_or(&mut others, |place| &mut all[place]);
            *numbers.lags.entry(answer.transport).or_default() += answer.lags;
        }
        if rooms.len() > self.shown.len() || vanished != Stats::default() {
            all.push(others);
        }
        all
    }
}

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let rooms = self.read();
        let open = self.rooms.all().len();
        gauges(&mut encoder, "chat_rooms", "Rooms that are open", [([("", ""); 0], open as u64)])?;
        let bans = self.bans.bans(self.rooms.first().unix_ms()).len();
        gauges(&mut encoder, "chat_bans", "Bans in force", [([("", ""); 0], bans as u64)])?;
        for (place, measure) in Stats::default().measures().iter().enumerate() {
            let samples = rooms.iter().map(|room| ([("room", room.label)], room.stats[place].value));
            family(&mut encoder, "chat", measure, samples)?;
        }
        for (place, measure) in TransportStats::default().measures().iter().enumerate() {
            let samples = rooms.iter().flat_map(|room| {
                room.by_transport.iter().map(move |(word, numbers)| {
                    ([("room", room.label), ("transport", *word)], numbers[place].value)
                })
            });
            family(&mut encoder, "chat_transport", measure, samples)?;
        }
        let bounds = |lags: &Lags| -> Vec<(String, u64)> {
            let bound =
                |bound: Option<u64>| bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
            lags.up_to().map(|(most, members)| (bound(most), members)).collect()
        };
        let lags: Vec<_> = rooms
            .iter()
            .flat_map(|room| room.lags.iter().map(move |(word, lags)| (room.label, *word, bounds(lags))))
            .collect();
        let samples = lags.iter().flat_map(|(room, word, bounds)| {
            bounds.iter().map(move |(bound, members)| {
                ([("room", *room), ("transport", *word), ("le", bound.as_str())], *members)
            })
        });
        let help = "Members that are at most so many messages behind";
        gauges(&mut encoder, "chat_members_by_lag", help, samples)?;
        let journals: Vec<_> =
            rooms.iter().filter_map(|room| Some(([("room", room.label)], room.journal?))).collect();
        let of = |value: fn(&JournalDepth) -> u64| {
            journals.iter().map(move |(label, depth)| (*label, value(depth)))
        };
        let help = "Messages that the history has not kept yet";
        gauges(&mut encoder, "chat_history_in_flight", help, of(|depth| depth.in_flight as u64))?;
        let help = "Whether the history could not keep the last messages";
        gauges(&mut encoder, "chat_history_failing", help, of(|depth| depth.is_failing.into()))?;
        let queued = journals.first().map(|(_, depth)| ([("", ""); 0], depth.queued as u64));
        gauges(&mut encoder, "chat_history_queued", "Records that wait to be written, of all rooms", queued)
    }
}

/// A counter or a gauge, and its value under each set of labels.
fn family<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    prefix: &str,
    measure: &Measure,
    samples: impl IntoIterator<Item = (L, u64)>,
) -> fmt::Result {
    let name = format!("{prefix}_{}", measure.name);
    if !measure.is_counter {
        return gauges(encoder, &name, measure.help, samples);
    }
    let kind = ConstCounter::new(0_u64).metric_type();
    let mut family = encoder.encode_descriptor(&name, measure.help, None, kind)?;
    for (labels, value) in samples {
        ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn gauges<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = (L, u64)>,
) -> fmt::Result {
    let kind = ConstGauge::new(0_i64).metric_type();
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for (labels, value) in samples {
        ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
