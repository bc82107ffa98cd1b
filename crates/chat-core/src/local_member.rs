//! A membership inside this process.
#![cfg_attr(loom, allow(unused_imports, reason = "the model knows no time, so nothing waits for a while"))]

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chat_proto::{Author, MemberId, Name, Text};

use crate::commands::{Action, Caller, Reply};
use crate::error::{NickError, RecvTimeoutError, RoomClosed, SayError, TryRecvError};
use crate::heard::Heard;
use crate::journal::Query;
use crate::room::Room;
use crate::state::Next;
use crate::sync::{Receiver, Sender, bounded};
use crate::waker::Waker;

/// A named membership in the same process as the room: a bot, a console, the embedding program.
///
/// Like every member, it is a cursor into the log: it has no queue, and a local member that is not read harms
/// nobody and is told how much it missed. In a room with a journal it reads those messages from there, and misses
/// nothing. It hears its own messages, too, at their place in the order. All methods take `&self`, so one thread may
/// listen while another speaks; two that listen share the cursor, and each entry goes to one of them.
///
/// To wait for a room and for other channels at once, `select!` over [`ready`](Self::ready):
///
/// ```
/// use chat_core::{Heard, Room, RoomConfig, TryRecvError};
/// use crossbeam_channel::{bounded, select};
///
/// let room = Room::new(RoomConfig::default());
/// let bot = room.join("bot")?;
/// let (quit, quitting) = bounded::<()>(1);
/// room.notice("hello")?;
/// # let mut lines = 0;
/// loop {
///     select! {
///         recv(bot.ready()) -> _ => match bot.try_recv() {
///             Ok(heard) => {
///                 println!("{heard:?}");
/// #               lines += 1;
///                 quit.try_send(())?;
///             }
///             Err(TryRecvError::Empty) => {}
///             Err(TryRecvError::Closed) => break,
///         },
///         recv(quitting) -> _ => break,
///     }
/// }
/// # assert_eq!(lines, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping a local member makes it leave"]
pub struct LocalMember {
    room: Room,
    place: usize,
    id: MemberId,
    ready: Receiver<()>,
    signal: Sender<()>,
    also_wakes: Arc<OnceLock<Waker>>,
}

impl LocalMember {
    pub(crate) fn new(room: Room, name: &Name) -> Result<Self, NickError> {
        let (signal, ready) = bounded(1);
        let wake = signal.clone();
        let also_wakes = Arc::new(OnceLock::<Waker>::new());
        let other = Arc::clone(&also_wakes);
        let waker = Waker::new(move || {
            let _full = wake.try_send(()); // if full, a signal is already there
            other.get().into_iter().for_each(Waker::wake);
        });
        let now = room.now();
        let taken = room.lock().join_local(name, waker, now);
        let (place, id, wakes) = taken?;
        wakes.wake();
        Ok(Self { room, place, id, ready, signal, also_wakes })
    }

    /// Hears at most this many of the newest messages first, those from before it came, as far as the log or the room's
    /// journal holds them. Those have a [`seq`](chat_proto::Entry::seq) of at most the
    /// [`Stats::messages`](crate::Stats::messages) of that moment.
    pub fn with_history(self, messages: u64) -> Self {
        self.room.lock().rewind_local(self.place, messages);
        let _full = self.signal.try_send(()); // there may be something to hear now
        self
    }

    /// Calls `waker`, too, whenever there may be something to hear: for a loop that waits for something other than
    /// channels. Then call [`try_recv`](Self::try_recv) until it has nothing. Set it once: the first one stays.
    pub fn with_waker(self, waker: Waker) -> Self {
        waker.wake(); // for earlier entries
        let _set_before = self.also_wakes.set(waker);
        self
    }

    /// The room.
    #[must_use]
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Which member it is: the one in the [`Origin`](chat_proto::Origin) of its messages.
    #[must_use]
    pub fn id(&self) -> MemberId {
        self.id
    }

    /// How this member is shown: by the name that it has now.
    #[must_use]
    pub fn author(&self) -> Author {
        Author::Named(self.room.lock().local_mut(self.place).0.name.clone())
    }

    /// Makes this member an operator of the room, or an ordinary member again. At first it is not an operator.
    pub fn set_operator(&self, is_operator: bool) {
        self.room.set_operator(self.id, is_operator);
    }

    /// Gives a command, without its slash: `kick ann`. Returns the answer. If the command makes the member say
    /// something, that is said.
    ///
    /// # Errors
    ///
    /// [`SayError::Closing`].
    pub fn command(&self, line: &str) -> Result<Reply, SayError> {
        let caller = Caller::new(&self.room, self.id, self.author(), self.room.lock().is_operator(self.id));
        let mut reply = match self.room.commands() {
            Some(commands) => commands.run(&caller, line),
            None => Reply::line("There are no commands in this room"),
        };
        match &reply.action {
            Some(Action::Say(text)) => drop(self.say(text.as_str())?),
            Some(Action::Sent { .. }) => reply = reply.with_sent_line(),
            _ => {}
        }
        Ok(reply)
    }

    /// Says `text`; returns the sequence number of the message. Text of several lines, or longer
    /// than a message, becomes several messages, and the number is the last one's; empty text
    /// (zero bytes) is not a message.
    ///
    /// # Errors
    ///
    /// [`SayError::Closing`].
    pub fn say(&self, text: &str) -> Result<Option<u64>, SayError> {
        self.room.say_as_local(self.place, text)
    }

