//! Loads that tests drive, of this crate and of those above it.

use std::collections::BTreeMap;
use std::time::Duration;

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};

use super::{Schedule, Workload};
use crate::scenario::{Arrival, Expect, Flow, Grpc, Load, Model, Pacing, Param, Phase, Request, Role, Shape, Supplies};
use crate::template::Template;
use steep_judge::units::{Rps, Seed};

/// A phase of this shape, which lasts as long as the shape says, or this many seconds.
#[must_use]
pub fn phase(shape: Shape, seconds: f64) -> Phase {
    let duration = shape.own_duration().unwrap_or(Duration::from_secs_f64(seconds));
    Phase::new("p", Role::Steady, shape, duration)
}

/// A phase of this rate.
#[must_use]
pub fn constant(rate: f64, seconds: f64) -> Phase {
    phase(Shape::Constant { rate: Rps::new(rate) }, seconds)
}

/// A phase whose rate changes evenly.
#[must_use]
pub fn ramp(start_rate: f64, target_rate: f64, seconds: f64) -> Phase {
    let shape = Shape::Ramp { start_rate: Rps::new(start_rate), target_rate: Rps::new(target_rate) };
    phase(shape, seconds)
}

/// A phase without requests.
#[must_use]
pub fn pause(seconds: f64) -> Phase {
    phase(Shape::Pause, seconds)
}

/// What a test soaks with.
#[derive(Clone)]
pub struct TestLoad {
    /// Seed of all its draws.
    pub seed: u64,
    /// Model, arrivals and bounds.
    pub load: Load,
    /// Rates over time.
    pub phases: Vec<Phase>,
    /// What is sent.
    pub requests: Vec<Request>,
    /// Sessions of several steps.
    pub flows: Vec<Flow>,
    /// Values in texts.
    pub params: BTreeMap<String, Param>,
    /// Files that the traffic is made of.
    pub supplies: Supplies,
}

impl TestLoad {
    /// As traffic is drawn from it.
    #[must_use]
    pub fn workload(&self) -> Workload<'_> {
        let Self { seed, load, phases, requests, flows, params, supplies } = self;
        Workload { seed: Seed(*seed), load, phases, requests, flows, params, supplies }
    }

    /// Its due requests.
    ///
    /// # Panics
    ///
    /// If it has a flaw.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        Schedule::new(self.workload(), |name| (name == "port").then(|| "8080".to_owned())).expect("a schedule")
    }
}

/// A request without headers or expectations.
///
/// # Panics
///
/// If a text is not a template.
#[must_use]
pub fn request(name: &str, weight: f64, method: &str, path: &str, body: Option<&str>) -> Request {
    let template = |text| Template::parse(text).expect("a template");
    Request {
        name: name.to_owned(),
        weight,
        method: method.to_owned(),
        grpc: None,
        path: template(path),
        headers: BTreeMap::new(),
        body: body.map(template),
        body_file: None,
        expect: Expect::default(),
        capture: BTreeMap::new(),
        conduct: None,
    }
}

/// Two kinds of request with every kind of parameter.
#[must_use]
pub fn shop(phases: Vec<Phase>, arrival: Arrival) -> TestLoad {
    let params = BTreeMap::from([
        ("item".to_owned(), Param::Uniform { min: 1, max: 1000 }),
        ("page".to_owned(), Param::Sequential { min: 1, max: 3 }),
        ("user".to_owned(), Param::Unique),
    ]);
    let requests = vec![
        request("get", 3.0, "GET", "/items/{{item}}?page={{page}}&again={{item}}", None),
        request("order", 1.0, "POST", "/orders", Some(r#"{"user":"{{user}}","item":{{item}},"at":{{port}}}"#)),
    ];
    let load =
        Load { model: Model::Open, arrival, pacing: Pacing::Tick, max_in_flight: 512, cpus: Vec::new(), coded: false };
    TestLoad { seed: 42, load, phases, requests, flows: Vec::new(), params, supplies: Supplies::default() }
}

fn field(name: &str, number: i32, kind: Type) -> FieldDescriptorProto {
    let label = if name.ends_with('s') { Label::Repeated } else { Label::Optional };
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(label.into()),
        r#type: Some(kind.into()),
        type_name: (kind == Type::Enum).then(|| ".hello.Mood".to_owned()),
        ..FieldDescriptorProto::default()
    }
}

fn message(name: &str, field: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto { name: Some(name.to_owned()), field, ..DescriptorProto::default() }
}

fn method(name: &str, client_streaming: bool, server_streaming: bool) -> MethodDescriptorProto {
    MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(".hello.Request".to_owned()),
        output_type: Some(".hello.Reply".to_owned()),
        client_streaming: Some(client_streaming),
        server_streaming: Some(server_streaming),
        ..MethodDescriptorProto::default()
    }
}

/// What protoc makes of
/// `message Request { string name = 1; int32 age = 2; repeated string tags = 3; Mood mood = 4; }`,
/// `message Reply { string text = 1; int64 count = 2; }`, `enum Mood { CALM = 0; GLAD = 1; }` and
/// `service Greeter` with `SayHello`, which is unary, and `Chat`, `Watch` and `Upload`, which are not.
#[must_use]
pub fn greeter() -> Vec<u8> {
    let mood = |name: &str, number| EnumValueDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        ..EnumValueDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("hello.proto".to_owned()),
        package: Some("hello".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![
            message(
                "Request",
                vec![
                    field("name", 1, Type::String),
                    field("age", 2, Type::Int32),
                    field("tags", 3, Type::String),
                    field("mood", 4, Type::Enum),
                ],
            ),
            message("Reply", vec![field("text", 1, Type::String), field("count", 2, Type::Int64)]),
        ],
        enum_type: vec![EnumDescriptorProto {
            name: Some("Mood".to_owned()),
            value: vec![mood("CALM", 0), mood("GLAD", 1)],
            ..EnumDescriptorProto::default()
        }],
        service: vec![ServiceDescriptorProto {
            name: Some("Greeter".to_owned()),
            method: vec![
                method("SayHello", false, false),
                method("Chat", true, true),
                method("Watch", false, true),
                method("Upload", true, false),
            ],
            ..ServiceDescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

/// A load of one call with this JSON.
///
/// # Panics
///
/// If a header is not a template.
#[must_use]
pub fn greeting(body: Option<&str>) -> TestLoad {
    let mut load = shop(vec![constant(200.0, 0.3)], Arrival::Constant);
    let grpc = Grpc { method: "hello.Greeter/SayHello".to_owned(), descriptors: Some("hello.pb".to_owned()) };
    let mut call = request("say_hello", 1.0, "POST", "/hello.Greeter/SayHello", body);
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
        call.headers.insert(name.to_owned(), Template::parse(value).expect("a template"));
    }
    call.grpc = Some(grpc);
    load.requests = vec![call];
    load.params.clear();
    load.supplies.insert("hello.pb".to_owned(), greeter());
    load
}
