//! gRPC: messages from and to JSON by a descriptor set, the frames around them, and how a call ended. Pure.

mod answer;
mod fit;
mod frames;
mod messages;

pub use self::answer::{CallEnd, CallExpectation};
pub(super) use self::fit::check_fit;
pub use self::frames::Frames;
pub use self::messages::{Call, Encoder, Reader};
pub(super) use self::messages::{DESCRIPTOR_HELP, Descriptors};

#[cfg(test)]
mod tests;
