//! Calls of gRPC in a scenario: what `steep check` says of those that cannot be made, and where.

use std::fs;

use assert_cmd::Command;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
};

use steep_core::testing::{SOUND, and};

/// What protoc makes of `message Order { string item = 1; int32 count = 2; }` and `service Shop` with `Buy`, which is
/// unary, and `Watch`, which is not; both take an `Order` and give one.
fn shop() -> Vec<u8> {
    let field = |name: &str, number, kind: Type| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(kind.into()),
        ..FieldDescriptorProto::default()
    };
    let method = |name: &str, streams| MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(".shop.Order".to_owned()),
        output_type: Some(".shop.Order".to_owned()),
        server_streaming: Some(streams),
        ..MethodDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("shop.proto".to_owned()),
        package: Some("shop".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![DescriptorProto {
            name: Some("Order".to_owned()),
            field: vec![field("item", 1, Type::String), field("count", 2, Type::Int32)],
            ..DescriptorProto::default()
        }],
        service: vec![ServiceDescriptorProto {
            name: Some("Shop".to_owned()),
            method: vec![method("Buy", false), method("Watch", true)],
            ..ServiceDescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

/// What `steep check` says of a scenario with `more` at its end, and how it exits.
fn check(more: &str) -> (String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in [("shop.pb", shop()), ("shop.proto", b"syntax = \"proto3\";\n".to_vec())] {
        fs::write(folder.path().join(name), contents).unwrap();
    }
    fs::write(folder.path().join("order.bin"), b"\x0a\x03tea\x10\x02").unwrap();
    fs::write(folder.path().join("broken.bin"), b"\x0a\x09tea").unwrap();
    fs::write(folder.path().join("order.json"), r#"{"item":"{{item}}"}"#).unwrap();
    fs::write(folder.path().join("counts.csv"), "count\n1\n2\ntwo\n").unwrap();
    fs::write(folder.path().join("soak.toml"), format!("{SOUND}{more}")).unwrap();
    let output = Command::cargo_bin("steep")
        .unwrap()
        .args(["check", "soak.toml"])
        .current_dir(folder.path())
        .env_remove("CLICOLOR_FORCE")
        .output()
        .unwrap();
    (String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap(), output.status.code())
}

const HTTP2: &str = "\n[http]\nprotocol = \"http2\"\n";
const ITEM: &str = "\n[params.item]\ndist = \"choice\"\nvalues = [\"tea\"]\n";

#[test]
fn a_sound_call_has_no_problem() {
    let calls = r#"
[[requests]]
name = "json"
grpc = { method = "shop.Shop/Buy", descriptors = "shop.pb" }
headers = { grpc-timeout = "5S" }
body = '{"item":"{{item}}","count":2}'
expect = { grpc_status = ["OK", "NOT_FOUND"], json = { item = "{{item}}" }, trailer = { grpc-status = "" } }

[[requests]]
name = "file"
grpc = { method = "/shop.Shop/Buy", descriptors = "shop.pb" }
body_file = "order.bin"

[[requests]]
name = "json-file"
grpc = { method = "shop.Shop/Buy", descriptors = "shop.pb" }
body_file = "order.json"

[[requests]]
name = "encoded"
grpc = { method = "shop.Shop/Buy" }
body_file = "order.bin"

[[requests]]
name = "web"
grpc = { method = "shop.Shop/Buy" }
headers = { content-type = "application/grpc-web+proto" }
"#;
    let (said, status) = check(&format!("{HTTP2}{calls}{ITEM}"));
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn what_cannot_be_a_call_is_reported() {
    let calls = r#"
[[requests]]
name = "no-method"
grpc = { method = "Buy" }

[[requests]]
name = "by-hand"
method = "POST"
path = "/shop.Shop/Buy"
grpc = { method = "shop.Shop/Buy" }

[[requests]]
name = "no-types"
grpc = { method = "shop.Shop/Buy" }
headers = { grpc-timeout = "5s" }
body = '{"item":"tea"}'
expect = { json = { item = "tea" }, grpc_status = ["ok"] }

[[requests]]
name = "text"
grpc = { method = "shop.Shop/Buy" }
headers = { content-type = "application/grpc+json" }
hold = "1s"

[[requests]]
name = "held"
path = "/events"
hold = "1s"
expect = { trailer = { "a b" = "" } }

[[requests]]
name = "nothing"
"#;
    insta::assert_snapshot!(and(calls));
}

#[test]
fn what_the_types_do_not_have_is_reported() {
    let calls = r#"
[[requests]]
name = "stream"
grpc = { method = "shop.Shop/Watch", descriptors = "shop.pb" }

[[requests]]
name = "unknown"
grpc = { method = "shop.Shop/By", descriptors = "shop.pb" }

[[requests]]
name = "source"
grpc = { method = "shop.Shop/Buy", descriptors = "shop.proto" }

[[requests]]
name = "misfit"
grpc = { method = "shop.Shop/Buy", descriptors = "shop.pb" }
body = '{"itme":"{{item}}"}'

[[requests]]
name = "row"
grpc = { method = "shop.Shop/Buy", descriptors = "shop.pb" }
body = '{"count":"{{count}}"}'

[[requests]]
name = "broken"
grpc = { method = "shop.Shop/Buy", descriptors = "shop.pb" }
body_file = "broken.bin"

[params.count]
dist = "csv"
path = "counts.csv"
column = "count"
"#;
    let (said, status) = check(&format!("{HTTP2}{calls}{ITEM}"));
    assert_eq!(status, Some(2), "{said}");
    insta::assert_snapshot!(said);
}

#[test]
fn a_status_that_is_looked_for_in_headers_is_a_warning() {
    let by_hand = r#"
[[requests]]
name = "call"
method = "POST"
path = "/shop.Shop/Buy"
headers = { content-type = "application/grpc" }
expect = { header = { grpc-status = "0" } }
"#;
    insta::assert_snapshot!(and(by_hand));
}

#[test]
fn a_call_needs_http2() {
    insta::assert_snapshot!(and("\n[[requests]]\nname = \"call\"\ngrpc = { method = \"shop.Shop/Buy\" }\n"));
}
