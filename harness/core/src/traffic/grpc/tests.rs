//! Messages, frames and ends of calls; and the descriptor set that other tests use.

use proptest::prelude::*;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorSet;

use super::*;
use crate::scenario::{Expect, Flaw, Grpc, GrpcForm, GrpcStatus, Param, Request};
use crate::traffic::draw::Values;
use crate::traffic::request::Body;
use crate::traffic::testing::{TestLoad, greeter, greeting, request};
use crate::traffic::{Schedule, ScheduleError};

fn scheduled(load: &TestLoad) -> Result<Schedule, ScheduleError> {
    Schedule::new(load.workload(), |_| None)
}

/// What is said of a load that gives no schedule.
fn refused(load: &TestLoad) -> String {
    scheduled(load).expect_err("a flaw").to_string()
}

fn call_of(method: &str) -> Result<Option<Call>, (&'static str, Flaw)> {
    let mut load = greeting(None);
    load.requests[0].grpc.as_mut().expect("a call").method = method.to_owned();
    Descriptors::default().call(&load.requests[0], &load.supplies)
}

#[test]
fn json_becomes_a_message_in_its_frame() {
    let schedule =
        scheduled(&greeting(Some(r#"{"name":"ann","age":7,"tags":["a"],"mood":"GLAD"}"#))).expect("a schedule");
    let message = b"\x0a\x03ann\x10\x07\x1a\x01a\x20\x01";
    let framed = [&[0, 0, 0, 0, message.len() as u8], &message[..]].concat();
    assert_eq!(schedule.texts()[0].body(), Some(&Body::Raw(framed.into())));
    let empty = scheduled(&greeting(None)).expect("a schedule");
    assert_eq!(empty.texts()[0].body(), Some(&Body::Raw(vec![0; 5].into())));
}

#[test]
fn a_file_is_a_message_or_json_by_its_name() {
    let with = |path: &str, contents: &[u8]| {
        let mut load = greeting(None);
        load.requests[0].body_file = Some(path.to_owned());
        load.supplies.insert(path.to_owned(), contents.to_vec());
        load
    };
    let framed = Body::Raw(b"\0\0\0\0\x05\x0a\x03ann".to_vec().into());
    // Both are valid UTF-8, and one would be a template elsewhere.
    for (path, contents) in [("r.bin", &b"\x0a\x03ann"[..]), ("r.json", br#"{"name":"ann"}"#)] {
        let schedule = scheduled(&with(path, contents)).expect("a schedule");
        assert_eq!(schedule.texts()[0].body(), Some(&framed), "{path}");
    }
    let described = refused(&with("r.bin", b"\x0a\x09ann"));
    assert!(described.starts_with("request `say_hello`, body_file: r.bin is not a hello.Request: "), "{described}");
    let no_types = |path, contents| {
        let mut load = with(path, contents);
        load.requests[0].grpc.as_mut().expect("a call").descriptors = None;
        load
    };
    assert!(scheduled(&no_types("r.bin", b"\x0a\x09ann")).is_ok(), "nothing says that it is none");
}

#[test]
fn methods_that_are_not_there_or_are_streams_are_reported() {
    assert!(matches!(call_of("hello.Greeter/SayHello"), Ok(Some(_))));
    let described =
        |method: &str| call_of(method).map_err(|(key, flaw)| format!("{key}: {}; {}", flaw.message, flaw.help));
    for (method, wanted) in [
        ("hello.Greter/SayHello", "grpc.method: hello.pb has no service hello.Greter; did you mean hello.Greeter?"),
        ("other.Service/X", "grpc.method: hello.pb has no service other.Service; there is hello.Greeter"),
        ("hello.Greeter/SayHelo", "grpc.method: hello.Greeter has no method SayHelo; did you mean SayHello?"),
        ("hello.Greeter/Buy", "grpc.method: hello.Greeter has no method Buy; there is SayHello, Chat, Watch, Upload"),
        (
            "hello.Greeter/Chat",
            "grpc.method: hello.Greeter/Chat is a stream in both directions, and steep makes unary calls only; let a program that speaks it make the load: load.command",
        ),
    ] {
        assert_eq!(described(method).expect_err("a flaw"), wanted);
    }
    assert!(described("hello.Greeter/Watch").expect_err("a flaw").contains(" is a stream from the server, "));
    assert!(described("hello.Greeter/Upload").expect_err("a flaw").contains(" is a stream from the client, "));
}

#[test]
fn a_file_that_is_not_a_descriptor_set_is_reported_with_how_to_make_one() {
    let described = |contents: &[u8]| {
        let mut load = greeting(None);
        load.supplies.insert("hello.pb".to_owned(), contents.to_vec());
        let (key, flaw) = Descriptors::default().call(&load.requests[0], &load.supplies).expect_err("a flaw");
        assert_eq!((key, flaw.help.as_str()), ("grpc.descriptors", DESCRIPTOR_HELP));
        flaw.message
    };
    let proto = described(b"syntax = \"proto3\";\nservice Greeter {}\n");
    assert!(proto.starts_with("hello.pb is not a descriptor set: "), "{proto}");
    assert_eq!(described(b""), "hello.pb has no service");
    let mut set = FileDescriptorSet::decode(greeter().as_slice()).expect("a set");
    set.file[0].dependency.push("money.proto".to_owned());
    let lacking = described(&set.encode_to_vec());
    assert!(lacking.contains("money.proto"), "{lacking}");
}

#[test]
fn json_that_does_not_fit_is_reported_with_the_fields_that_there_are() {
    let described = |body: &str| refused(&greeting(Some(body)));
    assert!(
        described(r#"{"nmae":"ann"}"#).contains("the body does not fit hello.Request: unrecognized field name 'nmae'")
    );
    for bad in [r#"{"age":"x"}"#, r#"{"age":3000000000}"#, r#"{"mood":"SAD"}"#, r#"{"name":1}"#, "{", "{} {}", "[]"] {
        let described = described(bad);
        assert!(
            described.starts_with("request `say_hello`, body: the body does not fit hello.Request: "),
            "{bad}: {described}"
        );
    }
    let Err(ScheduleError::Unfit { flaw, .. }) = scheduled(&greeting(Some(r#"{"nmae":"ann"}"#))) else {
        panic!("fits")
    };
    assert_eq!(flaw.help, "hello.Request has name, age, tags, mood; tried with {\"nmae\":\"ann\"}");
}

#[test]
fn every_value_of_a_parameter_is_tried() {
    let with = |param: Param, body: &str| {
        let mut load = greeting(Some(body));
        load.params.insert("v".to_owned(), param);
        scheduled(&load).map(drop).map_err(|error| error.to_string())
    };
    let numbers = |max| Param::Uniform { min: 1, max };
    assert_eq!(with(numbers(i32::MAX as u64), r#"{"age":{{v}}}"#), Ok(()));
    let described = with(numbers(1 << 31), r#"{"age":{{v}}}"#).expect_err("the largest does not fit");
    assert!(described.contains("does not fit hello.Request: out of range"), "{described}");
    assert_eq!(with(Param::Unique, r#"{"name":"{{v}}"}"#), Ok(()));
    assert!(with(Param::Unique, r#"{"age":{{v}}}"#).is_err());
    let texts = |texts: &[&str]| Param::Choice {
        values: texts.iter().map(|text| (*text).to_owned()).collect(),
        weights: vec![],
    };
    assert_eq!(with(texts(&["CALM", "GLAD"]), r#"{"mood":"{{v}}"}"#), Ok(()));
    let described = with(texts(&["CALM", "GLAD", "SAD"]), r#"{"mood":"{{v}}"}"#).expect_err("the last does not fit");
    assert!(described.contains("unrecognized enum value 'SAD'"), "{described}");
    assert_eq!(with(texts(&["a \"b\"\\", "{{"]), r#"{"name":"{{v}}"}"#), Ok(()), "texts are escaped");
}

#[test]
fn what_is_captured_is_not_known_before_and_the_rest_is() {
    let with = |body: &str| {
        let mut load = greeting(Some(body));
        let place = crate::scenario::CapturePlace::Header("x".to_owned());
        load.requests[0].capture.insert("v".to_owned(), crate::scenario::Capture { place, regex: None });
        scheduled(&load).map(drop).map_err(|error| error.to_string())
    };
    for body in [r#"{"name":"{{v}}"}"#, r#"{"age":{{v}}}"#, r#"{"mood":"{{v}}"}"#] {
        assert_eq!(with(body), Ok(()), "{body}");
    }
    assert!(with(r#"{"nmae":"{{v}}"}"#).expect_err("no such field").contains("'nmae'"));
}

fn frames(form: GrpcForm, parts: &[&[u8]]) -> Frames {
    let mut frames = Frames::new(form, true);
    for part in parts {
        frames.add(part);
    }
    frames
}

const ANSWER: &[u8] = b"\0\0\0\0\x03abc\x80\0\0\0\x21grpc-status: 5\r\ngrpc-message:no\r\n";

#[test]
fn trailers_in_a_body_are_found() {
    let web = frames(GrpcForm::Web, &[ANSWER]);
    assert_eq!((web.messages(), web.payload(), web.are_whole()), (1, Some(&b"abc"[..]), true));
    let trailers: Vec<_> = web.trailers().collect();
    assert_eq!(trailers, [(&b"grpc-status"[..], &b"5"[..]), (b"grpc-message", b"no")]);
    // Without HTTP/2 below it is not a gRPC to put them there.
    assert!(!frames(GrpcForm::Native, &[ANSWER]).are_whole());
    assert!(!frames(GrpcForm::Native, &[b"<html>"]).are_whole());
    assert!(!frames(GrpcForm::Native, &[b"\0\0\0\0\x03ab"]).are_whole());
    assert!(!frames(GrpcForm::Native, &[b"\0\0"]).are_whole());
    assert!(frames(GrpcForm::Native, &[b"\x01\0\0\0\x01z"]).is_compressed());
    assert!(!frames(GrpcForm::WebText, &[b"!!!!"]).are_whole());
}

#[test]
fn what_is_longer_than_what_is_looked_at_is_not_kept() {
    let long = vec![0; crate::traffic::excerpt::MAX_EXPECTED_BYTES + 1];
    let head = [&[0][..], &(long.len() as u32).to_be_bytes()].concat();
    let frames = frames(GrpcForm::Native, &[&head, &long]);
    assert_eq!((frames.payload(), frames.are_whole(), frames.messages()), (None, true, 1));
}

proptest! {
    #[test]
    fn however_a_body_is_cut_its_frames_are_the_same(cuts in prop::collection::vec(0_usize..ANSWER.len(), 0..6)) {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(&ANSWER[..8])
            + &base64::engine::general_purpose::STANDARD.encode(&ANSWER[8..]);
        for (form, body) in [(GrpcForm::Web, ANSWER), (GrpcForm::WebText, text.as_bytes())] {
            let mut cuts = cuts.clone();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]).collect();
            let frames = frames(form, &parts);
            prop_assert_eq!((frames.messages(), frames.payload(), frames.are_whole()), (1, Some(&b"abc"[..]), true));
            prop_assert_eq!(frames.trailers().count(), 2);
        }
    }

    #[test]
    fn no_body_is_too_much(form in prop::sample::select(vec![GrpcForm::Native, GrpcForm::Web, GrpcForm::WebText]), body: Vec<u8>) {
        let frames = frames(form, &[&body]);
        let _ = frames.trailers().count();
        prop_assert!(frames.payload().is_some());
    }

    #[test]
    fn any_text_arrives_in_a_message(name: String) {
        let mut load = greeting(Some(r#"{"name":"{{v}}"}"#));
        load.supplies.insert("v.jsonl".to_owned(), serde_json::to_string(&name).expect("JSON"));
        load.params.insert("v".to_owned(), Param::Jsonl { path: "v.jsonl".to_owned(), field: Some(crate::scenario::JsonPath::new("")), pick: crate::scenario::Pick::Circular });
        if let Ok(schedule) = scheduled(&load) {
            let Some(Body::Call(text, encoder)) = schedule.texts()[0].body() else { panic!("no call") };
            let mut json = String::new();
            text.write(&std::iter::once(0).collect(), &mut json);
            let frame = encoder.frame(&json).expect("a message");
            let call = call_of("hello.Greeter/SayHello").expect("a call").expect("a call");
            prop_assert!(call.framed(&frame[5..], "").is_ok());
            prop_assert!(name.is_empty() || frame.ends_with(name.as_bytes()));
        }
    }
}

fn expectation(change: impl FnOnce(&mut Request)) -> CallExpectation {
    let mut request = request("r", 1.0, "POST", "/", None);
    change(&mut request);
    CallExpectation::of(&request)
}

fn end<'a>(status: Option<&'a str>, message: &'a str, frames: Option<&'a Frames>) -> CallEnd<'a> {
    CallEnd {
        content_type: Some(b"application/grpc"),
        form: Some(GrpcForm::Native),
        status: status.map(str::as_bytes),
        message: Some(message.as_bytes()),
        frames,
    }
}

#[test]
fn a_call_that_did_not_end_with_ok_has_failed() {
    let plain = expectation(|_| {});
    let met = |status, message| plain.met(&end(status, message, None), &Values::default());
    assert_eq!(met(Some("0"), ""), Ok(GrpcStatus::Ok));
    assert_eq!(met(Some("13"), "out of%20tea"), Err("grpc-status 13 INTERNAL: out of tea".to_owned()));
    assert_eq!(met(Some("13"), "a%1b]52;c%0a"), Err("grpc-status 13 INTERNAL: a\\u{1b}]52;c\\n".to_owned()));
    assert_eq!(met(Some("5"), ""), Err("grpc-status 5 NOT_FOUND".to_owned()));
    assert_eq!(met(Some("99"), "x"), Err("grpc-status 99, which gRPC does not define: x".to_owned()));
    assert_eq!(met(Some("OK"), ""), Err("grpc-status OK, which gRPC does not define".to_owned()));
    assert_eq!(met(None, ""), Err("no grpc-status, neither in trailers nor in headers".to_owned()));
    let html = CallEnd { content_type: Some(b"text/html"), ..CallEnd::default() };
    let described = plain.met(&html, &Values::default());
    assert_eq!(described, Err("the answer is not gRPC: its content-type is text/html".to_owned()));
}

#[test]
fn other_statuses_can_be_expected() {
    let expected = expectation(|request| {
        request.expect = Expect { grpc_status: vec![GrpcStatus::NotFound, GrpcStatus::Aborted], ..Expect::default() };
    });
    assert!(expected.is_demanded() && !expectation(|_| {}).is_demanded());
    let met = |status| expected.met(&end(Some(status), "", None), &Values::default());
    assert_eq!(met("5"), Ok(GrpcStatus::NotFound));
    assert_eq!(met("0"), Err("grpc-status 0 OK and not NOT_FOUND or ABORTED".to_owned()));
}

#[test]
fn a_unary_call_that_went_well_has_one_message() {
    let unary = expectation(|request| {
        request.grpc = Some(Grpc { method: "a.B/C".to_owned(), descriptors: None });
    });
    let none = frames(GrpcForm::Native, &[]);
    let one = frames(GrpcForm::Native, &[&[0; 5]]);
    let cut = frames(GrpcForm::Native, &[&[0; 4]]);
    let met = |frames| unary.met(&end(Some("0"), "", Some(frames)), &Values::default());
    assert_eq!(met(&one), Ok(GrpcStatus::Ok));
    assert!(met(&none).expect_err("no message").contains("with 0 messages"));
    assert!(met(&cut).expect_err("half a message").contains("cut off"));
    let any = expectation(|_| {});
    assert_eq!(any.met(&end(Some("0"), "", Some(&none)), &Values::default()), Ok(GrpcStatus::Ok), "it may be a stream");
}

#[test]
fn messages_are_read_as_json_with_their_defaults() {
    let call = call_of("hello.Greeter/SayHello").expect("a call").expect("a call");
    let reader = call.reader().expect("types");
    let json = |message: &[u8]| reader.json(message).map(|json| String::from_utf8(json).expect("text"));
    assert_eq!(json(b"\x0a\x02hi\x10\x11").as_deref(), Ok(r#"{"text":"hi","count":"17"}"#));
    assert_eq!(json(b"").as_deref(), Ok(r#"{"text":"","count":"0"}"#));
    assert!(json(b"\x0a\x09hi").expect_err("cut off").starts_with("the message is not a hello.Reply: "));
}
