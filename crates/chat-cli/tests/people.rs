//! Names, private messages and commands, between `chat client` and a plain peer.

mod support;

use support::{Directory, Process, Server, client_command_over};

#[test]
fn clients_and_plain_peers_have_names_and_tell_each_other_things() {
    let server = Server::start();
    let (mut ann, _) = server.client(&["--name", "ann"]);
    let (mut bob, mut carol) = (server.peer(), server.peer());
    ann.type_line("hello");
    bob.read_up_to("[ann] hello");
    bob.send("/nick ann\n");
    bob.read_up_to("[*] The name ann is taken. ann-2 is free.");
    bob.send("/nick bob\n");
    bob.read_up_to("[*] You are bob");
    bob.send("/msg ann psst\n");
    bob.read_up_to("[you -> ann] psst");
    ann.stdout.wait_for_line("[bob -> you] psst");
    ann.type_line("/reply what?");
    ann.stdout.wait_for_line("[you -> bob] what?");
    bob.read_up_to("[ann -> you] what?");
    ann.type_line("/nik anna");
    ann.stdout.wait_for_line("[*] There is no /nik. Did you mean /nick?");
    ann.type_line("/ignore bob");
    // The direct lane is in order: when the client has this answer, it also has the one before.
    ann.type_line("/ignore");
    ann.stdout.wait_for_line("[*] You ignore bob");
    bob.send("can you see me?\n/me waves\n");
    server.process.stdout.wait_for_line("[bob] * waves");
    // A later entry of the log shows that the client has the entries before it.
    carol.send("next\n");
    ann.stdout.wait_for_line(&carol.line("next"));
    ann.type_line("/unignore bob");
    ann.stdout.wait_for_line("[*] You see what bob says again");
    bob.send("and now?\n");
    ann.stdout.wait_for_line("[bob] and now?");
    ann.type_line("//etc/hosts");
    ann.type_line("/me leaves");
    let heard = bob.read_up_to("[ann] * leaves");
    assert!(heard.contains(&"[ann] /etc/hosts".to_owned()), "{heard:?}");
    assert!(!heard.concat().contains("nik"), "{heard:?}");
    ann.end_of_input();
    assert_eq!(ann.exit_code(), Some(0), "every command is confirmed");
    let lines = ann.stdout.lines();
    assert!(!lines.concat().contains("see me"), "{lines:?}");
    assert!(lines.iter().all(|line| !line.is_empty()), "{lines:?}");
}

