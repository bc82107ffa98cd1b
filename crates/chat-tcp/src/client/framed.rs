//! A client's side of the framed protocol over a byte stream.

use std::time::Instant;

use chat_core::client::{Conversation, Talk};
use chat_core::{ClientConfig, ClientEnd, ClientEvent};
use chat_proto::{FrameDecoder, LeaveReason, MemberFrame, PREFACE, PrefaceDecoder, Text, VERSION};

use super::link::Protocol;
use crate::limits::{ANSWER_TIMEOUT, OUTBOX_BYTES_MAX, SAID_BYTES_MAX};

#[derive(Debug)]
enum Incoming {
    /// Before the server's preface. The server may already have sent text: lines for a peer that it did not yet
    /// recognise as framed.
    Preface {
        decoder: PrefaceDecoder,
        said: Vec<u8>,
    },
    Frames(FrameDecoder),
    /// No connection.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Framed {
    conversation: Conversation,
    incoming: Incoming,
    opening: Vec<u8>,
    /// The deadline for the server's welcome, until that has arrived.
    answer_by: Option<Instant>,
    /// The server's goodbye.
    dismissed: Option<LeaveReason>,
    /// A room has welcomed it before.
    was_welcomed: bool,
}

impl Framed {
    pub(super) fn new(config: &ClientConfig) -> Self {
        Self {
            conversation: Conversation::of(config),
            incoming: Incoming::Nothing,
            opening: Vec::new(),
            answer_by: None,
            dismissed: None,
            was_welcomed: false,
        }
    }

    fn receive_frames(&mut self, mut input: &[u8], events: &mut Vec<ClientEvent>) -> Result<(), ClientEnd> {
        let Incoming::Frames(decoder) = &mut self.incoming else { return Ok(()) };
        while let Some(frame) = decoder.next(&mut input).map_err(|error| ClientEnd::BadFrame { error })? {
            self.conversation.receive(frame, |event| match event {
                // Reported with the end of the connection, which follows.
                ClientEvent::Dismissed(reason) => self.dismissed = Some(reason),
                event => {
                    if matches!(event, ClientEvent::Connected { .. }) {
                        self.was_welcomed = true;
                        self.answer_by = None;
                    }
                    events.push(event);
                }
            });
        }
        Ok(())
    }
}

impl Protocol for Framed {
    fn connected(&mut self, now: Instant) {
        // However the last connection ended, the client says nothing before it is welcomed on the new one.
        self.conversation.disconnected();
        self.incoming = Incoming::Preface { decoder: PrefaceDecoder::new(), said: Vec::new() };
        self.answer_by = Some(now + ANSWER_TIMEOUT);
        self.dismissed = None;
        self.opening = PREFACE.to_vec();
        MemberFrame::Hello(self.conversation.hello()).encode(&mut self.opening);
    }

    fn receive(
        &mut self,
        bytes: &[u8],
        _now: Instant,
        events: &mut Vec<ClientEvent>,
    ) -> Result<(), ClientEnd> {
        let mut input = bytes;
        if let Incoming::Preface { decoder, said } = &mut self.incoming {
            if !decoder.is_unfinished() {
                // No text contains the first byte of the preface.
                let text = input.iter().position(|&byte| byte == PREFACE[0]).unwrap_or(input.len());
                let kept = text.min(SAID_BYTES_MAX - said.len());
                said.extend_from_slice(&input[..kept]);
                input = &input[text..];
            }
            match decoder.next(&mut input) {
                Ok(None) => return Ok(()),
                Ok(Some(VERSION)) => self.incoming = Incoming::Frames(FrameDecoder::new()),
                Ok(Some(theirs)) => return Err(ClientEnd::OtherVersion { theirs }),
                Err(_) => return Err(not_framed(said)),
            }
        }
        self.receive_frames(input, events)
    }

    fn end_of_input(&mut self, _events: &mut Vec<ClientEvent>) -> Result<(), ClientEnd> {
        let leaving = self.conversation.disconnected();
        match (std::mem::replace(&mut self.incoming, Incoming::Nothing), self.dismissed.take()) {
            _ if leaving => Err(ClientEnd::Left),
            (_, Some(reason)) => Err(ClientEnd::Dismissed(reason)),
            // If the server spoke our protocol before, it has only gone away again.
            (Incoming::Preface { said, .. }, None) if !self.was_welcomed => Err(not_framed(&said)),
            _ => Ok(()),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.answer_by
    }

    fn on_deadline(&mut self, _now: Instant, _events: &mut Vec<ClientEvent>) -> Result<(), ClientEnd> {
        match &self.incoming {
            Incoming::Preface { said, .. } if !said.is_empty() => Err(not_framed(said)),
            _ => Err(ClientEnd::NoAnswer),
        }
    }

    fn talk(&mut self) -> &mut dyn Talk {
        &mut self.conversation
    }

    fn send(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.opening);
        while out.len() < OUTBOX_BYTES_MAX {
            let Some(frame) = self.conversation.next_frame() else { break };
            frame.encode(out);
        }
    }

    fn all_sent(&mut self, _now: Instant) -> bool {
        false // the goodbye is a frame
    }
}

/// The server's answer is not a preface: it speaks another protocol.
fn not_framed(said: &[u8]) -> ClientEnd {
    ClientEnd::NotFramed { said: Text::split(said).collect() }
}
