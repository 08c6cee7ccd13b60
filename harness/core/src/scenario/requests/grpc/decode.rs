//! The table of a call of gRPC, and what follows from it: method, path and headers of its request.

use std::collections::BTreeMap;

use super::{Grpc, GrpcForm};
use crate::problem::Problem;
use crate::scenario::read::{Reader, Section};
use crate::template::Template;

/// What is sent as which call.
pub(in crate::scenario::requests) struct Target {
    pub(in crate::scenario::requests) grpc: Option<Grpc>,
    pub(in crate::scenario::requests) method: String,
    pub(in crate::scenario::requests) path: Template,
}

/// Method and path of `request`: its own, or those that follow from the call that it is.
pub(in crate::scenario::requests) fn target(reader: &mut Reader, request: &Section<'_>) -> Target {
    let method = reader.choice(request, "method");
    let path = reader.template(request, "path");
    let Some(section) = reader.section(request, "grpc") else {
        if !Reader::has(request, "path") {
            let problem = Problem::error(format!("[{}] lacks \"path\"", request.path), reader.spans.of(&request.path));
            reader.problems.push(
                problem.help("add path = \"/…\", or for a call of gRPC grpc = { method = \"package.Service/Method\" }"),
            );
        }
        let path = path.unwrap_or_else(|| template("/"));
        return Target { grpc: None, method: method.unwrap_or_else(|| "GET".to_owned()), path };
    };
    for name in ["method", "path"].into_iter().filter(|name| Reader::has(request, name)) {
        let place = reader.spans.of(&format!("{}.{name}", request.path));
        let problem = Problem::error(format!("\"{name}\" follows from \"grpc\" here"), place);
        reader.problems.push(problem.help("take it out"));
    }
    let grpc = Grpc {
        method: reader.text(&section, "method").unwrap_or_default(),
        descriptors: reader.text(&section, "descriptors"),
    };
    let path = template(&grpc.path().unwrap_or_else(|| "/".to_owned()));
    Target { grpc: Some(grpc), method: "POST".to_owned(), path }
}

/// Adds the headers that say what `request` is and that trailers are welcome, where it does not say so itself.
pub(in crate::scenario::requests) fn add_headers(
    headers: &mut BTreeMap<String, Template>,
    is_call: bool,
    wants_trailers: bool,
) {
    let mut is_native = false;
    if is_call {
        let content_type = headers.entry("content-type".to_owned()).or_insert_with(|| template("application/grpc"));
        is_native = GrpcForm::of_content_type(content_type.to_string().as_bytes()) == Some(GrpcForm::Native);
    }
    if is_native || wants_trailers {
        headers.entry("te".to_owned()).or_insert_with(|| template("trailers"));
    }
}

fn template(text: &str) -> Template {
    // None of those has braces.
    Template::parse(text).unwrap_or_default()
}
