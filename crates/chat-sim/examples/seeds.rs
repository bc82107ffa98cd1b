//! Runs a range of seeds and prints what each was like.
fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>().expect("a number"));
    let (from, to) = (args.next().unwrap_or(0), args.next().unwrap_or(10));
    for seed in from..to {
        match chat_sim::udp::run(seed) {
            Ok(report) => println!("{seed}: {report:?}"),
            Err(failure) => println!("FAIL {failure}"),
        }
    }
}
