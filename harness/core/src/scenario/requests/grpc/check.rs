//! Calls of gRPC that steep can make, and what an answer can be asked for: trailers come at its end, and JSON needs
//! types.

use super::{Grpc, GrpcForm};
use crate::scenario::check::{Check, is_header_name};
use crate::scenario::requests::capture::{Capture, CapturePlace};
use crate::scenario::{Protocol, Request, Scenario};

impl Check<'_> {
    /// That a request which is a call can be one.
    pub(in crate::scenario::requests) fn call(&mut self, index: usize, request: &Request, scenario: &Scenario) {
        let at = |key: &str| format!("requests[{index}].{key}");
        self.trailers(&at, request);
        self.grpc_timeout(&at, request);
        let Some(grpc) = &request.grpc else { return };
        if grpc.names().is_none() {
            let help = "write package.Service/Method, such as \"helloworld.Greeter/SayHello\"";
            self.error(&at("grpc.method"), format!("{:?} is not a method of gRPC", grpc.method), help);
        }
        let form = request.grpc_form().filter(|form| *form != GrpcForm::WebText && is_of_protobuf(request));
        if form.is_none() {
            let help = "application/grpc, or application/grpc-web; messages are written as protobuf (+proto)";
            self.error(&at("headers"), "steep makes no calls of this \"content-type\"", help);
        }
        if form == Some(GrpcForm::Native) && scenario.http.protocol == Protocol::Http1 {
            let help =
                "add protocol = \"http2\" to [http]; gRPC-Web is headers = { content-type = \"application/grpc-web\" }";
            self.error(&at("grpc"), "gRPC needs HTTP/2, and http.protocol is \"http1\"", help);
        }
        if request.conduct.as_ref().is_some_and(|conduct| conduct.hold.is_some()) {
            let help =
                "a unary call has one answer; to hold a stream open, write path, content-type and a framed body_file";
            self.error(&at("hold"), "\"hold\" and \"grpc\" exclude each other", help);
        }
        if grpc.descriptors.is_none() {
            self.needs_types(&at, request, grpc);
        }
    }

    /// What is JSON, and cannot be without the types of the messages.
    fn needs_types(&mut self, at: &impl Fn(&str) -> String, request: &Request, grpc: &Grpc) {
        let has_json = |capture: &Capture| matches!(capture.place, CapturePlace::Json(_));
        let is_json_file = request.body_file.as_deref().is_some_and(is_json_file);
        let needs = [
            ("body", request.body.is_some()),
            ("body_file", is_json_file),
            ("expect.json", !request.expect.json.is_empty()),
            ("capture", request.capture.values().any(has_json)),
        ];
        for (key, _) in needs.into_iter().filter(|(_, needs)| *needs) {
            let message = format!("\"{key}\" is JSON, and nothing says what the messages of {} are", grpc.method);
            let help = "add grpc.descriptors: protoc --include_imports --descriptor_set_out=FILE, or buf build -o FILE, writes one; a body_file that is encoded needs none";
            self.error(&at(key), message, help);
        }
    }

    fn trailers(&mut self, at: &impl Fn(&str) -> String, request: &Request) {
        let expect = &request.expect;
        for name in expect.trailers.keys().filter(|name| !is_header_name(name)) {
            self.error(&at("expect.trailer"), format!("{name:?} is not a trailer's name"), "");
        }
        if expect.headers.contains_key("grpc-status") {
            let help =
                "expect = { grpc_status = [\"OK\"] } finds it wherever it stands; OK is demanded of gRPC in any case";
            self.warning(&at("expect.header"), "\"grpc-status\" is a header of calls that failed only", help);
        }
        let is_held = request.conduct.as_ref().is_some_and(|conduct| conduct.hold.is_some());
        let wanted =
            [("expect.trailer", !expect.trailers.is_empty()), ("expect.grpc_status", !expect.grpc_status.is_empty())];
        for (key, _) in wanted.into_iter().filter(|(_, is_wanted)| *is_wanted) {
            if request.method == "HEAD" {
                self.error(&at(key), "an answer to HEAD has no trailers", "expect a status or a header, or use GET");
            }
            if is_held {
                let message = format!("\"hold\" and \"{key}\" exclude each other");
                self.error(&at(key), message, "trailers come at the end of an answer, and it is left before");
            }
        }
    }

    /// That a server can read the deadline, where it is written out.
    fn grpc_timeout(&mut self, at: &impl Fn(&str) -> String, request: &Request) {
        let Some(timeout) = request.headers.get("grpc-timeout") else { return };
        let text = timeout.to_string();
        let is_time = text.split_at_checked(text.len().saturating_sub(1)).is_some_and(|(digits, unit)| {
            (1..=8).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && "HMSmun".contains(unit)
        });
        if timeout.names().next().is_none() && !is_time {
            let help = "at most 8 digits and a unit: \"5S\" are five seconds, \"200m\" milliseconds (H, M, S, m, u, n)";
            self.error(&at("headers"), format!("{text:?} is not a \"grpc-timeout\""), help);
        }
    }
}

/// Whether the content type says nothing of messages, or that they are protobuf's.
fn is_of_protobuf(request: &Request) -> bool {
    let content_type = request.headers.get("content-type").map(ToString::to_string).unwrap_or_default();
    let media = content_type.split(';').next().unwrap_or_default().trim();
    media.split_once('+').is_none_or(|(_, messages)| messages.eq_ignore_ascii_case("proto"))
}

/// Whether a body in this file is JSON.
pub(crate) fn is_json_file(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("json"))
}
