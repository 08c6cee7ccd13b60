//! The files that a scenario's traffic is made of: what `steep check` says of bad ones, and where.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use steep_core::testing::SOUND;

/// What `steep check` says of the sound scenario with `more` at its end and `files` beside it, and how it exits.
fn check(more: &str, files: &[(&str, &[u8])]) -> (String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in files {
        fs::write(folder.path().join(name), contents).unwrap();
    }
    fs::write(folder.path().join("soak.toml"), format!("{SOUND}{more}")).unwrap();
    let output = Command::cargo_bin("steep")
        .unwrap()
        .args(["check", "soak.toml"])
        .current_dir(folder.path())
        .env_remove("CLICOLOR_FORCE")
        .output()
        .unwrap();
    let canonical = folder.path().canonicalize().unwrap();
    let said = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
    let here = |path: &Path| path.display().to_string();
    (said.replace(&here(&canonical), "HERE").replace(&here(folder.path()), "HERE"), output.status.code())
}

/// A request that names a user, and the users.
const USERS: &str = r#"
[[requests]]
name = "order"
method = "POST"
path = "/users/{{user.name}}"
headers = { authorization = "Bearer {{user.token}}" }

[params.user]
dist = "csv"
path = "users.csv"
pick = "queue"
"#;

/// What is said of [`USERS`] with these contents of their file.
fn users(contents: &[u8]) -> String {
    let (said, status) = check(USERS, &[("users.csv", contents)]);
    assert_eq!(status, Some(2), "{said}");
    said
}

#[test]
fn a_column_that_is_missing_is_reported_with_those_that_are_there() {
    insta::assert_snapshot!(users(b"id,name\n1,ann\n"));
}

#[test]
fn ragged_rows_are_reported_with_their_line() {
    insta::assert_snapshot!(users(b"name,token\nann,1\nbob\n"));
}

#[test]
fn a_file_without_rows_is_a_problem() {
    insta::assert_snapshot!(users(b"name,token\n"));
}

#[test]
fn a_file_that_is_not_a_text_is_a_problem() {
    insta::assert_snapshot!(users(b"name,token\n\xff,1\n"));
}

#[test]
fn a_value_that_a_header_cannot_hold_is_reported_with_its_row() {
    insta::assert_snapshot!(users(b"name,token\nann,1\nbob,\"1\r\nx-admin: 1\"\n"));
}

#[test]
fn a_file_that_is_not_there_is_reported_with_the_place_that_was_looked_at() {
    let (said, status) = check(USERS, &[]);
    assert_eq!(status, Some(2));
    insta::assert_snapshot!(said);
}

#[test]
fn a_folder_or_device_in_the_place_of_a_file_is_reported_as_that() {
    for (place, named) in [("users.csv", "/dev/zero"), ("users.csv", ".")] {
        let (said, status) = check(&USERS.replace(place, named), &[]);
        assert!(said.contains("is not a regular file"), "{said}");
        assert_eq!(status, Some(2));
    }
}

/// What steep says of `args` in a folder with the FIFO `pipe`, `zero.jsonl` that leads to a device, and `soak.toml`;
/// and how it exits.
fn of_no_file(scenario: &str, args: &[&str]) -> (String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    for pipe in ["pipe", "pipe.jsonl", "pipe.csv"] {
        let made = std::process::Command::new("mkfifo").arg(folder.path().join(pipe)).status().unwrap();
        assert!(made.success());
    }
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("zero.jsonl")).unwrap();
    fs::write(folder.path().join("soak.toml"), scenario).unwrap();
    let output = Command::cargo_bin("steep").unwrap().args(args).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
    // Lines are broken to the width of the terminal.
    (said.split_whitespace().collect::<Vec<_>>().join(" "), output.status.code())
}

