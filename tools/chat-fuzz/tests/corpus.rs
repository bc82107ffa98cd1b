//! Runs the inputs that the search has found interesting so far as plain tests.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

fn replay(name: &str) {
    let (_, target) = chat_fuzz::TARGETS.iter().find(|(target, _)| *target == name).expect("there is one");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut inputs = 0;
    for file in fs::read_dir(&corpus).expect("the corpus is committed") {
        let path = file.expect("it can be listed").path();
        let bytes = fs::read(&path).expect("it can be read");
        assert!(
            catch_unwind(AssertUnwindSafe(|| target(&bytes))).is_ok(),
            "{name} breaks a promise for {}",
            path.display()
        );
        inputs += 1;
    }
    assert!(inputs > 50, "only {inputs} inputs in {}", corpus.display());
}

#[test]
fn a_udp_server_keeps_its_promises_for_every_input_of_the_corpus() {
    replay("endpoint");
}

#[test]
fn a_udp_client_keeps_its_promises_for_every_input_of_the_corpus() {
    replay("session");
}

#[test]
fn a_room_keeps_its_promises_for_every_input_of_the_corpus() {
    replay("room");
}

#[test]
fn the_stream_decoder_keeps_its_promises_for_every_input_of_the_corpus() {
    replay("stream");
}

#[test]
fn the_plain_splitter_keeps_its_promises_for_every_input_of_the_corpus() {
    replay("plain");
}

#[test]
fn a_server_for_browsers_keeps_its_promises_for_every_input_of_the_corpus() {
    replay("websocket");
}

#[test]
fn strings_are_read_as_they_are_written_for_every_input_of_the_corpus() {
    replay("strings");
}

#[test]
fn every_target_has_a_corpus_and_a_place_in_the_search() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("it is committed");
    for (name, _) in chat_fuzz::TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        let target =
            fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).expect("it is committed");
        assert!(target.contains(&format!("chat_fuzz::{name}(bytes)")), "{name}");
    }
}
