//! Messages of a call, by the descriptor set that a scenario names. Pure.

use std::collections::BTreeMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions};

use crate::problem::nearest;
use crate::scenario::{Flaw, Grpc, Request, Supplies};

/// How a file with the types of messages is provided.
pub(crate) const DESCRIPTOR_HELP: &str =
    "protoc --include_imports --descriptor_set_out=FILE, or buf build -o FILE, writes one";

/// Names that a message lists at most.
const MAX_LISTED: usize = 12;

/// Length of a frame's head: a flag and the length of what follows (gRPC's `PROTOCOL-HTTP2.md`).
pub(super) const HEAD_BYTES: usize = 5;

/// The descriptor sets of a scenario, each parsed once.
#[derive(Debug, Default)]
pub struct Descriptors(BTreeMap<String, DescriptorPool>);

/// A unary call that a request is.
#[derive(Debug, Clone)]
pub struct Call {
    /// `package.Service/Method`.
    method: String,
    types: Option<MethodDescriptor>,
}

/// Makes messages of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoder(MessageDescriptor);

/// Reads messages as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader(MessageDescriptor);

impl Descriptors {
    /// The call that `request` is, if it is one.
    ///
    /// # Errors
    /// The key below the request, and what is wrong: the file is not a descriptor set, or has no such method.
    pub fn call(&mut self, request: &Request, supplies: &Supplies) -> Result<Option<Call>, (&'static str, Flaw)> {
        let Some(grpc) = &request.grpc else { return Ok(None) };
        let types = match &grpc.descriptors {
            Some(path) => {
                let pool = self.pool(path, supplies).map_err(|flaw| ("grpc.descriptors", flaw))?;
                Some(method(pool, grpc, path).map_err(|flaw| ("grpc.method", flaw))?)
            }
            None => None,
        };
        Ok(Some(Call { method: grpc.method.clone(), types }))
    }

    fn pool(&mut self, path: &str, supplies: &Supplies) -> Result<&DescriptorPool, Flaw> {
        if !self.0.contains_key(path) {
            let bytes = supplies.bytes(path)?;
            let pool = DescriptorPool::decode(bytes.as_ref()).map_err(|error| {
                Flaw::new(format!("{path} is not a descriptor set: {}", one_line(&error.to_string())), DESCRIPTOR_HELP)
            })?;
            if pool.services().next().is_none() {
                return Err(Flaw::new(format!("{path} has no service"), DESCRIPTOR_HELP));
            }
            self.0.insert(path.to_owned(), pool);
        }
        self.0.get(path).ok_or_else(|| Flaw::new(format!("{path} was not read"), ""))
    }
}

/// The method of `grpc`, if it is unary.
fn method(pool: &DescriptorPool, grpc: &Grpc, path: &str) -> Result<MethodDescriptor, Flaw> {
    let Some((service, name)) = grpc.names() else {
        return Err(Flaw::new(format!("{:?} is not a method of gRPC", grpc.method), "write package.Service/Method"));
    };
    let Some(found) = pool.get_service_by_name(service) else {
        let known: Vec<String> = pool.services().map(|service| service.full_name().to_owned()).collect();
        return Err(Flaw::new(format!("{path} has no service {service}"), listed(service, &known)));
    };
    let Some(method) = found.methods().find(|method| method.name() == name) else {
        let known: Vec<String> = found.methods().map(|method| method.name().to_owned()).collect();
        return Err(Flaw::new(format!("{service} has no method {name}"), listed(name, &known)));
    };
    let streams = match (method.is_client_streaming(), method.is_server_streaming()) {
        (false, false) => return Ok(method),
        (true, true) => "in both directions",
        (true, false) => "from the client",
        (false, true) => "from the server",
    };
    Err(Flaw::new(
        format!("{}/{name} is a stream {streams}, and steep makes unary calls only", found.full_name()),
        "let a program that speaks it make the load: load.command",
    ))
}

/// Did you mean, or what there is.
fn listed(given: &str, known: &[String]) -> String {
    if let Some(near) = nearest(given, known.iter().map(String::as_str)) {
        return format!("did you mean {near}?");
    }
    let more = if known.len() > MAX_LISTED { ", …" } else { "" };
    format!("there is {}{more}", known[..known.len().min(MAX_LISTED)].join(", "))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Call {
    /// Makes its messages of JSON; none without their types.
    #[must_use]
    pub fn encoder(&self) -> Option<Encoder> {
        self.types.as_ref().map(|method| Encoder(method.input()))
    }

    /// Reads the answers' messages as JSON; none without their types.
    #[must_use]
    pub fn reader(&self) -> Option<Reader> {
        self.types.as_ref().map(|method| Reader(method.output()))
    }

    /// The frame around a message that is encoded already.
    ///
    /// # Errors
    /// It is none of the method's, as far as that is known.
    pub fn framed(&self, message: &[u8], path: &str) -> Result<Bytes, Flaw> {
        if let Some(method) = &self.types {
            let input = method.input();
            let name = input.full_name().to_owned();
            DynamicMessage::decode(input, message).map_err(|error| {
                let help = format!("{} takes it: the message as protobuf encodes it, without a frame", self.method);
                Flaw::new(format!("{path} is not a {name}: {}", one_line(&error.to_string())), help)
            })?;
        }
        let mut frame = BytesMut::with_capacity(HEAD_BYTES + message.len());
        put_head(&mut frame, message.len());
        frame.extend_from_slice(message);
        Ok(frame.freeze())
    }
}

/// Not compressed, and so long.
fn put_head(frame: &mut BytesMut, length: usize) {
    frame.put_u8(0);
    // Files and texts are bounded far below 4 GiB.
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}

impl Encoder {
    /// The type of the messages.
    #[must_use]
    pub fn type_name(&self) -> &str {
        self.0.full_name()
    }

    /// The message that `json` is, in its frame.
    ///
    /// # Errors
    /// It is not JSON, or does not fit the type; in words, with its place.
    pub fn frame(&self, json: &str) -> Result<Bytes, String> {
        let mut text = serde_json::Deserializer::from_str(json);
        let message = DynamicMessage::deserialize(self.0.clone(), &mut text).map_err(|error| error.to_string())?;
        text.end().map_err(|error| error.to_string())?;
        let length = message.encoded_len();
        let mut frame = BytesMut::with_capacity(HEAD_BYTES + length);
        put_head(&mut frame, length);
        message.encode_raw(&mut frame);
        Ok(frame.freeze())
    }

    /// Names of its fields, for who wrote another.
    #[must_use]
    pub fn fields(&self) -> String {
        let fields: Vec<String> = self.0.fields().map(|field| field.json_name().to_owned()).collect();
        let more = if fields.len() > MAX_LISTED { ", …" } else { "" };
        match fields.as_slice() {
            [] => format!("{} has no fields", self.type_name()),
            some => format!("{} has {}{more}", self.type_name(), some[..some.len().min(MAX_LISTED)].join(", ")),
        }
    }
}

impl Reader {
    /// The message as JSON.
    ///
    /// # Errors
    /// It is none of this type; in words.
    pub fn json(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let unreadable = |error: String| format!("the message is not a {}: {}", self.0.full_name(), one_line(&error));
        let message = DynamicMessage::decode(self.0.clone(), message).map_err(|error| unreadable(error.to_string()))?;
        let mut json = serde_json::Serializer::new(Vec::new());
        // What is 0 or empty can be expected as any other value.
        let options = SerializeOptions::new().skip_default_fields(false);
        message.serialize_with_options(&mut json, &options).map_err(|error| unreadable(error.to_string()))?;
        Ok(json.into_inner())
    }
}