#[test]
fn pipes_and_devices_are_read_nowhere() {
    let secure = SOUND.replace("http://", "https://");
    let with_ca = |ca: &str| format!("{secure}[http]\ntls = {{ ca = {ca:?} }}\n");
    let with_client =
        format!("{secure}[http]\ntls = {{ insecure = true, client_certificate = \"pipe\", client_key = \"pipe\" }}\n");
    let rendered = SOUND.replace(
        "command = [\"shop\"]",
        "command = [\"shop\"]\nfiles = [{ from = \"pipe\", to = \"{{dir}}/app.toml\" }]",
    );
    let check = ["check", "soak.toml"];
    let body = format!("{SOUND}method = \"POST\"\nbody_file = \"pipe\"\n");
    let rates = SOUND.replace("shape = \"constant\"\nrate = 100", "shape = \"from_file\"\npath = \"pipe\"");
    let cases = [
        (SOUND.to_owned(), &["check", "pipe"][..], 2),
        (SOUND.to_owned(), &["check", "/dev/zero"], 2),
        (with_ca("pipe"), &check, 2),
        (with_ca("/dev/zero"), &check, 2),
        (with_client, &check, 2),
        (rendered, &check, 2),
        (body, &check, 2),
        (rates, &check, 2),
        (SOUND.to_owned(), &["analyze", "pipe.jsonl"], 4),
        (SOUND.to_owned(), &["analyze", "zero.jsonl"], 4),
        (SOUND.to_owned(), &["analyze", "pipe.csv"], 4),
        (SOUND.to_owned(), &["analyze", "/dev/zero"], 4),
        (SOUND.to_owned(), &["import", "access-log", "pipe"], 4),
        (SOUND.to_owned(), &["import", "openapi", "/dev/zero"], 4),
    ];
    for (scenario, args, status) in cases {
        let (said, code) = of_no_file(&scenario, args);
        assert!(said.contains("regular file"), "{args:?}: {said}");
        assert_eq!(code, Some(status), "{args:?}: {said}");
    }
    let (said, code) = of_no_file(&format!("{SOUND}{}", USERS.replace("users.csv", "pipe")), &check);
    assert!(said.contains("is not a regular file but a named pipe (FIFO)"), "{said}");
    assert_eq!(code, Some(2));
}

