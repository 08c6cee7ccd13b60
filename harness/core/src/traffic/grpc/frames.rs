//! The frames of an answer, read as its bytes come. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::scenario::GrpcForm;
use crate::traffic::excerpt::MAX_EXPECTED_BYTES;

use super::messages::HEAD_BYTES;

/// The longest trailers in a body that are read: as long as hyper takes those behind one.
const MAX_TRAILER_BYTES: usize = 16 << 10;

/// What a frame's flag says: compressed, and trailers (gRPC-Web's `PROTOCOL-WEB.md`).
const COMPRESSED: u8 = 0x01;
const TRAILERS: u8 = 0x80;

/// The frames of an answer so far.
#[derive(Debug)]
pub struct Frames {
    form: GrpcForm,
    head: [u8; HEAD_BYTES],
    /// Bytes of the head that are there.
    head_bytes: usize,
    /// Bytes of the frame under way that are to come.
    left: usize,
    messages: u64,
    is_compressed: bool,
    is_garbled: bool,
    payload: Payload,
    trailers: Vec<u8>,
    /// Base64 comes in groups of four, however the body is cut.
    group: [u8; 4],
    group_bytes: usize,
}

/// What the messages hold.
#[derive(Debug)]
enum Payload {
    /// Nobody looks at it.
    Passed,
    Kept(Vec<u8>),
    /// Longer than [`MAX_EXPECTED_BYTES`].
    TooLong,
}

impl Frames {
    /// Those of an answer of this form; what is in the messages is kept if it is to be looked at.
    #[must_use]
    pub fn new(form: GrpcForm, keeps: bool) -> Self {
        Self {
            form,
            head: [0; HEAD_BYTES],
            head_bytes: 0,
            left: 0,
            messages: 0,
            is_compressed: false,
            is_garbled: false,
            payload: if keeps { Payload::Kept(Vec::new()) } else { Payload::Passed },
            trailers: Vec::new(),
            group: [0; 4],
            group_bytes: 0,
        }
    }

    /// Adds a part of the body.
    pub fn add(&mut self, part: &[u8]) {
        if self.form != GrpcForm::WebText {
            return self.walk(part);
        }
        for byte in part {
            self.group[self.group_bytes] = *byte;
            self.group_bytes += 1;
            if self.group_bytes == self.group.len() {
                self.group_bytes = 0;
                let mut bytes = [0; 3];
                match STANDARD.decode_slice(self.group, &mut bytes) {
                    Ok(count) => self.walk(&bytes[..count]),
                    Err(_) => self.is_garbled = true,
                }
            }
        }
    }

    fn walk(&mut self, mut part: &[u8]) {
        while !part.is_empty() && !self.is_garbled {
            if self.head_bytes < HEAD_BYTES {
                let (head, rest) = part.split_at(part.len().min(HEAD_BYTES - self.head_bytes));
                self.head[self.head_bytes..self.head_bytes + head.len()].copy_from_slice(head);
                self.head_bytes += head.len();
                part = rest;
                if self.head_bytes == HEAD_BYTES {
                    self.begin();
                }
            } else {
                let (body, rest) = part.split_at(part.len().min(self.left));
                self.keep(body);
                self.left -= body.len();
                part = rest;
            }
            if self.head_bytes == HEAD_BYTES && self.left == 0 {
                self.head_bytes = 0;
            }
        }
    }

    /// A frame begins.
    fn begin(&mut self) {
        let [flag, length @ ..] = self.head;
        self.left = u32::from_be_bytes(length) as usize;
        let known = if self.form == GrpcForm::Native { COMPRESSED } else { COMPRESSED | TRAILERS };
        self.is_garbled |= flag & !known != 0;
        self.is_compressed |= flag & COMPRESSED != 0;
        self.messages += u64::from(flag & TRAILERS == 0);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.head[0] & TRAILERS != 0 {
            self.is_garbled |= self.trailers.len() + bytes.len() > MAX_TRAILER_BYTES;
            if !self.is_garbled {
                self.trailers.extend_from_slice(bytes);
            }
        } else if let Payload::Kept(kept) = &mut self.payload {
            if kept.len() + bytes.len() > MAX_EXPECTED_BYTES {
                self.payload = Payload::TooLong;
            } else {
                kept.extend_from_slice(bytes);
            }
        }
    }

    /// How many messages began.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Whether a message is compressed.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    /// Whether the body is whole frames and nothing else.
    #[must_use]
    pub fn are_whole(&self) -> bool {
        !self.is_garbled && self.head_bytes == 0 && self.group_bytes == 0
    }

    /// What the messages hold; none where it is longer than [`MAX_EXPECTED_BYTES`].
    #[must_use]
    pub fn payload(&self) -> Option<&[u8]> {
        match &self.payload {
            Payload::Passed => Some(&[]),
            Payload::Kept(kept) => Some(kept),
            Payload::TooLong => None,
        }
    }

    /// The trailers in the body, with their values.
    pub fn trailers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.trailers.split(|byte| *byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()))
        })
    }
}