    /// Has the room say `[*] text`, as [`Room::notice`] does. If the room's journal cannot keep that, this member is
    /// told: [`DirectItem::Refused`](chat_proto::DirectItem::Refused).
    ///
    /// # Errors
    ///
    /// [`SayError`]
    pub fn notice(&self, text: &str) -> Result<(), SayError> {
        let result = self.room.lock().say_as_room_for(self.place, Text::split(text.as_bytes()).collect());
        result?.wake();
        Ok(())
    }

    /// The returned channel gets one answer when the room has dealt with everything that this member said, had the room
    /// say, or set as a topic before this call. An error says in words for people why the room's journal could not keep
    /// something of it. Asking again ends the channel that was asked for before.
    #[must_use]
    pub fn answer(&self) -> Receiver<Result<(), Text>> {
        self.room.lock().local_answer(self.place)
    }

    /// Until when to say nothing, so that the others can follow: this member is over the room's
    /// [rate limit](crate::RoomConfig::with_rate), readers lag behind, or the journal does. `None` if it may speak now.
    /// Nothing that it says meanwhile is lost; it is for this program to wait.
    ///
    /// ```
    /// use chat_core::{Room, RoomConfig};
    ///
    /// let room = Room::new(RoomConfig::default());
    /// let bot = room.join("bot")?;
    /// for number in 0..600 {
    ///     bot.say(&number.to_string())?;
    /// }
    /// assert!(bot.pause_until().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pause_until(&self) -> Option<Instant> {
        let now = self.room.now();
        self.room.lock().local_pause_until(self.place, now)
    }

    /// The next entry, if there is one.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if there is nothing new; [`TryRecvError::Closed`] if there will never
    /// be: the room was closed, its transports are done, and everything was read.
    pub fn try_recv(&self) -> Result<Heard, TryRecvError> {
        let (is_more, heard) = self.room.hear(self.place);
        if is_more {
            // A thread that takes one entry per token must get the rest, too, and all threads that listen here
            // must learn of the end.
            let _full = self.signal.try_send(());
        }
        heard
    }

    /// The next entry, waiting for it.
    ///
    /// # Errors
    ///
    /// [`RoomClosed`] as in [`try_recv`](Self::try_recv).
    pub fn recv(&self) -> Result<Heard, RoomClosed> {
        loop {
            match self.try_recv() {
                Ok(heard) => return Ok(heard),
                Err(TryRecvError::Closed) => return Err(RoomClosed),
                Err(TryRecvError::Empty) => {
                    self.ready.recv().expect("the local member itself holds the sender");
                }
            }
        }
    }

    /// The next entry, waiting for it at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError::Timeout`] if none came; [`RecvTimeoutError::Closed`] as in
    /// [`try_recv`](Self::try_recv).
    #[cfg(not(loom))]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Heard, RecvTimeoutError> {
        let deadline = crossbeam_channel::after(timeout);
        loop {
            match self.try_recv() {
                Ok(heard) => return Ok(heard),
                Err(TryRecvError::Closed) => return Err(RecvTimeoutError::Closed),
                Err(TryRecvError::Empty) => crossbeam_channel::select! {
                    recv(self.ready) -> _ => {}
                    recv(deadline) -> _ => {
                        // Both may have been ready.
                        return self.try_recv().map_err(|error| match error {
                            TryRecvError::Empty => RecvTimeoutError::Timeout,
                            TryRecvError::Closed => RecvTimeoutError::Closed,
                        });
                    }
                },
            }
        }
    }

    /// Has a token when there may be something to hear. Use it in
    /// `crossbeam_channel::select!`. Take the token, then call [`try_recv`](Self::try_recv), once or
    /// until it has nothing. After [`TryRecvError::Closed`] it always has a token.
    #[must_use]
    pub fn ready(&self) -> &Receiver<()> {
        &self.ready
    }
}

impl Room {
    /// The next thing that a reader of this process hears, and whether there is more.
    pub(crate) fn hear(&self, place: usize) -> (bool, Result<Heard, TryRecvError>) {
        let mut next = None;
        let (is_more, nothing) = self.hear_up_to(1, place, |heard| next = Some(heard));
        (is_more, next.ok_or(nothing))
    }

    /// /// Hands the next things that a reader of this process hears to `each`, `max` at most. Returns whether there is
    /// more, and the error for /// a reader that got nothing.
    pub(crate) fn hear_up_to(
        &self,
        max: usize,
        place: usize,
        mut each: impl FnMut(Heard),
    ) -> (bool, TryRecvError) {
        let mut asks = None;
        let mut state = self.lock();
        for _ in 0..max {
            match state.next_for_local(place) {
                Next::Heard(heard) => each(heard),
                Next::Nothing => break,
                Next::Ask { member, after } => {
                    asks = Some((member, after));
                    break;
                }
            }
        }
        let is_over = state.is_over() && !state.is_local_behind(place);
        let is_more = state.has_more_for_local(place) || is_over;
        drop(state);
        if let Some((member, after)) = asks {
            self.ask_for_local(member, after);
        }
        (is_more, if is_over { TryRecvError::Closed } else { TryRecvError::Empty })
    }

    /// Reads a page of messages that the log no longer has.
    fn ask_for_local(&self, member: MemberId, after: u64) {
        let room = self.downgrade();
        self.read(Query::After(after), move |page| {
            let Some(room) = Self::upgrade(&room) else { return };
            let wakes = room.lock().hand_local_page(member, after, page);
            wakes.wake();
        });
    }
}

impl Drop for LocalMember {
    fn drop(&mut self) {
        self.room.lock().leave_local(self.place);
    }
}
