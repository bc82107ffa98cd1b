//! The room over UDP on a thousand bad networks.

use chat_sim::udp;

/// A failure prints its seed; `cargo xtask sim --seed N` replays it.
fn run(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        if let Err(failure) = udp::run(seed) {
            panic!("{failure}");
        }
    }
}

#[test]
fn every_framed_member_gets_every_message_once_and_in_order_over_1000_networks() {
    run(0..1_000);
}
