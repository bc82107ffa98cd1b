//! Every clause of PROTOCOL.md has a test that bears its number, or it is listed here with the reason why it has
//! none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Clauses that cannot be seen from outside the program or not with this program.
const WITHOUT_A_TEST_HERE: [(&str, &str); 17] = [
    ("1.7", "the program has no moderator; tests of chat-tcp, chat-udp and the examples have"),
    ("6.5", "the encoding: golden bytes in chat-proto; all frames are sent by the tests of section 6"),
    (
        "6.14",
        "the program sends no private messages and has no moderator; tests of chat-core, chat-stream, chat-udp",
    ),
    ("6.6", "the encoding: golden bytes in chat-proto; all frames are read by the tests of section 6"),
    (
        "10.5",
        "a socket takes datagrams at once, so that the log passes nobody here; virtual time in chat-udp",
    ),
    ("11.3", "the encoding: golden bytes in chat-proto; all datagrams are read by the tests of section 11"),
    ("11.15", "the picture of what 11.4 to 11.14 say"),
    ("2.3", "part of the corpus, with which the tests of 2.2 and 6.2 go through every way to deliver it"),
    ("14.1", WEB),
    ("14.2", WEB),
    ("14.3", WEB),
    ("14.4", WEB),
    ("14.5", WEB),
    ("14.6", WEB),
    ("14.7", WEB),
    ("14.8", WEB),
    ("14.9", WEB),
];

/// Why no test here is about browsers.
const WEB: &str = "browsers: tests/browser, and the tests of chat-stream and chat-tcp";

/// Clauses that the corpus tests.
const IN_THE_CORPUS: [&str; 2] = ["2.4", "2.5"];

#[test]
fn every_clause_has_a_test_or_a_reason_and_every_test_a_clause() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let protocol = fs::read_to_string(root.join("../../PROTOCOL.md")).expect("the workspace has it");
    let clauses = clauses(&protocol);
    assert!(clauses.len() > 60, "{clauses:?}");

    let mut tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in fs::read_dir(root.join("tests/conformance")).expect("this directory") {
        let path = entry.expect("readable").path();
        for name in tested(&fs::read_to_string(&path).expect("readable")) {
            let clause = the_clause_of(&name, &clauses);
            let clause = clause.unwrap_or_else(|| panic!("no clause {name} is about ({})", path.display()));
            tests.entry(clause).or_default().push(name);
        }
    }
    let excused: BTreeSet<&str> =
        WITHOUT_A_TEST_HERE.iter().map(|(clause, _)| *clause).chain(IN_THE_CORPUS).collect();
    for clause in &excused {
        assert!(clauses.contains(*clause), "there is no clause {clause}");
        assert!(!tests.contains_key(*clause), "clause {clause} has a test now: {:?}", tests[*clause]);
    }
    // The rows of the table in section 7 have tests where their clauses are. The section itself may have some.
    let has_test = |clause: &String| {
        tests.contains_key(clause) || excused.contains(clause.as_str()) || !clause.contains('.')
    };
    let missing: Vec<_> = clauses.iter().filter(|clause| !has_test(clause)).collect();
    assert!(missing.is_empty(), "clauses without a test: {missing:?}");

    for (clause, names) in &tests {
        println!("{clause}: {}", names.join(", "));
    }
    for (clause, reason) in WITHOUT_A_TEST_HERE {
        println!("{clause}: none ({reason})");
    }
}

/// The numbers at the beginnings of lines, and those of sections.
fn clauses(protocol: &str) -> BTreeSet<String> {
    let first_word = |line: &str| line.split(' ').next().unwrap_or("").to_owned();
    let is_number = |word: &String| {
        !word.is_empty()
            && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit()))
    };
    let sections = protocol.lines().filter_map(|line| line.strip_prefix("## "));
    let sections = sections.map(|line| first_word(line).trim_end_matches('.').to_owned());
    let clauses = protocol.lines().map(first_word).filter(|word| word.contains('.'));
    clauses.chain(sections).filter(is_number).collect()
}

fn tested(source: &str) -> Vec<String> {
    let names = source.lines().filter_map(|line| line.strip_prefix("fn clause_")?.split('(').next());
    names.map(|name| format!("clause_{name}")).collect()
}

/// The clause that a test is named after: the longest number in the name that exists.
fn the_clause_of(name: &str, clauses: &BTreeSet<String>) -> Option<String> {
    let mut parts = name.split('_').skip(1);
    let section = parts.next()?.to_owned();
    let clause = format!("{section}.{}", parts.next()?);
    [clause, section].into_iter().find(|clause| clauses.contains(clause))
}