#[test]
fn files_beyond_the_bound_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = fs::File::create(folder.path().join("users.csv")).unwrap();
    // Sparse: it takes no room on the disk.
    file.set_len(65 << 20).unwrap();
    fs::write(folder.path().join("soak.toml"), format!("{SOUND}{USERS}")).unwrap();
    let output =
        Command::cargo_bin("steep").unwrap().arg("check").arg(folder.path().join("soak.toml")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the files of this scenario have more than 67108864 bytes"), "{said}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_queue_that_will_run_dry_is_a_warning() {
    let (said, status) = check(USERS, &[("users.csv", b"name,token\nann,1\nbob,2\n")]);
    assert_eq!(status, Some(0), "{said}");
    insta::assert_snapshot!(said);
}

#[test]
fn lines_that_are_not_json_or_lack_a_field_are_reported_with_their_number() {
    let more = r#"
[[requests]]
name = "replay"
method = "POST"
path = "/orders"
body = "{{order.item.id}} {{note}}"

[params.order]
dist = "jsonl"
path = "orders.jsonl"

[params.note]
dist = "jsonl"
path = "notes.jsonl"
field = "text"
"#;
    let orders = b"{\"item\":{\"id\":1}}\n{\"item\":{}}\n";
    let (said, status) = check(more, &[("orders.jsonl", orders), ("notes.jsonl", b"{\"text\":\"a\"}\n{text:1}\n")]);
    assert_eq!(status, Some(2));
    insta::assert_snapshot!(said);
}

#[test]
fn names_in_the_file_of_a_body_are_checked() {
    let more = r#"
[[requests]]
name = "order"
method = "POST"
path = "/orders"
body_file = "order.json"

[params.item]
dist = "zipf"
max = 10

[params.user]
dist = "unique"
"#;
    let (said, status) = check(more, &[("order.json", br#"{"item":{{itm}}}"#)]);
    assert_eq!(status, Some(2));
    insta::assert_snapshot!(said);
    let (said, _) = check(more, &[("order.json", b"{{")]);
    assert!(said.contains("order.json is not a template: `{{` at byte 0 is never closed"), "{said}");
    let (said, status) = check(more, &[("order.json", br#"{"item":{{item}},"by":"{{user}}"}"#)]);
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn bad_rates_are_reported_with_their_line() {
    let phase = |name: &str, more: &str| {
        format!(
            "\n[[phases]]\nname = \"{name}\"\nrole = \"steady\"\nshape = \"from_file\"\npath = \"{name}.csv\"\nduration = \"1h\"\n{more}"
        )
    };
    let more = ["names", "negative", "back", "zero", "short"].map(|name| phase(name, "")).concat()
        + &phase("again", "loop = true\n")
        + &phase("many", "loop = true\n");
    let files: [(&str, &[u8]); 7] = [
        ("names.csv", b"seconds,rps\n0,1\n"),
        ("negative.csv", b"time,rate\n0,1\n10,-5\n"),
        ("back.csv", b"time,rate\n0,1\n10,5\n9,5\n"),
        ("zero.csv", b"time,rate\n0,0\n3600,0\n"),
        ("short.csv", b"time,rate\n0,1\n60,5\n"),
        ("again.csv", b"time,rate\n0,1\n60,5\n"),
        ("many.csv", b"time,rate\n0,1\n0.01,5\n"),
    ];
    let (said, status) = check(&more, &files);
    assert_eq!(status, Some(2));
    insta::assert_snapshot!(said);
}

#[test]
fn what_needs_no_file_to_be_wrong_is_reported_too() {
    let more = r#"
[[requests]]
name = "order"
method = "HEAD"
path = "/{{user}}/{{id.name}}"
body = "a"
body_file = "b"
expect = { json = { ok = [1] }, body_contains = "{{none}}", header = { "a b" = "" } }

[params.user]
dist = "csv"
path = "users.csv"

[params.id]
dist = "choice"
values = ["a", 2, true, "{{id}}"]
weights = [1, 2]

[params.rank]
dist = "zipf"
min = 5
max = 4
exponent = 0.9
column = "x"
"#;
    let (said, status) = check(more, &[("users.csv", b"name\nann\n"), ("b", b"")]);
    assert_eq!(status, Some(2));
    insta::assert_snapshot!(said);
}

/// A service with these `files`, and flags of kind `config`: name, and what else they say.
fn configured(files: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    let list: Vec<String> =
        files.iter().map(|(name, _)| format!("{{ from = {name:?}, to = \"{{{{dir}}}}/{name}\" }}")).collect();
    let flags: String =
        flags.iter().map(|(name, keys)| format!("\n[[flags]]\nname = {name:?}\nkind = \"config\"\n{keys}\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in files {
        fs::write(folder.path().join(name), contents).unwrap();
    }
    let scenario =
        SOUND.replace("command = [\"shop\"]", &format!("command = [\"shop\"]\nfiles = [{}]", list.join(", ")));
    fs::write(folder.path().join("soak.toml"), format!("{scenario}{flags}")).unwrap();
    let output =
        Command::cargo_bin("steep").unwrap().args(["check", "soak.toml"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

const APP: &str = "port = {{port}}\n[cache]\nfast = true\nsize = 64\n";

#[test]
fn what_a_flag_cannot_write_into_a_file_is_reported_before_anything_is_started() {
    let flags = [
        ("nowhere", "key = \"cache.fats\"\noff = false"),
        ("already", "key = \"cache.fast\""),
        ("many", "key = \"cache.size\"\nvalues = [64, \"lots\"]"),
        ("twice", "key = \"/cache/fast\"\noff = false"),
    ];
    insta::assert_snapshot!(configured(&[("app.toml", APP)], &flags));
}

#[test]
fn a_file_that_is_none_of_its_format_is_reported_once() {
    let flags = [("fast", "key = \"cache.fast\"\noff = false"), ("size", "key = \"cache.size\"\non = 1")];
    insta::assert_snapshot!(configured(&[("app.toml", "[cache\nfast = true\n")], &flags));
}

#[test]
fn a_flag_says_which_file_it_changes() {
    let flags = [
        ("unsaid", "key = \"cache.fast\"\noff = false"),
        ("mistyped", "file = \"ap.toml\"\nkey = \"cache.fast\"\noff = false"),
        ("unreadable", "file = \"app.ini\"\nkey = \"fast\""),
    ];
    insta::assert_snapshot!(configured(&[("app.toml", APP), ("app.ini", "fast=1\n")], &flags));
}

/// What a run would find out only after its builds.
#[test]
fn files_that_are_rendered_are_looked_at_before_anything_is_built() {
    let files =
        "\n[[dependencies]]\nname = \"db\"\ncommand = [\"db\"]\nfiles = [{ from = \"db.conf\", to = \"db.conf\" }]\n";
    let with = |text: &[u8]| check(files, &[("db.conf", text)]);
    assert_eq!(with(b"port {{port}} in {{dir}} { }").1, Some(0));
    for (text, wanted) in [
        (&b"port {{db.port}}"[..], "db.conf: nothing defines {{db.port}}"),
        (b"a {{ b", "db.conf: is not a template: `{{` at byte 2 is never closed"),
        (b"\xff\xfe", "db.conf: cannot be read: it is not UTF-8 text"),
    ] {
        let (said, status) = with(text);
        assert!(said.contains(wanted) && status == Some(2), "{said}");
    }
}
