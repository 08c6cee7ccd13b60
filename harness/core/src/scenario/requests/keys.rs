//! Keys of requests and of what is expected of their answers.

use crate::scenario::GrpcStatus;
use crate::scenario::schema::Kind::{
    Choice, Choices, Integers, JsonMap, Number, Table, Tables, Template, TemplateMap, Text,
};
use crate::scenario::schema::Presence::{Default, Optional, Required};
use crate::scenario::schema::{Key, key};

#[rustfmt::skip]
pub(in crate::scenario) const KEYS: &[Key] = &[
    key("requests", Tables, Default("[]"), "What is sent, picked by weight."),
    key("requests[].name", Text, Required, "The label everywhere; never the raw URL."),
    key("requests[].weight", Number, Default("1"), "Share of the arrivals, relative to the other weights. A request that is a step of a flow is not sent by itself, unless this is given."),
    key("requests[].method", Choice(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], &[]), Default("\"GET\""), "HTTP method."),
    key("requests[].path", Template, Optional, "Path and query; begins with `/`. Texts in `{{…}}` are percent-encoded. Needed, but with `grpc`, where it follows."),
    key("requests[].grpc", Table, Optional, "A unary call of gRPC: method, path, `content-type` (`application/grpc`), `te: trailers` and the frame around the message follow from it. `headers` are its metadata, such as `grpc-timeout = \"5S\"`. It needs `http.protocol = \"http2\"`, unless `content-type` is `application/grpc-web`. A call has failed (`failed_grpc`) unless its `grpc-status` is as expected, in trailers or, in an answer without a message, in headers; so has one without a `grpc-status`. Streams are for `load.command`."),
    key("requests[].grpc.method", Text, Required, "`package.Service/Method`."),
    key("requests[].grpc.descriptors", Text, Optional, "The file with the message types, as `protoc --include_imports --descriptor_set_out=FILE` or `buf build -o FILE` writes it (a `FileDescriptorSet`). By it `body` is JSON, and what `expect` and `capture` look at is the JSON of the answer's message: field names in lowerCamelCase, 64-bit integers as texts, defaults included. Without it: `body_file` alone."),
    key("requests[].headers", TemplateMap, Default("{}"), "Headers. Texts in `{{…}}` stand as they are, and may not have line breaks. `{{env.NAME}}` is a secret from steep's environment, shown and written nowhere."),
    key("requests[].body", Template, Optional, "Body; none: empty. Texts in `{{…}}` are escaped for JSON where the header `content-type` is of JSON, percent-encoded where it is `application/x-www-form-urlencoded`, and else stand as they are. With `grpc`: the message as JSON, by `grpc.descriptors`; none: the empty message."),
    key("requests[].body_file", Text, Optional, "A file with the body, instead of `body`. `{{…}}` in it are replaced as in `body` if it is UTF-8 text; other files are sent as they are. With `grpc`: a message as protobuf encodes it, without a frame and without `{{…}}`; a file whose name ends in `.json` is JSON as `body` is."),
    key("requests[].expect", Table, Default("{}"), "What counts as success."),
    key("requests[].expect.status", Integers(100, 599), Default("[]"), "Statuses that count as success; none: 200 to 399. A redirect is an answer and is not followed; a path that nothing serves is a request with `status = [404]`."),
    key("requests[].expect.header", TemplateMap, Default("{}"), "Headers that the answer must have, with a text that the value must contain (`\"\"`: any)."),
    key("requests[].expect.trailer", TemplateMap, Default("{}"), "Trailers that must come after the body, with a text that the value must contain (`\"\"`: any). The request then says `te: trailers`, unless it has a `te` of its own."),
    key("requests[].expect.grpc_status", Choices(&GrpcStatus::NAMES), Default("[]"), "Statuses of gRPC that count as success, such as `[\"OK\", \"NOT_FOUND\"]`; none: `OK`. Looked at where the answer's `content-type` is `application/grpc` or `application/grpc-web`, and demanded where this is given or the request is such a call."),
    key("requests[].expect.body_contains", Template, Optional, "A text that the body must contain. A body that is looked at may have 1 MiB."),
    key("requests[].expect.json", JsonMap, Default("{}"), "What the body, which must be JSON then, must have at places like `order.items.0.id` (or `/order/items/0/id`): a text, number or boolean that must be equal. A text with `{{…}}` in it also equals a number or boolean that is written so."),
];
