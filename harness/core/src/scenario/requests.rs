//! What is sent, and what an answer must be.

pub(super) mod capture;
pub(super) mod check;
pub(super) mod conduct;
pub(super) mod decode;
pub(super) mod grpc;
pub(super) mod keys;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::capture::Capture;
use self::conduct::Conduct;
use self::grpc::{Grpc, GrpcForm, GrpcStatus};
use super::{JsonPath, Wanted};
use crate::template::Template;

/// A kind of request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The label everywhere; never the raw URL.
    pub name: String,
    /// Share of the traffic, relative to the other weights.
    pub weight: f64,
    /// HTTP method, in capitals.
    pub method: String,
    /// The call that it is, where path and frame follow from that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<Grpc>,
    /// Path and query.
    pub path: Template,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, Template>,
    /// Body; none: empty, or from a file.
    pub body: Option<Template>,
    /// The file that the body is in.
    pub body_file: Option<String>,
    /// What counts as success.
    pub expect: Expect,
    /// What is taken out of its answer, for later steps of a flow.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capture: BTreeMap<String, Capture>,
    /// How the client treats it; none: sends it and takes the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conduct: Option<Conduct>,
}

impl Request {
    /// The form of gRPC that its content type names, as far as no value stands in it.
    #[must_use]
    pub fn grpc_form(&self) -> Option<GrpcForm> {
        GrpcForm::of_content_type(self.headers.get("content-type")?.to_string().as_bytes())
    }

    /// Every template in it, with the key that it stands in.
    pub fn templates(&self) -> impl Iterator<Item = (&'static str, &Template)> {
        let Expect { headers, trailers, body_contains, json, .. } = &self.expect;
        let wanted = json.values().filter_map(|wanted| match wanted {
            Wanted::Text(text) => Some(("expect.json", text)),
            Wanted::Scalar(_) => None,
        });
        std::iter::once(("path", &self.path))
            .chain(self.headers.values().map(|text| ("headers", text)))
            .chain(self.body.iter().map(|text| ("body", text)))
            .chain(headers.values().map(|text| ("expect.header", text)))
            .chain(trailers.values().map(|text| ("expect.trailer", text)))
            .chain(body_contains.iter().map(|text| ("expect.body_contains", text)))
            .chain(wanted)
    }
}

/// What an answer must be to count as success.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Expect {
    /// One of these statuses; empty: any of 200 to 399.
    pub status: Vec<u16>,
    /// Headers, names in lower case, with what each contains.
    pub headers: BTreeMap<String, Template>,
    /// Trailers, names in lower case, with what each contains.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trailers: BTreeMap<String, Template>,
    /// One of these statuses of gRPC; empty: OK, where the answer is one of gRPC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grpc_status: Vec<GrpcStatus>,
    /// What its body contains.
    pub body_contains: Option<Template>,
    /// What stands at these places of its body.
    pub json: BTreeMap<JsonPath, Wanted>,
}

/// What some answer gives a value, as the places of a list: each name once, in their order.
#[must_use]
pub fn variables(requests: &[Request]) -> BTreeSet<&str> {
    requests.iter().flat_map(|request| request.capture.keys().map(String::as_str)).collect()
}