#[test]
fn json_has_commands_and_what_says_begins_with_a_slash_is_said() {
    let server = Server::start();
    let mut bob = server.peer();
    let (mut ann, _) = server.client(&["--json"]);
    ann.type_line(r#"{"type":"command","text":"/nick ann"}"#);
    ann.type_line(r#"{"type":"command","text":"nick ann"}"#);
    ann.type_line(r#"{"type":"say","text":"/quit"}"#);
    bob.read_up_to("[ann] /quit");
    bob.send("/msg ann psst\n");
    ann.stdout.wait_until("the private message", |output| {
        output.lines.iter().any(|line| line.contains(r#""type":"private""#)).then_some(())
    });
    ann.end_of_input();
    assert_eq!(ann.exit_code(), Some(1), "one line was no command");
    let lines = ann.stdout.lines();
    let place = |what: &str| {
        lines.iter().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{lines:#?}"))
    };
    assert!(place(r#""type":"renamed""#) < place(r#""text":"/quit","own":true"#));
    assert!(place(r#""type":"done""#) < place(r#""type":"refused","line":2"#));
    assert!(place(r#""type":"refused","line":2"#) < place(r#""text":"/quit","own":true"#));
}

#[test]
fn a_client_goes_to_another_room_and_says_there_what_it_said_meanwhile() {
    for transport in ["tcp", "udp"] {
        let server = Server::over(&["tcp", "udp"], &["--room", "lobby", "--room", "dev"]);
        let (mut lobby, mut dev) = (server.peer(), server.peer());
        lobby.is_in();
        dev.send("/join dev\n");
        dev.read_up_to("[*] You are in dev now: 1 present");
        let mut ann =
            Process::start(&mut client_command_over(transport, server.address, &["--name", "ann", "--json"]));
        for line in ["hello lobby", "/nick anna", "/join dev", "hello dev", "/join lobby", "back"] {
            let kind = if line.starts_with('/') { "command" } else { "say" };
            ann.type_line(&format!(r#"{{"type":"{kind}","text":"{line}"}}"#));
        }
        ann.end_of_input();
        assert_eq!(ann.exit_code(), Some(0), "everything is confirmed");
        assert_eq!(dev.read_up_to("[anna] hello dev"), ["[anna] hello dev"], "the name comes along");
        assert_eq!(lobby.read_up_to("[anna] back"), ["[ann] hello lobby", "[anna] back"]);
        let rooms = ann.stdout.lines().iter().filter(|line| line.contains(r#""type":"connected""#)).count();
        assert_eq!(rooms, 3, "{:?}", ann.stdout.lines());
    }
}

#[test]
fn a_client_in_a_pipe_reads_where_it_is_and_what_the_topic_is() {
    let directory = Directory::new();
    let password = directory.write("password", "open sesame\n");
    let server = Server::with(&["--room", "lobby", "--room", "dev", "--operator-password-file", &password]);
    let mut host = server.peer();
    for command in ["/join dev", "/oper open sesame", "/topic Homework"] {
        host.send(format!("{command}\n"));
    }
    host.read_up_to("Homework");
    let (mut ann, _) = server.client(&[]);
    ann.type_line("/join dev");
    ann.end_of_input();
    assert_eq!(ann.exit_code(), Some(0));
    assert_eq!(ann.stdout.lines(), ["[*] You are in dev now: 2 present", "[*] The topic is: Homework"]);
}

#[test]
fn a_client_asks_for_a_room_and_is_told_if_there_is_none() {
    let server = Server::over(&["tcp", "udp"], &["--room", "lobby", "--room", "dev"]);
    for transport in ["tcp", "udp"] {
        let command = |room| client_command_over(transport, server.address, &["--room", room, "--json"]);
        let mut dev = Process::start(&mut command("dev"));
        dev.end_of_input();
        assert_eq!(dev.exit_code(), Some(0));
        assert!(dev.stdout.lines()[0].contains(r#""room":"dev","#), "{:?}", dev.stdout.lines());
        let mut none = Process::start(&mut command("music"));
        none.end_of_input();
        assert_eq!(none.exit_code(), Some(1));
        assert!(none.stderr.all().concat().contains("music"), "{:?}", none.stderr.all());
    }
}

#[test]
fn a_client_takes_its_name_and_room_from_the_users_file_and_says_what_is_wrong_with_it() {
    let server = Server::with(&["--room", "lobby", "--room", "dev"]);
    let directory = Directory::new();
    std::fs::create_dir(directory.root().join("chat")).unwrap();
    let file = directory.path("chat/client.toml");
    let client = |flags: &[&str]| {
        let mut command = client_command_over("tcp", server.address, flags);
        let mut client = Process::start(command.env("XDG_CONFIG_HOME", directory.root()));
        client.end_of_input();
        let code = client.exit_code();
        (code, client.stdout.lines().concat(), client.stderr.all().concat())
    };
    std::fs::write(&file, "name = \"ann\"\nroom = \"dev\"\n").unwrap();
    let (code, said, _) = client(&["--json"]);
    assert_eq!(code, Some(0));
    assert!(said.contains(r#""you":"ann""#) && said.contains(r#""room":"dev""#), "{said}");
    let (_, said, _) = client(&["--json", "--name", "bob"]);
    assert!(said.contains(r#""you":"bob""#), "{said}");
    std::fs::write(&file, "nam = \"ann\"\n").unwrap();
    let (code, _, why) = client(&[]);
    assert_eq!(code, Some(1));
    assert!(why.contains("unknown field `nam`") && why.contains("client.toml"), "{why}");
}
